// The stage before all others where a provider is signed in to with OAuth2: is there an access token?
import type { ProviderReading } from '../../deploy/environment.ts';
import { secretsOf } from '../../deploy/oauth2.ts';
import { inWords, type SmtpFailure, type StageFailure } from '../smtp/failure.ts';
import { type OAuth2Provider, type TokenResult, type Tokens, usesTokens } from '../tokens/tokens.ts';
import type { Step } from './examination.ts';
import { type TimeLimits, within } from './time-limits.ts';

export type TokenLook = {
  readonly step: Step;
  readonly failure?: StageFailure;
  readonly token?: string;
  /** A kept one may have ended early. */
  readonly isNew?: boolean;
  /** Another one, because the mail server refuses this one. */
  renew(): Promise<string | undefined>;
};

/** Undefined where no token is needed. Never rejects. */
export async function lookForToken(
  provider: ProviderReading,
  tokens: Tokens | undefined,
  { limits, signal }: { limits: TimeLimits; signal: AbortSignal },
): Promise<TokenLook | undefined> {
  if (!usesTokens(provider)) return undefined;
  const renew = async () => undefined;
  if (!tokens) {
    const says = 'not asked for: without the database a new refresh token could not be kept';
    return { step: { stage: 'token', outcome: 'skipped', ms: null, says }, renew };
  }
  const since = performance.now();
  const found = await within('token', limits.token, signal, () => tokens.tokenFor(provider)).catch(
    asTokenFailure,
  );
  const ms = Math.round(performance.now() - since);
  if ('failure' in found) {
    const step: Step = { stage: 'token', outcome: 'failed', ms, says: inWords(found.failure) };
    return { step, failure: found.failure, renew };
  }
  const minutes = Math.max(0, Math.floor((found.endsAt - performance.now()) / 60_000));
  return {
    step: found.isNew
      ? { stage: 'token', outcome: 'passed', ms, says: `given, valid for ${minutes} min` }
      : { stage: 'token', outcome: 'skipped', ms: null, says: `a valid one is kept, for ${minutes} min` },
    token: found.token,
    isNew: found.isNew,
    renew: () => another(provider, tokens, found.token),
  };
}

async function another(
  provider: OAuth2Provider,
  tokens: Tokens,
  instead: string,
): Promise<string | undefined> {
  const found = await tokens.tokenFor(provider, { instead }).catch(asTokenFailure);
  return 'token' in found ? found.token : undefined;
}

function asTokenFailure(error: unknown): TokenResult {
  const { message, code } = error as NodeJS.ErrnoException;
  const symptom = { message, ...(code !== undefined && { code }) };
  return { failure: { stage: 'token', symptom, timings: {} } satisfies SmtpFailure };
}

/** What must not be repeated to anybody: the settings' secrets. */
export const oauth2Secrets = ({ name, oauth2 }: ProviderReading): string[] =>
  oauth2 ? secretsOf(name, oauth2).map(([, secret]) => secret) : [];
