// What a finding means: the words go through the same verdicts as a provider's reply. Before that come the words that no
// reply has, because the reporting server speaks about its own attempts.
import type { Cause } from '../verdict/catalogue.ts';
import { judge } from '../verdict/verdict.ts';
import type { Finding, ReportedRecipient } from './report.ts';

/** Only these say that the address itself is at fault, and will be tomorrow. */
const hardCauses: ReadonlySet<Cause> = new Set<Cause>(['user-unknown', 'bad-domain', 'invalid-address']);

export function judgeFinding(finding: Finding): ReportedRecipient {
  const { command: _, ...rest } = finding;
  const code = replyCodeIn(finding.reply);
  const named = enhancedIn(finding.reply);
  const status = statusOf(finding, named, code);
  if (finding.action !== 'failed' && finding.action !== 'delayed') {
    return { ...rest, status: finding.action === 'complaint' ? '' : status, code, hard: false, cause: null };
  }
  const cause = causeOf(finding, named || finding.status);
  const hard = finding.action === 'failed' && (hardCauses.has(cause) || isBareRefusal(finding));
  return { ...rest, status, code, hard, cause };
}

// "ERROR_CODE :550" and "(#5.1.1 - chkusr)" are ways to write them, too.
const replyCodeIn = (reply: string): string =>
  /(?:^|[\s:'"<([#>])((?:[45][0-57]\d|2[0-5]\d))(?=[ -]+\S|:|,|$)/.exec(reply)?.[1] ?? '';

const enhancedIn = (reply: string): string =>
  /(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d]|\.\d)/.exec(reply)?.[1] ?? '';

// The other server's own code says more than the field that was made from it; `x.0.0` says nothing (RFC 3463 §3.1).
function statusOf({ status, action }: Finding, named: string, code: string): string {
  if (named !== '' && !named.endsWith('.0.0')) return named;
  if (status !== '') return status;
  if (named !== '') return named;
  if (code !== '' && code[0] !== '2') return `${code[0]}.0.0`;
  return action === 'delayed' ? '4.0.0' : action === 'failed' ? '5.0.0' : '';
}

const ownWords: readonly (readonly [RegExp, Cause])[] = [
  [
    /no longer (?:be )?(?:on|at|with) this server|has moved|mailbox moved|no forwarding address|changed (?:his|her|its|their|the) (?:e-?mail )?address/i,
    'user-unknown',
  ],
  [
    /not listed in (?:the )?(?:domino directory|public name)|recipient name is not recognized|unknown recipient|final delivery userid|ユーザー.{0,80}見つかりません|unrouteable mail domain/i,
    'user-unknown',
  ],
  [
    /indicated no smtp service|(?:host|domain) does not accept (?:e-?mail|mail)|domain accepts no (?:e-?mail|mail)|null ?mx/i,
    'bad-domain',
  ],
  [/host \S{1,255} not found|no such (?:host|domain)|host unknown/i, 'bad-domain'],
  [
    /procmail|maildrop|couldn't create|can't create output|user-supplied|command (?:died|failed|output)|mailer (?:error|returned)|unknown mailer/i,
    'temporary-refusal',
  ],
  [
    /unexpected name server reply|servfail|lookup failure|host not reachable|not responding|conversation with .{1,120} timed out|connection (?:timed out|refused|reset)|connect to .{1,160}: |lost connection with|network (?:is )?unreachable|no route to host|retry time(?:out)? (?:not reached|exceeded)|(?:message|envelope|delivery time|queue) ?(?:has )?expired|delivery expired|retry timeout|could not (?:contact|connect)|too long in (?:the )?queue|in the queue too long/i,
    'remote-unreachable',
  ],
];

const vague: ReadonlySet<Cause> = new Set<Cause>([
  'policy-reject',
  'invalid-address',
  'recipient-refused',
  'message-refused',
  'unknown',
]);

function causeOf({ reply, command, status: said }: Finding, status: string): Cause {
  const own = ownWords.find(([words]) => words.test(reply))?.[1];
  const { cause: judged } = judge({ stage: 'rcpt', symptom: { reply, enhanced: status } });
  // A server that could not be reached has said nothing; what it did say goes first.
  const cause =
    own === undefined || (own === 'remote-unreachable' && replyCodeIn(reply).startsWith('5')) ? judged : own;
  const known = vague.has(cause) ? (byStatus(status, reply, command) ?? cause) : cause;
  return known === 'user-unknown' || known === 'bad-domain'
    ? unlessFiltered(known, reply, status || said, command)
    : known;
}

/** At RCPT and without a reason: most servers say so of an address they do not have. No cause to suppress it, though. */
const isBareRefusal = ({ reply, command }: Finding): boolean =>
  command === 'rcpt' &&
  /recipient address rejected(?:: access denied)?[.\s]*(?:\(in reply to .*)?$/i.test(reply);

/** RFC 3463 §3.2, where the words leave it open. */
function byStatus(status: string, reply: string, command: Finding['command']): Cause | undefined {
  // A provider's own list of addresses that once failed says nothing new.
  if (/suppression list/i.test(reply)) return undefined;
  if (/^[45]\.1\.(?:1|6|10)$/.test(status)) return 'user-unknown';
  if (/^[45]\.1\.2$/.test(status)) return 'bad-domain';
  // RFC 5321 §4.2.3 has these words for an address that is not there.
  if (command !== 'data' && /requested action not taken: mailbox unavailable/i.test(reply))
    return 'user-unknown';
  // Exchange Online with directory-based blocking: how it says that the address does not exist.
  return status === '5.4.1' && /recipient address rejected: access denied/i.test(reply)
    ? 'user-unknown'
    : undefined;
}

/**
 * After DATA, or beside a status that says that the mailbox exists (RFC 3463 §3.3), "user unknown" is what filters say.
 * And a bad domain may be the sender's.
 */
function unlessFiltered(cause: Cause, reply: string, status: string, command: Finding['command']): Cause {
  if (
    /\b(?:from:|from address|from header|sender|helo|ehlo)(?!\w).{0,20}(?:domain|address|name)/i.test(reply)
  )
    return 'sender-refused';
  if (cause === 'bad-domain') return /^501\b/.test(reply) && command !== 'rcpt' ? 'protocol-error' : cause;
  // KDDI's filter leaves the address out of its reply.
  if (command !== 'rcpt' && /(?:^| |> )\d{3}:? : user unknown/i.test(reply)) return 'message-refused';
  if (
    command === 'rcpt' ||
    /^[45]\.1\./.test(status) ||
    !/user unknown|unknown user|no such user/i.test(reply)
  )
    return cause;
  if (command === 'data') return 'message-refused';
  return status === '' ? cause : 'recipient-refused';
}
