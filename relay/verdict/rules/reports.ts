// What people report about their own deployment, in their words: settings that got lost or mangled, libraries and
// processes that misbehave. Only the rules without `reported` can meet the relay itself.

import { setting } from '../facts.ts';
import { noReply, type Rule, reported, transaction } from './rule.ts';

const report = { verdict: 'stop', scope: 'credential', stage: 'config' } as const;
const aboutSettings = /password|secret|credential|variable|\benv\b|value|setting|config|compose|user\b/;

const there = '(?:in|inside) (?:the )?(?:production|prod|container|deployment)\\b';
/** "Only" behind the place ends what is said; "in production only sometimes" is about time. */
const onlyThere = new RegExp(
  `(?:(?<!\\bnot )\\b(?:only|just)|\\bbut|\\bfails?|\\bnot) ${there}|${there} (?:only|alone)(?=\\s*(?:$|[^\\s\\w]|(?:and|but|not|while)\\b))`,
);

const unseenInDns =
  /\b(dig|nslookup)\b( \w+)? ((do|does|did|can|could) not|cannot|never|(find|return|show|get|give|see)s? (none|nothing|no))\b|\b(nobody|no one)\b.{0,20}\b(see|find|get)/;

export const reportRules: readonly Rule[] = [
  {
    ...report,
    cause: 'env-wrong-process',
    says: /(web|api|app|frontend) (process|service|container|dyno|server)\b.{0,60}(worker|background|cron|queue|job)|(worker|cron|queue|background|job)\b.{0,60}(but not|not in|only (in|on)) .{0,30}(web|api|app)/,
    when: reported,
  },
  {
    ...report,
    cause: 'env-missing',
    says: /missing credentials|no (password|credentials|username|user) (was |were )?(given|set|provided|configured|specified)|(smtp|email) [a-z ]{2,20}(is|are) (missing|not set|undefined|required)|environment variables? .{0,40}(missing|not set|undefined)/,
    when: noReply,
  },
  {
    ...report,
    cause: 'no-recipient',
    verdict: 'fail',
    scope: 'message',
    says: /no (valid )?recipients? (defined|given|specified|provided|found|address)|(must|should) (provide|specify|have) at least one recipient|recipient(s)? (list )?(is|are) empty|must have at least one (to|recipient)/,
    when: noReply,
  },
  {
    ...report,
    cause: 'env-newline',
    says: /line ?break|new ?line|line feed|trailing (white ?space|spaces?|cr\b|lf\b)|leading (white ?space|spaces?)|carriage return|echo .{0,20}base64/,
    when: reported,
  },
  {
    ...report,
    cause: 'env-comment-truncation',
    when: (facts) =>
      reported(facts) &&
      facts.raw.includes('#') &&
      /password|secret|comment|truncat|\benv\b|value/.test(facts.words),
  },
  {
    ...report,
    cause: 'env-interpolated',
    when: (facts) =>
      reported(facts) &&
      ((/\$|dollar/.test(facts.raw) && aboutSettings.test(facts.words)) ||
        /interpolat|variable (is not set|substitution|expansion)|substitut/.test(facts.words)),
  },
  {
    ...report,
    cause: 'env-url-encoding',
    says: /(url|percent) ?encod|encodeuricomponent|unescaped .{0,20}(url|uri)|invalid (url|uri)\b/,
    when: reported,
  },
  {
    ...report,
    cause: 'env-quoted',
    says: /(quote|quotes|quotation|quoted)\b/,
    when: (facts) => reported(facts) && aboutSettings.test(facts.words),
  },
  {
    ...report,
    cause: 'env-port-garbage',
    says: /instead of the (configured|given|set) port|port .{0,30}(nan|not a number|not numeric|should be .{0,10}0 and .{0,10}65536|out of range|invalid)|(invalid|bad|illegal) port|err socket bad port/,
    when: noReply,
  },
  {
    ...report,
    cause: 'env-blank',
    says: /(blank|empty|uninitialized) (env|environment|variables?|values?|strings?|settings?|smtp)|(env|environment|variables?|values?|settings?) .{0,30}(blank|empty)\b/,
    when: reported,
  },
  {
    ...report,
    cause: 'service-preset-override',
    when: (facts) =>
      reported(facts) &&
      facts.systemError === undefined &&
      // Only a reason and not one setting: whoever reports this has no port to blame, a preset chose it.
      ((/wrong version number/.test(facts.words) &&
        facts.symptom.code === undefined &&
        (facts.symptom.message === undefined || facts.symptom.message === '') &&
        Object.keys(facts.config ?? {}).length === 0) ||
        (/wrong version number/.test(facts.words) &&
          setting(facts.config, 'service') !== undefined &&
          setting(facts.config, 'host') === undefined)),
    stage: 'tls',
  },
  {
    ...report,
    cause: 'process-crash',
    says: /(uncaught|unhandled|crash)/,
    scope: 'platform',
    stage: 'data',
    when: (facts) => reported(facts) && noReply(facts),
  },
  {
    ...report,
    cause: 'pool-retries',
    verdict: 'retry',
    scope: 'route',
    stage: 'data',
    says: /maximum number of retries|max(imum)? ?requeues|too many retries after/,
    when: noReply,
  },
  {
    ...report,
    cause: 'pool-idle',
    verdict: 'retry',
    scope: 'route',
    stage: 'mail',
    says: /\bidle\b/,
    // An IMAP server that greets lists IDLE among its capabilities.
    when: (facts) => reported(facts) && noReply(facts) && facts.stage !== 'greeting',
  },
  {
    ...report,
    cause: 'app-timeout',
    scope: 'platform',
    stage: 'tcp',
    says: /(request|page|form|function|lambda|handler|endpoint|job|deployment) (hangs|hung|never returns|times? ?out|timed out|is killed)|gateway time ?out|task timed out after|function invocation timeout/,
    when: (facts) => reported(facts) && noReply(facts),
  },
  {
    ...report,
    cause: 'verify-false-confidence',
    stage: 'mail',
    says: /verif(y|ication|ied)\b.{0,30}(ok|pass|success|succeed|works|true|fine|green).{0,60}(fail|reject|refus|error)/,
    when: (facts) => reported(facts) && noReply(facts),
  },
  {
    ...report,
    cause: 'contact-form-spoof',
    scope: 'sender',
    stage: 'accepted',
    says: /visitor|contact form|from = customer|user supplied from/,
    when: reported,
  },
  {
    ...report,
    cause: 'dns-record-typo',
    scope: 'sender',
    stage: 'dot',
    says: /(records? .{0,40}(invisible|not (visible|found|resolv)|doubled|missing from dns|look (right|fine|correct)))|append(s|ed) the (domain|zone)/,
    when: (facts) =>
      reported(facts) && (facts.code !== undefined || /\b(spf|dkim|dmarc|txt)\b/.test(facts.words)),
  },
  {
    ...report,
    cause: 'dns-record-typo',
    scope: 'sender',
    stage: 'dot',
    says: unseenInDns,
    at: transaction,
    when: (facts) =>
      reported(facts) &&
      /\brecords?\b/.test(facts.words) &&
      (facts.code !== undefined || /\b(spf|dkim|dmarc|txt|dns|dig|nslookup)\b/.test(facts.words)),
  },
  {
    ...report,
    cause: 'raw-tcp-proxy',
    scope: 'platform',
    stage: 'tcp',
    says: /(raw tcp|shared ipv4|sni proxy)/,
    when: (facts) => reported(facts) && noReply(facts),
  },
  {
    ...report,
    cause: 'conn-reset',
    stage: 'mail',
    when: (facts) =>
      (onlyThere.test(facts.raw) || /allow ?list|\bnc vz\b|secure .{0,20}string/.test(facts.words)) &&
      reported(facts) &&
      noReply(facts) &&
      (facts.systemError === 'ECONNRESET' || facts.systemError === 'CLOSED') &&
      facts.stage === undefined,
  },
];
