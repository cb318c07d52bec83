// When the words say nothing we know: first the enhanced code (RFC 3463), then the reply code at its stage
// (RFC 5321 §4.2), then how the connection ended. What is left is deferred: unknown means not now.
import type { Facts } from '../facts.ts';
import { beforeMail, body, connecting, noReply, type Rule, reported, transaction } from './rule.ts';

const broken = (facts: Facts): boolean =>
  noReply(facts) &&
  (facts.systemError !== undefined ||
    /^(ECONNECTION|ESOCKET|ETIMEDOUT|ETLS|EPROTOCOL)$/.test(String(facts.symptom.code ?? '')));

const asksToComeBack =
  /(try|retry|send|resend|come back)( it)?( again)? (later|in (a )?(few|\d+)|after|again|soon)|try again|temporar\w+ (deferred|blocked|rejected|unavailable|limit)/;

export const codeRules: readonly Rule[] = [
  // A final code that asks to come back: the provider's limits in disguise, since one mailbox cannot know.
  {
    cause: 'rate-disguised',
    verdict: 'pause',
    scope: 'credential',
    stage: 'rcpt',
    codes: [5],
    says: asksToComeBack,
    at: transaction,
    when: ({ words }) => !/could not be (saved|stored|queued|processed)/.test(words),
  },
  {
    // The same about one mail or one recipient: it waits alone.
    cause: 'temporary-refusal',
    verdict: 'retry',
    scope: 'message',
    stage: 'rcpt',
    codes: [5],
    says: asksToComeBack,
    at: transaction,
  },
  {
    cause: 'greylist',
    verdict: 'retry',
    scope: 'message',
    stage: 'rcpt',
    codes: [450, 451],
    enhanced: /^7\.1$/,
    at: transaction,
  },
  {
    // RFC 7504: this host, or the recipient's domain, takes no mail at all.
    cause: 'bad-domain',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    codes: [521, 556],
    onlyAt: ['rcpt'],
    when: ({ enhanced }) => !enhanced?.startsWith('5.7.'),
  },
  {
    // RFC 3463 §3.4: the receiving system itself. A 5yz of it is a mistake of that server; it may be well tomorrow.
    cause: 'temporary-refusal',
    verdict: 'retry',
    scope: 'message',
    stage: 'dot',
    enhanced: /^3\.[125]$/,
    at: transaction,
  },
  {
    cause: 'temporary-refusal',
    verdict: 'retry',
    scope: 'message',
    stage: 'dot',
    says: /\b(internal|system|server|local|config\w*|software|disk|database|queue file|directory|resources?|i o|unexpected|processing)\b( \w+)? (error|failure|fault|problem)|\bmisconfigured|cannot (create|write|open) |insufficient (system )?(storage|resources|disk)|system (is )?(full|storage)|(service|server|system|resources?|gateway|backend)\b.{0,20}\b(unavailable|not available|busy|overload\w*|down|out of service)|out of (memory|disk|resources)|interrupted system call|timeout waiting|(operation|command|lookup|dns) (timed out|time ?out|now in progress)|not (currently )?accepting (connections|email|messages)|encountered an error|could not (load|complete)|error (reading|writing|in processing|while processing)|because there is no mdb|temporary (local )?(problem|failure|error)|connection (dropped|reset|was dropped|timed out)/,
    at: transaction,
  },
  // enhanced codes
  {
    cause: 'auth-bad-credentials',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    codes: [5],
    enhanced: /^7\.(8|9|3|139|0)$/,
    onlyAt: ['auth'],
  },
  {
    cause: 'auth-conditional-access',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    enhanced: /^7\.139$/,
  },
  {
    cause: 'auth-bad-credentials',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    codes: [5],
    enhanced: /^7\.8$/,
  },
  {
    cause: 'user-unknown',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    enhanced: /^1\.(1|6|10)$/,
    at: transaction,
  },
  {
    cause: 'bad-domain',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    enhanced: /^(1\.2|4\.4)$/,
    at: transaction,
  },
  {
    cause: 'invalid-address',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    enhanced: /^1\.[34]$/,
    at: transaction,
  },
  {
    cause: 'mailbox-disabled',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    enhanced: /^2\.1$/,
    at: ['rcpt', 'accepted'],
  },
  {
    cause: 'mailbox-full',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    enhanced: /^2\.2$/,
    at: transaction,
  },
  {
    cause: 'too-big',
    verdict: 'fail',
    scope: 'message',
    stage: 'dot',
    enhanced: /^(2\.3|3\.4)$/,
    at: transaction,
  },
  {
    cause: 'daily-limit',
    verdict: 'pause',
    scope: 'credential',
    stage: 'dot',
    enhanced: /^4\.5$/,
    codes: [5],
    windowSeconds: 86_400,
  },
  {
    cause: 'mail-loop',
    verdict: 'fail',
    scope: 'message',
    stage: 'dot',
    enhanced: /^4\.6$/,
    at: transaction,
  },
  {
    cause: 'too-many-recipients',
    verdict: 'split',
    scope: 'message',
    stage: 'rcpt',
    enhanced: /^5\.3$/,
    at: transaction,
  },
  {
    cause: 'malformed-message',
    verdict: 'fail',
    scope: 'message',
    stage: 'dot',
    enhanced: /^6\.\d+$/,
    codes: [5],
    at: transaction,
  },
  {
    cause: 'ip-reputation',
    verdict: 'retry',
    scope: 'credential',
    stage: 'dot',
    codes: [4],
    enhanced: /^7\.(28|[5-6]\d\d)$/,
  },
  {
    cause: 'policy-reject',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    codes: [5],
    enhanced: /^(4\.1|7\.[12]|1\.0)$/,
    at: ['rcpt'],
  },

  // What a code says about signing in, when the words say nothing: 530 (RFC 4954 §6) is about us at any stage.
  { cause: 'auth-bad-credentials', verdict: 'stop', scope: 'credential', stage: 'auth', codes: [534, 535] },
  { cause: 'auth-missing', verdict: 'stop', scope: 'credential', stage: 'mail', codes: [530] },
  {
    cause: 'auth-mechanism',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    codes: [504, 536],
    onlyAt: ['auth'],
  },
  {
    cause: 'auth-not-advertised',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    codes: [500, 502, 503],
    onlyAt: ['auth'],
  },

  // Before a sign-in: the server speaks about itself or about us.
  {
    cause: 'server-421',
    verdict: 'retry',
    scope: 'route',
    stage: 'greeting',
    codes: [4],
    onlyAt: ['tcp', 'tls', 'greeting', 'ehlo', 'starttls'],
  },
  {
    cause: 'greeting-refused',
    verdict: 'stop',
    scope: 'credential',
    stage: 'greeting',
    codes: [5],
    onlyAt: ['tcp', 'tls', 'greeting', 'ehlo', 'starttls'],
  },
  {
    cause: 'wrong-service',
    verdict: 'stop',
    scope: 'route',
    stage: 'greeting',
    says: /invalid greeting|bad greeting|unexpected greeting/,
    when: (facts) => noReply(facts) && facts.systemError === undefined,
  },
  // Signing in: a 5yz is final for this credential (RFC 4954 §6), a 4yz is the server's trouble.
  {
    cause: 'auth-provider-fault',
    verdict: 'retry',
    scope: 'credential',
    stage: 'auth',
    codes: [4],
    onlyAt: ['auth'],
  },
  // Any stage: 421 closes the connection whatever was asked (RFC 5321 §3.8).
  { cause: 'server-421', verdict: 'retry', scope: 'message', stage: 'mail', codes: [421] },
  {
    cause: 'malformed-message',
    verdict: 'fail',
    scope: 'message',
    stage: 'mail',
    codes: [555],
    at: ['mail', ...body],
  },
  { cause: 'too-big', verdict: 'fail', scope: 'message', stage: 'mail', codes: [552], at: ['mail', ...body] },
  {
    cause: 'temporary-refusal',
    verdict: 'retry',
    scope: 'recipient',
    stage: 'rcpt',
    codes: [4],
    onlyAt: ['rcpt'],
  },
  {
    // A policy is no count of recipients (RFC 3463 §3.8).
    cause: 'message-refused',
    verdict: 'fail',
    scope: 'message',
    stage: 'rcpt',
    codes: [552],
    enhanced: /^7\./,
    onlyAt: ['rcpt'],
  },
  // RFC 5321 §4.5.3.1.10: at RCPT, 552 is an old way to say "too many recipients".
  {
    cause: 'too-many-recipients',
    verdict: 'split',
    scope: 'message',
    stage: 'rcpt',
    codes: [552],
    onlyAt: ['rcpt'],
  },
  // 500 to 504 are about commands (§4.2.2); only 501 at RCPT is about the address that was in it.
  {
    cause: 'invalid-address',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    codes: [501],
    onlyAt: ['rcpt'],
  },
  {
    cause: 'sender-refused',
    verdict: 'stop',
    scope: 'sender',
    stage: 'mail',
    codes: [501],
    onlyAt: ['mail'],
  },
  {
    cause: 'protocol-error',
    verdict: 'retry',
    scope: 'message',
    stage: 'mail',
    codes: [500, 501, 502, 503, 504],
    at: transaction,
  },
  {
    cause: 'sender-refused',
    verdict: 'stop',
    scope: 'sender',
    stage: 'mail',
    codes: [5],
    onlyAt: ['mail'],
  },
  // §3.3 and §4.2.1: a 5yz to RCPT is final for this recipient, and all that spoke of others has been read above.
  {
    cause: 'recipient-refused',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    codes: [5],
    onlyAt: ['rcpt'],
  },
  // §3.3: a 5yz to DATA or after the dot is final for the mail.
  {
    cause: 'message-refused',
    verdict: 'fail',
    scope: 'message',
    stage: 'dot',
    codes: [5],
    onlyAt: body,
  },
  // A reply with no stage: by what the code says in RFC 5321 §4.2.3.
  {
    cause: 'recipient-refused',
    verdict: 'fail',
    scope: 'recipient',
    stage: 'rcpt',
    codes: [550, 551, 553, 511, 512, 513],
    when: ({ stage }) => stage === undefined,
  },
  {
    cause: 'too-big',
    verdict: 'fail',
    scope: 'message',
    stage: 'dot',
    codes: [552],
    when: ({ stage }) => stage === undefined,
  },
  {
    cause: 'message-refused',
    verdict: 'fail',
    scope: 'message',
    stage: 'dot',
    codes: [554],
    when: ({ stage }) => stage === undefined,
  },
  { cause: 'temporary-refusal', verdict: 'retry', scope: 'message', stage: 'dot', codes: [4] },

  // No reply: how far had it come when it broke?
  {
    cause: 'greeting-closed',
    verdict: 'failover',
    scope: 'route',
    stage: 'greeting',
    when: (facts) => facts.stage === 'greeting' && noReply(facts) && broken(facts),
  },
  {
    cause: 'greeting-closed',
    verdict: 'failover',
    scope: 'route',
    stage: 'greeting',
    says: /^(error )?unexpected socket close$/,
    when: (facts) => facts.stage === undefined && noReply(facts),
  },
  {
    cause: 'tls-closed',
    verdict: 'failover',
    scope: 'route',
    stage: 'tls',
    when: (facts) =>
      (facts.stage === 'tls' || facts.stage === 'starttls') &&
      broken(facts) &&
      !/alert|certificate/.test(facts.words),
  },
  {
    cause: 'tls-failed',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    when: (facts) =>
      (facts.stage === 'tls' || facts.stage === 'starttls') &&
      noReply(facts) &&
      /alert|certificate|ssl|tls|handshake/.test(`${facts.words} ${facts.symptom.code ?? ''}`.toLowerCase()),
  },
  {
    cause: 'conn-reset',
    verdict: 'failover',
    scope: 'route',
    stage: 'ehlo',
    when: (facts) =>
      facts.stage !== undefined &&
      connecting.includes(facts.stage) &&
      facts.stage !== 'config' &&
      noReply(facts) &&
      broken(facts),
  },
  {
    cause: 'conn-reset',
    verdict: 'retry',
    scope: 'credential',
    stage: 'auth',
    when: (facts) => facts.stage === 'auth' && broken(facts),
  },
  {
    cause: 'conn-reset',
    verdict: 'retry',
    scope: 'message',
    stage: 'data',
    when: (facts) => broken(facts) && (facts.stage === undefined || transaction.includes(facts.stage)),
  },
  {
    cause: 'cloud-port-block',
    verdict: 'stop',
    scope: 'platform',
    stage: 'tcp',
    when: (facts) =>
      reported(facts) &&
      facts.stage === 'tcp' &&
      facts.platform !== undefined &&
      facts.platform.blockedPorts.length > 0,
  },
  {
    cause: 'unknown',
    verdict: 'failover',
    scope: 'route',
    stage: 'tcp',
    when: (facts) =>
      facts.stage !== undefined && ['tcp', 'tls', 'greeting', 'ehlo', 'starttls'].includes(facts.stage),
  },
  {
    cause: 'unknown',
    verdict: 'stop',
    scope: 'credential',
    stage: 'config',
    when: (facts) => facts.stage === 'config',
  },
  {
    cause: 'auth-refused',
    verdict: 'stop',
    scope: 'credential',
    stage: 'auth',
    when: (facts) => facts.stage === 'auth',
  },
  { cause: 'unknown', verdict: 'retry', scope: 'route', stage: 'mail', at: beforeMail },
];
