// Why a client was turned down, in one word of a closed set: for metrics and for the list of refusals. Pure.

/** What the client was doing. */
export const refusalStages = ['connect', 'starttls', 'auth', 'mail', 'rcpt', 'data', 'other'] as const;
export type RefusalStage = (typeof refusalStages)[number];

export type RefusalReason =
  | 'wrong-login'
  | 'login-throttled'
  | 'login-required'
  | 'sender-not-allowed'
  | 'key-limit'
  | 'key-ended'
  | 'not-permitted'
  | 'bad-address'
  | 'bad-parameter'
  | 'needs-smtputf8'
  | 'too-large'
  | 'too-many-recipients'
  | 'too-many-sessions'
  | 'malformed-message'
  | 'mail-loop'
  | 'no-certificate'
  | 'tls-in-vain'
  | 'out-of-order'
  | 'not-understood'
  | 'not-now'
  | 'other';

/** The stage that a command belongs to. */
export function stageOf(command: string): RefusalStage {
  const word = command.trim().split(/\s/, 1)[0]?.toLowerCase() ?? '';
  return refusalStages.find((stage) => stage === word) ?? 'other';
}

/** @param text the reply without its code; it may begin with an enhanced status code (RFC 3463) */
export function reasonOf(stage: RefusalStage, code: number, text: string): RefusalReason {
  const enhanced = /^[245]\.(\d{1,3}\.\d{1,3}) /.exec(text)?.[1] ?? '';
  if (code === 451 && enhanced === '7.1') return 'key-limit';
  // The database is away, and nobody has failed.
  if (stage === 'auth' && code === 454 && enhanced === '3.0') return 'not-now';
  const named = byEnhanced.find(([prefix]) =>
    prefix.endsWith('.') ? enhanced.startsWith(prefix) : enhanced === prefix,
  );
  if (named) return named[1];
  // smtp-server's own words; its other 501 are about parameters.
  if (code === 501 && text.includes('address syntax')) return 'bad-address';
  return byStage[stage]?.[code] ?? byCode[code] ?? 'other';
}

const byStage: Readonly<Partial<Record<RefusalStage, Readonly<Record<number, RefusalReason>>>>> = {
  connect: { 421: 'too-many-sessions' },
  starttls: { 454: 'no-certificate' },
  auth: { 454: 'login-throttled', 501: 'not-understood', 504: 'not-understood', 535: 'wrong-login' },
  mail: { 501: 'bad-parameter' },
  rcpt: { 452: 'too-many-recipients', 501: 'bad-parameter' },
};

const byEnhanced: readonly (readonly [string, RefusalReason])[] = [
  ['1.', 'bad-address'],
  ['3.4', 'too-large'],
  ['4.6', 'mail-loop'],
  ['5.3', 'too-many-recipients'],
  ['5.4', 'bad-parameter'],
  ['6.7', 'needs-smtputf8'],
  // RFC 5248: the account was disabled.
  ['7.13', 'key-ended'],
  ['6.', 'malformed-message'],
];

const byCode: Readonly<Record<number, RefusalReason>> = {
  421: 'not-now',
  450: 'not-now',
  451: 'not-now',
  452: 'not-now',
  454: 'not-now',
  500: 'not-understood',
  501: 'not-understood',
  502: 'not-understood',
  503: 'out-of-order',
  504: 'not-understood',
  530: 'login-required',
  538: 'login-required',
  550: 'sender-not-allowed',
  552: 'too-large',
  553: 'bad-address',
  554: 'not-permitted',
  555: 'bad-parameter',
};
