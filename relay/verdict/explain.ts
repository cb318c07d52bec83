// Tells a person what a cause means and what to do about it, for the provider and platform at hand.
import { type Cause, catalogue, type Entry } from './catalogue.ts';
import { type Platform, platformOf } from './platforms.ts';
import { type ProviderFact, providerOf } from './providers.ts';
import { isPlatformId, variablesIn, whereToType } from './where-to-type.ts';

/** Where the failure happened, as far as it is known. */
export type FailurePlace = {
  /** A key of the provider catalogue. */
  readonly provider?: string | undefined;
  /** SMTP_HOST; finds the provider when its key is not known. */
  readonly host?: string | undefined;
  readonly platform?: string | undefined;
  /** What the person wrote; provider and platform may be mentioned in it. */
  readonly words?: string | undefined;
};

export type Explanation = {
  readonly cause: Cause;
  readonly title: string;
  readonly meaning: string;
  /** What to do, naming the variables to set. */
  readonly fix: string;
  /** Where to type the variables that the fix names, on a platform we know; null when there is nothing to type. */
  readonly where: string | null;
  /** The cause's paragraph on the page that the api serves. */
  readonly docs: string;
  /** What is known of the provider in this matter, with sources. */
  readonly facts: readonly ProviderFact[];
};

// Which of a provider's facts help with which causes, by the beginning of the slug.
const helpfulFacts: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(auth|oauth2)-(account|quota)|abuse|blocked/, ['account lock', 'limits', 'note']],
  [/^auth-ip/, ['authorised IPs']],
  [/^(auth|oauth2)-/, ['sign-in', 'sign-in methods', 'authorised IPs']],
  [/^sender-|^env-from|^sandbox/, ['From rule', 'quirk']],
  [/limit|^rate|^concurrency|^relay-peak/, ['limits', 'limit reply', 'retrying', 'account lock']],
  [/^too-many/, ['recipients']],
  [/^too-big/, ['message size']],
  [/^cloud-|^tcp-|timeout|^port-|^wrong-host/, ['port 465', 'note']],
];

/** The catalogue's entry of a cause, with the advice for this provider and platform where there is some. */
export function explain(cause: Cause, where: FailurePlace = {}): Explanation {
  const entry: Entry = catalogue[cause];
  const provider = providerOf(where.provider, where.host ?? '', where.words ?? '');
  const platform = platformOf(where.platform, where.words ?? '');
  const about = helpfulFacts.find(([slug]) => slug.test(cause))?.[1] ?? [];
  const fix = [entry.providers?.[provider?.id ?? ''] ?? entry.fix, platformAdvice(cause, entry, platform)]
    .filter((part) => part !== undefined)
    .join(' ');
  const variables = variablesIn(fix);
  const isAboutSettings = cause.startsWith('env-');
  const named = platform?.id ?? where.platform;
  return {
    cause,
    title: entry.title,
    meaning: entry.meaning,
    fix,
    where:
      isPlatformId(named) && (variables.length > 0 || isAboutSettings) ? whereToType(named, variables) : null,
    docs: `/docs/causes#${cause}`,
    facts: provider?.facts.filter((fact) => about.includes(fact.about)) ?? [],
  };
}

/** A cause in two lines, as alerts, logs and timelines say it; empty for a cause that the catalogue does not have. */
export function inBrief(
  cause: string,
  where: Pick<FailurePlace, 'host' | 'platform'> = {},
): { readonly title: string; readonly fix: string } {
  if (!Object.hasOwn(catalogue, cause)) return { title: '', fix: '' };
  const { title, fix, where: place } = explain(cause as Cause, where);
  return { title, fix: place === null ? fix : `${fix} ${place}` };
}

function platformAdvice(cause: Cause, entry: Entry, platform: Platform | undefined): string | undefined {
  if (platform === undefined) return undefined;
  const special = entry.platforms?.[platform.id];
  if (special !== undefined) return special;
  return cause === 'cloud-port-block' || cause === 'network'
    ? `${platform.name}: ${platform.advice}`
    : undefined;
}
