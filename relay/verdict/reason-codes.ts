// Some large receivers say the cause only as a code of their own, in the reply or in the link behind it. Each becomes
// the plain words the rules know. From the receivers' own postmaster pages.

const united: Readonly<Record<string, string>> = {
  hi: 'header not rfc compliant',
  hc: 'header not rfc compliant',
  rdns: 'no reverse dns of your ip',
  r0201: 'ip is on a blocklist',
  bl: 'ip is on a blocklist',
  bip: 'ip is on a blocklist',
  ipbl: 'ip is on a blocklist',
  spf: 'spf failed',
  dkim: 'dkim failed',
  dmarc: 'dmarc failed',
  sp: 'message is spam',
  vi: 'message contains a virus',
  sl: 'message too big',
};

type Range = readonly [first: number, last: number, words: string];

// https://www.spectrum.net/support/internet/understanding-email-error-codes
const spectrum: readonly Range[] = [
  [1000, 1080, 'your ip is on a blocklist'],
  [1090, 1090, 'temporary system error'],
  [1100, 1150, 'no reverse dns of your ip'],
  [1160, 1190, 'blocked by content policy'],
  [1200, 1250, 'your ip is on a blocklist'],
  [1260, 1260, 'temporary system error'],
  [1300, 1340, 'too many connections from your ip'],
  [1350, 1490, 'sending rate limit exceeded for your ip'],
  [1530, 1530, 'message too big'],
  [1540, 1550, 'sending rate limit exceeded for your ip'],
  [1560, 1560, 'blocked by content policy'],
  [1580, 1580, 'sending rate limit exceeded for your ip'],
];

// GoDaddy and its secureserver.net: IB and three digits.
const godaddy: Readonly<Record<string, string>> = {
  '007': 'too many connections from your ip',
  '101': 'sending rate limit exceeded for your ip',
  '103': 'your ip has a bad reputation',
  '104': 'your ip is on a blocklist',
  '105': 'your ip is on a blocklist',
  '106': 'your ip is on a blocklist',
  '108': 'no reverse dns of your ip',
  '110': 'your ip is on a blocklist',
  '111': 'your ip is on a blocklist',
  '112': 'your ip is on a blocklist',
  '113': 'your ip is on a blocklist',
  '212': 'message is spam',
  '401': 'authentication required',
  '501': 'header not rfc compliant',
  '502': 'header not rfc compliant',
  '504': 'sending rate limit exceeded for your ip',
  '508': 'spf failed',
  '510': 'sending rate limit exceeded for your ip',
  '605': 'too many connections from your ip',
  '607': 'sending rate limit exceeded for your ip',
  '705': 'message contains a virus',
};

const cox: readonly (readonly [RegExp, string])[] = [
  [/\b(?:aup#)?(?:ipbl[01]{4,5}|cxbl|cdrbl)\b/, 'your ip is on a blocklist'],
  [/\b(?:aup#)?urlbl[01]{3,4}\b/, 'blocklisted url in message'],
  [/\baup#cxdns\b/, 'no reverse dns of your ip'],
  [/\baup#(?:cxcnct|cxmxrt)\b/, 'too many connections from your ip'],
  [/\baup#(?:cxthrt|cxmj)\b/, 'suspicious account activity'],
  [/\baup#cxsndr\b/, 'spf failed'],
];

/** The words behind the codes in a reply (lower case); empty when there are none that are known. */
export function reasonIn(raw: string): string {
  const found: (string | undefined)[] = [];
  const ofUnited =
    /(?:gmx|web|mail|1und1|1and1|ionos|kundenserver)\.\w{2,4}\S{0,80}\/(?:error-messages|case)\S{0,80}?[?&]c=(\w{1,8})/.exec(
      raw,
    );
  found.push(united[ofUnited?.[1] ?? '']);
  const ofSpectrum = Number(/\baup#(?:in|out|i|o)?-?(\d{4})\b/.exec(raw)?.[1]);
  found.push(spectrum.find(([first, last]) => first <= ofSpectrum && ofSpectrum <= last)?.[2]);
  found.push(godaddy[/(?:^|\s)ib(\d{3})(?=[\s:.-]|$)/.exec(raw)?.[1] ?? '']);
  found.push(...cox.filter(([code]) => code.test(raw)).map(([, words]) => words));
  return found.filter((words) => words !== undefined).join(' ');
}
