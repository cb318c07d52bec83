// What a failure means: the one pure place that decides between trying again, another way, waiting and giving up.
import type { Scope, Stage, Verdict } from '../client/vocabulary.ts';
import { type Facts, factsOf } from './facts.ts';
import type { Failure, Judgement } from './failure.ts';
import { retryAfterSeconds } from './retry-after.ts';
import { accountRules, accountStateRules } from './rules/account.ts';
import { codeRules } from './rules/codes.ts';
import { connectionRules } from './rules/connection.ts';
import { contentRules, spamRules } from './rules/content.ts';
import { limitRules } from './rules/limits.ts';
import { recipientRules } from './rules/recipient.ts';
import { reportRules } from './rules/reports.ts';
import { beforeMail, fits, type Rule } from './rules/rule.ts';
import { domainProofRules, senderRules } from './rules/sender.ts';
import { settingsCause } from './settings.ts';

// In the order of trust: a limit, a lock or a sender problem also uses the words and codes of a refused recipient,
// so the recipient is blamed only when nobody else is.
const rules: readonly Rule[] = [
  ...reportRules,
  ...connectionRules,
  ...contentRules,
  ...domainProofRules,
  ...limitRules,
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
  const rule = rules.find((candidate) => fits(candidate, facts)) ?? defaultRule;
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
    ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
  };
}

/** A broken socket beside a bare code proves no reply: RFC 1047's window is judged by the line that ended. */
function hasFinalReply({ code, replyIsComplete, symptom, systemError }: Facts): boolean {
  if (code === undefined || !replyIsComplete) return false;
  const replyWasSeen = symptom.reply !== undefined && symptom.reply !== '';
  return (
    replyWasSeen ||
    (symptom.errno === undefined && (systemError === undefined || symptom.responseCode !== undefined))
  );
}

// What no rule may overrule, whatever it matched.
function withinBounds(
  { verdict, scope, cause }: Rule,
  stage: Stage,
  code: number | undefined,
): { readonly verdict: Verdict; readonly scope: Scope } {
  if (stage === 'accepted' && (verdict === 'failover' || verdict === 'retry' || verdict === 'split')) {
    return { verdict: 'uncertain', scope: 'message' };
  }
  if (verdict === 'failover' && !beforeMail.includes(stage) && cause !== 'starttls-required') {
    return { verdict: 'retry', scope: 'message' };
  }
  if (
    verdict === 'failover' &&
    stage === 'auth' &&
    cause !== 'starttls-required' &&
    cause !== 'port-tls-mismatch'
  ) {
    return { verdict: 'retry', scope: 'credential' };
  }
  if (verdict === 'fail' && code !== undefined && code < 500 && code >= 400)
    return { verdict: 'retry', scope };
  if (verdict === 'fail' && beforeMail.includes(stage) && cause !== 'no-recipient')
    return { verdict: 'stop', scope: 'credential' };
  return { verdict, scope };
}
