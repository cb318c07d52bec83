// What a failure means: the one pure place that decides between trying again, another way, waiting and giving up.
import type { Scope, Stage, Verdict } from '../client/vocabulary.ts';
import type { Cause } from './catalogue.ts';
import { type Facts, factsOf } from './facts.ts';
import type { Failure, Judgement } from './failure.ts';
import { retryAfterSeconds } from './retry-after.ts';
import { accountRules, accountStateRules } from './rules/account.ts';
import { codeRules } from './rules/codes.ts';
import { connectionRules } from './rules/connection.ts';
import { contentRules, spamRules } from './rules/content.ts';
import { limitRules } from './rules/limits.ts';
import { closedGroupRules, recipientRules } from './rules/recipient.ts';
import { reportRules } from './rules/reports.ts';
import { beforeMail, connecting, fits, type Rule } from './rules/rule.ts';
import { domainProofRules, senderRules } from './rules/sender.ts';
import { tokenRules } from './rules/token.ts';
import { settingsCause } from './settings.ts';
import { mayBeAboutOne, type Subject, subjectOf } from './subject.ts';
import { systemErrorOf } from './system-errors.ts';

// In the order of trust: a limit, a lock or a sender problem also uses the words and codes of a refused recipient,
// so the recipient is blamed only when nobody else is.
const rules: readonly Rule[] = [
  ...tokenRules,
  ...reportRules,
  ...connectionRules,
  ...contentRules,
  ...domainProofRules,
  ...limitRules,
  ...closedGroupRules,
  ...accountRules,
  ...accountStateRules,
  ...senderRules,
  ...recipientRules,
  ...spamRules,
  ...codeRules,
];

const defaultRule: Rule = { cause: 'unknown', verdict: 'retry', scope: 'message', stage: 'data' };

/**
 * Judges one failure, of one recipient when the stage is `rcpt`. Never throws. When in doubt the mail waits: a late
 * mail is a nuisance, a lost one is gone. After the final dot nothing but a complete reply counts (RFC 1047), and
 * `failover` comes only where the stage proves that nothing was accepted.
 */
export function judge(failure: Failure): Judgement {
  const facts = factsOf(failure);
  if (facts.stage === 'dot' && !hasFinalReply(facts)) {
    return { verdict: 'uncertain', scope: 'message', cause: 'lost-after-dot', stage: 'dot' };
  }
  const setting = settingsCause(facts);
  if (setting !== undefined) {
    return { verdict: 'stop', scope: 'credential', cause: setting, stage: facts.stage ?? 'config' };
  }
  const subject = facts.code === undefined || !mayBeAboutOne(facts.stage) ? 'us' : subjectOf(facts);
  const rule =
    rules.find((candidate) => fits(candidate, facts) && isWithinReach(candidate, subject)) ?? defaultRule;
  const stage = facts.stage ?? rule.stage;
  const { verdict, scope } = withinBounds(rule, stage, facts.code);
  const seconds =
    verdict === 'pause' || verdict === 'retry'
      ? (retryAfterSeconds(facts.words) ?? rule.windowSeconds)
      : undefined;
  return {
    verdict,
    scope,
    cause: rule.cause,
    stage,
    ...(subject === 'nobody' && reachesFurther(rule) ? { isSuspicion: true } : {}),
    ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
  };
}

/**
 * The blast radius. What speaks of a recipient or of a mail ends there: no rule may stop or pause more for it, however
 * well it fits. When the words name nobody, the rule stands, but as a suspicion.
 */
const isWithinReach = (rule: Rule, subject: Subject): boolean =>
  subject === 'us' || subject === 'nobody' || !reachesFurther(rule);

const reachesFurther = ({ verdict, scope }: Rule): boolean =>
  (verdict === 'stop' || verdict === 'pause') && scope !== 'recipient' && scope !== 'message';

/** A broken socket beside a bare code proves no reply: only a line that ended is one. */
function hasFinalReply({ code, replyIsComplete, symptom }: Facts): boolean {
  if (code === undefined || !replyIsComplete) return false;
  const socketBroke = systemErrorOf(symptom.errno) ?? systemErrorOf(symptom.code);
  return socketBroke === undefined || (symptom.reply !== undefined && symptom.reply !== '');
}

// The server refused to go on without TLS, so nothing was accepted although the conversation had come to AUTH or MAIL.
const refusedWithoutTls: ReadonlySet<Cause> = new Set([
  'starttls-required',
  'starttls-stripped',
  'port-tls-mismatch',
]);

// What no rule may overrule, whatever it matched.
function withinBounds(
  { verdict, scope, cause }: Rule,
  stage: Stage,
  code: number | undefined,
): { readonly verdict: Verdict; readonly scope: Scope } {
  // A 4yz is no last word about a mail or a recipient, whatever it says (RFC 5321 §4.2.1).
  const isDeferred = verdict === 'fail' && code !== undefined && code < 500;
  if (stage === 'accepted') {
    // The provider has the mail: what it reports later may end it or stop others, but never sends it again.
    return (verdict === 'fail' && !isDeferred) || verdict === 'stop' || verdict === 'pause'
      ? { verdict, scope }
      : { verdict: 'uncertain', scope: 'message' };
  }
  if (isDeferred) return { verdict: 'retry', scope };
  if (verdict === 'fail' && beforeMail.includes(stage) && cause !== 'no-recipient') {
    return { verdict: 'stop', scope: 'credential' };
  }
  if (verdict !== 'failover' || connecting.includes(stage)) return { verdict, scope };
  if ((stage === 'auth' || stage === 'mail') && refusedWithoutTls.has(cause)) return { verdict, scope };
  return { verdict: 'retry', scope: stage === 'auth' ? 'credential' : 'message' };
}
