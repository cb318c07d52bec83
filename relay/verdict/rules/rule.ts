// The shape of a rule. Rules are tried in order; the first that fits is the answer, so the special stands before
// the general, and what a reply says before what its code says.
import type { Scope, Stage, Verdict } from '../../client/vocabulary.ts';
import type { Cause } from '../catalogue.ts';
import type { Facts } from '../facts.ts';

export type Rule = {
  readonly cause: Cause;
  readonly verdict: Verdict;
  readonly scope: Scope;
  /** Where this usually happens: the stage of the judgement when nothing else tells it. */
  readonly stage: Stage;
  /** Only at these stages, or when the stage is not known. */
  readonly at?: readonly Stage[];
  /** Only at these stages and only when the stage is known: for codes that mean something at one stage alone. */
  readonly onlyAt?: readonly Stage[];
  /** Only with one of these reply codes; `5` stands for every 5yz. */
  readonly codes?: readonly number[];
  /** Only with an enhanced code that fits, class digit left out: `7.8`. */
  readonly enhanced?: RegExp;
  /** Only when the normalised words say this (see `wordsOf`: no hyphens, no host names, `mail` reads `email`). */
  readonly says?: RegExp;
  readonly when?: (facts: Facts) => boolean;
  /** How long a window of this kind can last, when the reply does not say. */
  readonly windowSeconds?: number;
};

export const connecting: readonly Stage[] = [
  'config',
  'token',
  'dns',
  'tcp',
  'tls',
  'greeting',
  'ehlo',
  'starttls',
];
export const beforeMail: readonly Stage[] = [...connecting, 'auth'];
export const transaction: readonly Stage[] = ['mail', 'rcpt', 'data', 'dot', 'accepted'];
export const body: readonly Stage[] = ['data', 'dot', 'accepted'];

export const noReply = ({ code }: Facts): boolean => code === undefined;
/** A person reports it with the settings beside it, in their own words; the relay never gives settings. */
export const reported = ({ config }: Facts): boolean => config !== undefined;

/** Whether a rule fits what happened. */
export function fits(rule: Rule, facts: Facts): boolean {
  const { stage, code, enhanced, words } = facts;
  if (rule.onlyAt !== undefined && (stage === undefined || !rule.onlyAt.includes(stage))) return false;
  if (rule.at !== undefined && stage !== undefined && !rule.at.includes(stage)) return false;
  if (
    rule.codes !== undefined &&
    !(code !== undefined && rule.codes.some((known) => known === code || known === Math.floor(code / 100)))
  ) {
    return false;
  }
  if (rule.enhanced !== undefined && !(enhanced !== undefined && rule.enhanced.test(enhanced.slice(2))))
    return false;
  if (rule.says !== undefined && !rule.says.test(words)) return false;
  return rule.when === undefined || rule.when(facts);
}
