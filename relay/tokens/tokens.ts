// Access tokens for providers: fetched by one relay for all, renewed in time, and kept in the database, so that neither
// a restart nor a second relay asks again. The bounce reader asks here for the same token: one grant covers both.
import { createHash, scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import type { Queryable } from '../../deploy/database.ts';
import type { ProviderReading } from '../../deploy/environment.ts';
import { identityOf, type OAuth2Reading, secretsOf } from '../../deploy/oauth2.ts';
import type { SmtpFailure } from '../smtp/failure.ts';
import { symptomOf } from '../smtp/symptom.ts';
import { judge } from '../verdict/verdict.ts';
import {
  forgetGrants,
  type GrantRow,
  leaveGrant,
  readGrant,
  spoilGrant,
  storeGrant,
  takeGrant,
} from './grant-row.ts';
import { type FormAnswer, postForm } from './post-form.ts';
import { type Grant, seal, unseal } from './sealed.ts';
import { readTokenAnswer, secondsBehind, type TokenAnswer } from './token-answer.ts';
import { tokenRequest } from './token-request.ts';

export type TokenResult =
  | {
      readonly token: string;
      /** Of performance.now(). */
      readonly endsAt: number;
      /** It was fetched just now: whoever refuses it would refuse the next one, too. */
      readonly isNew: boolean;
    }
  | { readonly failure: SmtpFailure };

export type Tokens = {
  /**
   * A token for this provider's mailbox, for SMTP and IMAP. Waits for the endpoint no longer than half a minute, and
   * rejects only without the database.
   *
   * @param instead the one that the mail server has just refused: another is fetched
   */
  tokenFor(provider: OAuth2Provider, wish?: { readonly instead?: string | undefined }): Promise<TokenResult>;
  /** The mail server refuses it although it is new: the next one who asks gets another. */
  spoil(provider: OAuth2Provider, token: string): Promise<void>;
};

export type OAuth2Provider = Pick<ProviderReading, 'name' | 'user' | 'caFile'> & {
  readonly oauth2: OAuth2Reading;
};

export const usesTokens = (provider: ProviderReading): provider is ProviderReading & OAuth2Provider =>
  provider.oauth2 !== undefined;

export type TokenWaits = {
  readonly requestMs: number;
  /** How long an answer stands before the endpoint is asked again: a refusal, and no answer. */
  readonly refusedSeconds: number;
  readonly unreachableSeconds: number;
};

/** Shorter than the first pause of a lane's probes, so that each of these learns something new. */
export const usualTokenWaits: TokenWaits = { requestMs: 10_000, refusedSeconds: 45, unreachableSeconds: 4 };

type Opening = {
  /** Without one nothing is kept. */
  readonly database: Queryable | undefined;
  /** This process among all: a UUID. */
  readonly instance: string;
  readonly signal: AbortSignal;
  readonly waits?: TokenWaits;
  /** Told of every request. */
  readonly asked?: (lane: string, outcome: 'granted' | 'refused' | 'unreachable') => void;
};

type Kept = { readonly token: string; readonly freshUntil: number; readonly endsAt: number };

/** A token is renewed after this part of its life. */
const freshPart = 0.8;
/** With less left than this, in seconds, a token is not begun with any more. */
const leastLeft = 5;

// Long because its small functions share what this process knows of each grant.
export function openTokens(opening: Opening): Tokens {
  const { database, instance, signal, waits = usualTokenWaits, asked = () => {} } = opening;
  const kept = new Map<string, Kept>();
  const underWay = new Map<string, Promise<TokenResult>>();
  const places = new Map<string, Place>();
  /** Refresh tokens that could not be stored yet. */
  const unstored = new Map<string, string>();

  async function tokenFor(
    provider: OAuth2Provider,
    { instead }: { instead?: string | undefined } = {},
  ): Promise<TokenResult> {
    const place = placeOf(provider);
    const own = kept.get(place.name);
    if (own && own.token !== instead && performance.now() < own.freshUntil)
      return { token: own.token, endsAt: own.endsAt, isNew: false };
    const result = await underWay.get(place.name);
    if (result && ('failure' in result || result.token !== instead)) return result;
    const finding = find(place, instead).finally(() => underWay.delete(place.name));
    underWay.set(place.name, finding);
    return finding;
  }

  function placeOf(provider: OAuth2Provider): Place {
    const name = `${provider.name}\0${provider.user ?? ''}\0${materialOf(provider)}`;
    const known = places.get(name) ?? describePlace(provider);
    places.set(name, known);
    return known;
  }

  async function find(place: Place, instead: string | undefined): Promise<TokenResult> {
    if (!database) return ask(place, undefined, undefined);
    const deadline = performance.now() + 3 * waits.requestMs;
    for (;;) {
      const known = look(place, await readGrant(database, place.key), instead);
      if (known.answer) return known.answer;
      const row = await takeGrant(database, place.key, { instance, leaseMs: 3 * waits.requestMs + 5_000 });
      if (row) {
        const now = look(place, row, instead);
        if (now.answer) {
          await leaveGrant(database, place.key, instance);
          return now.answer;
        }
        return ask(place, now.grant, now.usable);
      }
      if (known.usable) return known.usable;
      if (performance.now() > deadline || signal.aborted)
        return { failure: asFailure({ message: slowOther }, 0) };
      await pause(100);
    }
  }

  /** What the row says: an answer that stands; or else what may still be used when no other can be had. */
  function look(place: Place, row: GrantRow | undefined, instead: string | undefined) {
    const { salt, sealed, livesFor, freshFor, waitFor } = row ?? {};
    const grant = salt && sealed ? unseal({ salt, sealed }, place.secret, place.key) : undefined;
    const { accessToken: token, failure } = grant ?? {};
    const isUsable = token !== undefined && token !== instead && (livesFor ?? 0) > leastLeft;
    const endsAt = performance.now() + (livesFor ?? 0) * 1_000;
    const usable = isUsable ? { token, endsAt, isNew: false } : undefined;
    if (usable && (freshFor ?? 0) > 0) {
      kept.set(place.name, {
        token: usable.token,
        endsAt,
        freshUntil: performance.now() + (freshFor ?? 0) * 1_000,
      });
      return { grant, usable, answer: usable };
    }
    const stands = failure !== undefined && (waitFor ?? 0) > 0;
    return { grant, usable, answer: stands ? (usable ?? { failure: asFailure(failure, 0) }) : undefined };
  }

  async function ask(
    place: Place,
    grant: Grant | undefined,
    usable: TokenResult | undefined,
  ): Promise<TokenResult> {
    const since = performance.now();
    const spent = () => Math.round(performance.now() - since);
    const { answer, used } = await request(place, candidates(place, grant));
    if ('token' in answer) {
      asked(place.lane, 'granted');
      return { ...(await keep(place, grant, answer, used)), isNew: true };
    }
    const failure = asFailure(answer.symptom, spent());
    const { verdict, retryAfterSeconds } = judge(failure);
    const isStop = verdict === 'stop';
    asked(place.lane, isStop ? 'refused' : 'unreachable');
    const usual = retryAfterSeconds ?? (isStop ? waits.refusedSeconds : waits.unreachableSeconds);
    const { reply, message, code } = failure.symptom as Grant['failure'] & object;
    const said = { ...(reply && { reply }), ...(message && { message }), ...(code && { code }) };
    await store(place, { ...grant, failure: said }, { waitSeconds: answer.retryAfterSeconds ?? usual });
    return usable ?? { failure };
  }

  /** The newest refresh token first; where it is refused, the one before, and what is set. */
  function candidates({ name, oauth2 }: Place, grant: Grant | undefined): (string | undefined)[] {
    if (oauth2.grant !== 'refresh-token') return [undefined];
    const all = [unstored.get(name), grant?.refreshToken, grant?.previousRefreshToken, oauth2.refreshToken];
    return [...new Set(all.filter((each) => each !== undefined))];
  }

  async function request(
    place: Place,
    refreshTokens: readonly (string | undefined)[],
  ): Promise<{ answer: Answer; used: string | undefined }> {
    let answer: Answer = { symptom: { message: 'no refresh token' }, retryAfterSeconds: undefined };
    for (const refreshToken of refreshTokens) {
      answer = await requestOnce(place, refreshToken);
      const isGone = 'symptom' in answer && answer.error === 'invalid_grant';
      if (!isGone) return { answer, used: refreshToken };
    }
    return { answer, used: undefined };
  }

  async function requestOnce(place: Place, refreshToken: string | undefined): Promise<Answer> {
    const { oauth2, user, caFile } = place;
    const nowMs = Date.now();
    let heard: FormAnswer;
    try {
      const form = tokenRequest(oauth2, { user, refreshToken, nowMs });
      const authorities =
        caFile === undefined ? rootCertificates : [...rootCertificates, readFileSync(caFile, 'utf8')];
      heard = await postForm(oauth2.tokenUrl, form, { authorities, timeoutMs: waits.requestMs, signal });
    } catch (error) {
      return { symptom: symptomOf(error), retryAfterSeconds: undefined };
    }
    const answer = readTokenAnswer(heard, [place.secret, ...place.secrets, refreshToken ?? '']);
    if (!('refusal' in answer)) return answer;
    const { error, says, retryAfterSeconds } = answer.refusal;
    const behind = secondsBehind(heard, nowMs) ?? 0;
    const clock =
      Math.abs(behind) > 60
        ? ` (the clock here is ${Math.abs(behind)} s ${behind > 0 ? 'behind' : 'ahead'})`
        : '';
    return { error, symptom: { reply: `${says}${clock}` }, retryAfterSeconds };
  }

  /** Stored before it is used: after a crash nobody would know a refresh token that was given only once. */
  async function keep(
    place: Place,
    grant: Grant | undefined,
    { token, livesSeconds, refreshToken }: Granted,
    used: string | undefined,
  ): Promise<{ token: string; endsAt: number }> {
    const freshSeconds = livesSeconds * freshPart;
    const now = performance.now();
    const next = refreshToken ?? used;
    if (refreshToken !== undefined) unstored.set(place.name, refreshToken);
    const previous = refreshToken === undefined ? grant?.previousRefreshToken : used;
    const isStored = await store(
      place,
      {
        accessToken: token,
        ...(next !== undefined && { refreshToken: next }),
        ...(previous !== undefined && { previousRefreshToken: previous }),
      },
      { token: { livesSeconds, freshSeconds }, waitSeconds: null },
    );
    if (isStored) unstored.delete(place.name);
    if (database) await forgetGrants(database).catch(() => {});
    const endsAt = now + livesSeconds * 1_000;
    kept.set(place.name, { token, endsAt, freshUntil: now + freshSeconds * 1_000 });
    return { token, endsAt };
  }

  /** Goes on until it is stored: without the database no mail waits for the token anyway. */
  async function store(
    place: Place,
    grant: Grant,
    times: Pick<Parameters<typeof storeGrant>[2], 'token' | 'waitSeconds'>,
  ): Promise<boolean> {
    if (!database) return false;
    for (let attempt = 0; attempt < mostAttemptsToStore; attempt++) {
      try {
        await storeGrant(database, place.key, { ...seal(grant, place.secret, place.key), ...times });
        return true;
      } catch {
        if (signal.aborted) return false;
        await pause(500);
      }
    }
    return false;
  }

  return {
    tokenFor,
    async spoil(provider, token) {
      const place = placeOf(provider);
      if (kept.get(place.name)?.token === token) kept.delete(place.name);
      if (!database) return;
      const row = await readGrant(database, place.key);
      const { salt, sealed } = row ?? {};
      const grant = salt && sealed ? unseal({ salt, sealed }, place.secret, place.key) : undefined;
      if (grant?.accessToken === token) await spoilGrant(database, place.key);
    },
  };
}

const mostAttemptsToStore = 60;
const slowOther = 'Another relay asks the token endpoint, and has no answer yet';

type Granted = Extract<TokenAnswer, { token: string }>;
type Symptom = SmtpFailure['symptom'];
type Answer =
  | Granted
  | { readonly symptom: Symptom; readonly retryAfterSeconds: number | undefined; readonly error?: string };

/** A grant in this process, and what its row is called. */
type Place = {
  readonly name: string;
  readonly lane: string;
  readonly key: Buffer;
  readonly oauth2: OAuth2Reading;
  readonly user: string;
  readonly caFile: string | undefined;
  readonly secret: string;
  readonly secrets: readonly string[];
};

const materialOf = ({ name, oauth2 }: OAuth2Provider) =>
  [identityOf(oauth2), ...secretsOf(name, oauth2).map(([, secret]) => secret)].join('\0');

function describePlace(provider: OAuth2Provider): Place {
  const { name, oauth2, user = '', caFile } = provider;
  const secrets = secretsOf(name, oauth2).map(([, secret]) => secret);
  const secret = secrets.join('\0');
  // A slow digest, because the database may be read by others than the relay.
  const print = scryptSync(secret, 'postern oauth2 grant', 16).toString('hex');
  const key = createHash('sha256')
    .update([identityOf(oauth2), user, print].join('\0'))
    .digest();
  return {
    name: `${name}\0${user}\0${materialOf(provider)}`,
    lane: name,
    key,
    oauth2,
    user,
    caFile,
    secret,
    secrets,
  };
}

const asFailure = (symptom: Symptom, ms: number): SmtpFailure => ({
  stage: 'token',
  symptom,
  timings: { token: ms },
});
