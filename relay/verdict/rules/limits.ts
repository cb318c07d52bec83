// Quotas, rates and locks of the sending account. They come with every code and at every stage, and never are the
// fault of the mail or its recipient.
import type { Facts } from '../facts.ts';
import { noReply, type Rule, reported, transaction } from './rule.ts';

const day = 86_400;
const hour = 3_600;

const limitWords =
  /limit|quota|exceed|reached|too many|maximum|allow|only \d+|\bmax\b|over\b|after \d+|threshold|cap\b/;
/** A person who tells of a limit names the number from which on nothing leaves. */
const toldLimit =
  /\b(above|beyond|not? more than|(stop\w*|end|ends|ended|cut off|turned off|switched off)( sending)?( email)? (at|around|near)) (about |around |some )?\d+ (\w+ ){0,2}(per|an?|each|every) (hour|day)\b/;
const tellsLimit = (facts: Facts): boolean =>
  reported(facts) && noReply(facts) && toldLimit.test(facts.words);
const isLimit = (facts: Facts): boolean =>
  (limitWords.test(facts.words) || tellsLimit(facts)) &&
  !/mailbox (is )?(full|over)|inbox|over ?quota|storage|message size|size limit|hops|credits?\b/.test(
    facts.words,
  ) &&
  !(noReply(facts) && (facts.stage === 'dns' || facts.stage === 'tcp' || facts.stage === 'tls'));

export const limitRules: readonly Rule[] = [
  {
    cause: 'recipient-rate',
    verdict: 'retry',
    scope: 'recipient',
    stage: 'rcpt',
    says: /(user|recipient|account|mailbox|address)\b.{0,60}receiving email (too|at a rate)|receiving email (too quickly|at a rate)|(recipient|user you are trying to contact)\b.{0,60}(rate|too quickly|too many messages|too much email)|(recipient|user|mailbox|address)\b.{0,60}(receiv\w*.{0,40}(limit|quota|rate|too (many|much))|(limit|quota|rate)\b.{0,40}receiv)/,
    when: ({ words }) => /receiv/.test(words) || !/per (hour|day)|daily|hourly/.test(words),
  },
  {
    cause: 'ip-reputation',
    verdict: 'retry',
    scope: 'credential',
    stage: 'dot',
    codes: [4],
    says: /unusual (rate|amount|volume)|unsolicited email originating|(low|poor|bad|suspicious|very low) reputation|reputation of (the|your)|(temporar\w+ )?(deferred|rate limited) due to .{0,60}(complaints|unexpected volume|reputation)|\bts0[1-4]\b|user complaints/,
    windowSeconds: 300,
  },
  {
    cause: 'auth-quota',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    says: /\bcredits?\b.{0,30}(exceed|exhaust|expire|left|used|insufficient|run out|remaining|blocked|deplet)|(no|maximum|insufficient|out of|not enough|zero|exceeded) .{0,15}credits?\b|insufficient (balance|funds)|unpaid|payment (required|overdue|failed)|(plan|subscription|trial|licen[sc]e|membership)\b.{0,30}(expired|ended|inactive|lapsed|cancel|over\b|exhausted)|(expired|inactive) (plan|subscription|trial)|overdue|upgrade your (plan|account) to/,
    when: ({ words, stage }) =>
      !/suspend/.test(words) &&
      (stage === 'auth' || stage === undefined || /\b(your?|credits?)\b/.test(words)),
  },
  {
    cause: 'auth-rate-limit',
    verdict: 'pause',
    scope: 'credential',
    stage: 'auth',
    codes: [4],
    says: /too many .{0,30}(login|auth\w*|sign ?ins?|password)|(login|auth\w*) .{0,30}(too (many|often|frequent\w*|quickly|fast)|rate|throttl|limit)|too (often|frequent).{0,20}(login|auth)/,
    when: ({ words }) => !/blocked|suspended|locked/.test(words),
  },
  {
    // The same said with a 5yz is about seconds: the sign-in is refused once and accepted a little later.
    cause: 'auth-rate-limit',
    verdict: 'retry',
    scope: 'credential',
    stage: 'auth',
    says: /too many .{0,30}(login|auth\w*|sign ?ins?)\b|(login|authenticat\w*) .{0,30}(too (many|often|frequent\w*|quickly|fast)|rate|throttl)|too (often|frequent).{0,20}(login|auth)/,
    when: ({ words, code }) =>
      code !== undefined &&
      !/blocked|suspended|locked|disabled|banned|password|too many (bad|failed|wrong|invalid|incorrect|unsuccessful)\b/.test(
        words,
      ),
  },
  {
    cause: 'too-many-recipients',
    verdict: 'split',
    scope: 'message',
    stage: 'rcpt',
    says: /too many recipients|(recipients?|rcpts?)\b.{0,30}(limit|exceed|maximum|too many)|(maximum|max|limit|exceed\w*)\b.{0,30}(number of |count of )?(recipients|rcpts?)/,
    at: transaction,
    when: ({ words }) =>
      !/hour|day|daily|24|minute|rate|quota|sending limit|invalid|storage|disk|space|mailbox|header|errors/.test(
        words,
      ),
  },
  {
    cause: 'concurrency',
    verdict: 'retry',
    scope: 'credential',
    stage: 'greeting',
    says: /too many .{0,30}(connections?|sessions?|threads?)|(concurren\w+|simultaneous|parallel)\b.{0,40}(limit|exceed|too many|maximum|reached|connection|session)|(connections?|sessions?|thread)\b.{0,30}(limit|exceed|maximum|rate|count)|maximum (number of )?(concurrent |simultaneous )?(smtp )?(connections|sessions)/,
  },
  {
    cause: 'daily-limit',
    verdict: 'pause',
    scope: 'credential',
    stage: 'dot',
    says: /\bdaily\b|per (calendar )?day\b|\b24 ?h(ou)?rs?\b|\btoday\b|(a|this|each|the) day\b|(emails?|messages?|recipients?) (a |each |every )?day\b|day limit|\bmonthly\b|per month/,
    when: (facts) => isLimit(facts) && !/hour(ly)? .{0,30}day/.test(facts.words.replace(/24 ?hours?/g, '')),
    windowSeconds: day,
  },
  {
    cause: 'hourly-limit',
    verdict: 'pause',
    scope: 'credential',
    stage: 'dot',
    says: /\bhourly\b|per hour\b|\bhours?\b|(per|in|within|every) \d+ ?min(ute)?s?\b/,
    when: isLimit,
    windowSeconds: hour,
  },
  {
    cause: 'relay-peak',
    verdict: 'pause',
    scope: 'credential',
    stage: 'rcpt',
    says: /\bpeak\b.{0,30}limit|relay (limit|quota)/,
  },
  {
    cause: 'sending-limit',
    verdict: 'pause',
    scope: 'credential',
    stage: 'dot',
    says: /(sending|submission|outgoing|outbound|sender|send|relay|account|smtp|your|volume)\b.{0,40}(quota|limit)s?\b.{0,30}(exceed|reach|hit|over|met|used)|(exceed|reach|hit|over|used)\w*\b.{0,50}(sending|submission|outgoing|outbound|sender|send|relay|message|email)\b.{0,30}(quota|limit|allowance)|submissionquota|(ip|sender|domain|connection|sending) frequency (is )?limit|limit for sending email|too many (emails?|messages)( sent| from)?\b|please wait (to|before|until)|rate limit increase|sending too (many|much)|message (count )?(quota|limit) (exceed|reach)|exceeded .{0,30}(number of|max(imum)?) (emails?|messages)|(quota|limit) (exceeded|reached) for (account|user|sender|domain)/,
    when: ({ words }) =>
      !/inbox|storage|over quota|size|recipients? (rate|limit)|connection|rate exceeded|credits?\b/.test(
        words,
      ) &&
      // A mailbox has a limit of what it keeps, and one of what it sends.
      (!/mailbox/.test(words) || /\b(send|sent|sending|submission|outgoing|outbound)\b/.test(words)),
  },
  {
    cause: 'rate',
    verdict: 'retry',
    scope: 'credential',
    stage: 'dot',
    codes: [4],
    says: /throttl|(sending|send|submission|message|email|request|maximum)\b.{0,20}rate\b|rate\b.{0,20}(exceed|limit|too)|rate ?limit|too (fast|quickly|much email)|slow(ing)? down|per (second|minute)|policy (?:.{0,10})rate/,
  },
  {
    // With a 5yz nobody else will try again, so the lane waits as it does for any other limit.
    cause: 'sending-limit',
    verdict: 'pause',
    scope: 'credential',
    stage: 'dot',
    says: /throttl|rate ?limit|rate\b.{0,20}(exceed|limit)|sending (too|rate)|too (fast|quickly)|slow down|per (second|minute)/,
    when: ({ code }) => code === undefined || code >= 500,
  },
];
