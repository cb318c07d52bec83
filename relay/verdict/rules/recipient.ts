// Replies about one recipient. Only these may ever feed a suppression list.
import type { Rule } from './rule.ts';

const fail = {
  verdict: 'fail',
  scope: 'recipient',
  stage: 'rcpt',
  at: ['rcpt', 'data', 'dot', 'accepted'],
} as const;
const retry = {
  verdict: 'retry',
  scope: 'recipient',
  stage: 'rcpt',
  at: ['mail', 'rcpt', 'data', 'dot', 'accepted'],
  codes: [4],
} as const;

/** Closed groups speak of sign-in and permission, and mean the sender's standing with this one recipient. */
export const closedGroupRules: readonly Rule[] = [
  {
    ...retry,
    cause: 'greylist',
    codes: [4, 5],
    says: /gr[ea]ylist|not yet authorized to deliver|gr[ea]y listed|postgrey|postgray|come back (in|later)|first (time|contact)|new (sender|triplet)|delayed delivery policy/,
  },
  {
    ...fail,
    cause: 'policy-reject',
    says: /\b(to|for) (this|the|that) (group|list|distribution)\b|blocked by (the |this )?(recipient|user|addressee)|(recipient|user|addressee) (has )?blocked (you|your|this|the sender)|notauthenticatedforgroup|delivery restriction/,
  },
];

export const recipientRules: readonly Rule[] = [
  {
    ...retry,
    cause: 'multi-domain',
    verdict: 'split',
    scope: 'message',
    codes: [4, 5],
    says: /(multiple|several|different|more than one|only one|single)\b.{0,20}(destination |recipient )?domains?\b/,
  },
  {
    ...fail,
    cause: 'mailbox-full',
    says: /(mailbox|inbox|user|account|recipient|storage|disk|folder|maildir|address)\b.{0,60}(\bfull\b|over ?quota|over its quota|quota (exceeded|full|reached|limit)|out of (storage|space|disk)|no (more )?(space|room)|size limit|storage limit|insufficient (storage|space))|over ?quota|(quota|storage allocation|storage limit|allotted storage) ?(is )?(exceeded|full|reached)|exceeded (the |its |their )?(storage|mailbox|disk|quota(?! for sending))|overquota|quota violation|exceed\w* quota|mailbox limit|too many messages (on|in) (the |this )?(server|mailbox|inbox)|(mailbox|recipient|user|account)\b.{0,40}exceed\w* .{0,20}(storage|disk|space|mailbox)/,
  },
  {
    ...fail,
    cause: 'smtputf8',
    says: /smtputf8|internationali[sz]ed|non ascii .{0,30}(address|local|recipient|mailbox)|utf ?8 .{0,30}(address|not supported)|\beai\b/,
    stage: 'rcpt',
  },
  {
    ...fail,
    cause: 'bad-domain',
    says: /(recipient|destination|target|to|rcpt|invalid|unknown|email)? ?(domain|host)s?\b.{0,40}(not (found|exist|resolv|valid|accept email)|does not (exist|resolve|accept|receive)|unknown|invalid|no (mx|valid mx|email)|unrouteable|unroutable|has no)|find the recipient domain|(unknown|invalid|nonexistent|no such|bad|illegal) (destination |recipient |email )?(domain|host)|unroute?able|no route to (domain|address)|(domain|host) (is |was )?(not |un)reach\w+|(domain|host) could not be (reached|found|resolved)|unable to (route|find .{0,20}domain)|(null mx|nullmx)|no mx|domain name not found|mx record/,
    when: ({ words }) => !/sender|client|helo/.test(words),
  },
  {
    ...fail,
    cause: 'mailbox-disabled',
    says: /(mailbox|account|user|recipient|address|email)\b.{0,50}(disabled|inactive|suspended|deactivated|closed|expired|discontinued|no longer (active|in use|available|valid|accept)|not active|blocked|locked|terminated|abandoned)|(disabled|inactive|suspended|deactivated) (mailbox|account|user|recipient)/,
    when: ({ words, stage }) =>
      (stage === 'rcpt' || stage === 'accepted' || /recipient|tried to reach|mailbox/.test(words)) &&
      !/\byour (account|mailbox)/.test(words),
  },
  {
    ...fail,
    cause: 'user-unknown',
    says: /(user|mailbox|recipient|account|address|addressee|person|alias|inbox|name|email box)\b.{0,60}(unknown|does not exist|not (exist|found|known|here|recognized|listed|a (valid|known)|valid|available here)|no longer|undeliverable|not have|nonexistent|doesnt exist|invalid)|(unknown|no such|invalid|nonexistent|non existent|not a valid|bad|undeliverable|unable to find) (local |recipient |destination |virtual |email )?(user|mailbox|recipient|address|account|person|addressee|part)|no mailbox (here|by|for)|nosuchuser|user not local|not our customer|nobody here|cannot (verify|find) (your )?(recipient|user)|does not have an? .{0,30}account|who (are you|\?)|domain or user is not in my list|recipientnotfound|resolver adr|unrouteable address|no such (person|address|user)/,
    when: ({ words }) =>
      !/^.{0,40}(sender|from address)|syntax|format|malformed|unverified address/.test(words),
  },
  {
    ...fail,
    cause: 'invalid-address',
    says: /(address|recipient|mailbox|path|local part|rcpt to)\b.{0,40}(syntax|malformed|invalid|not (rfc|valid|a legal|legal|parse)|illegal|format|unbalanced|contains)|(syntax|malformed|invalid|illegal|bad) .{0,30}(address|recipient|mailbox name|path|rcpt)|mailbox name (is )?not allowed|invalid addresses|syntax error/,
    at: ['rcpt'],
    when: ({ code, words }) => (code === undefined || code !== 503) && !/command|sender/.test(words),
  },
  {
    ...fail,
    cause: 'policy-reject',
    says: /recipient( address)?( address)?\b.{0,20}(reject|refus|denied|not accept|does not accept|blocked)|(recipient|user|mailbox|owner|group|list|destination)\b.{0,50}(not accept|refuse|reject|restrict|only accepts|blocks?|policy|permission)|not (authorized|allowed|permitted|accept\w*) .{0,40}\bto (this|the|that|your)? ?(recipient|address|user|mailbox|group|list|domain)|delivery (restriction|not (authorized|allowed)|restricted)|restricted (recipient|address|group)|administrative prohibition|suppress(ed|ion) list|on (the|our|your) suppression/,
  },
];
