// What a server says about the mail itself. A 4yz of these is no verdict on the mail yet: `judge` defers it.
import { body, type Rule, transaction } from './rule.ts';

const fail = { verdict: 'fail', scope: 'message', stage: 'dot' } as const;
const aboutSize = /(too (big|large|long)|size|larger|exceed|limit|maximum)/;

export const contentRules: readonly Rule[] = [
  {
    ...fail,
    cause: 'mail-loop',
    says: /too many (hops|received)|hop count|(email|routing|forwarding) loop|loop(s)? (detected|back)|loop detection/,
    at: transaction,
  },
  {
    ...fail,
    cause: 'virus',
    says: /virus|malware|trojan|\bworm\b|eicar|infected|ransomware|clamav|heuristics /,
    at: transaction,
  },
  {
    ...fail,
    cause: 'blocked-attachment',
    says: /potential(ly)? (security|dangerous|harmful|malicious)|(attachment|file ?type|file ?name|extension|executable|archive|\bzip\b|macro)s?\b.{0,60}(block|not allowed|not permitted|reject|prohibit|forbidden|denied|unacceptable|banned|disallowed|suspicious|policy)|(block|banned|prohibited|forbidden|disallowed|illegal|dangerous|unacceptable)\w*.{0,30}(attachment|file ?type|file ?name|extension|executable)/,
    at: transaction,
    when: ({ words }) => !(/attachment/.test(words) && /size|too (big|large)/.test(words)),
  },
  {
    ...fail,
    cause: 'eight-bit',
    stage: 'data',
    says: /(does not|not) (offer|support|accept|allow|advertise)\w* 8 ?bit|8 ?bit ?(mime|data|body|content|characters?|chars?|text)?\b.{0,40}(not (supported|allowed|accepted|permitted|offered)|unsupported|refused|rejected|forbidden|illegal)|conversion required|body type not supported/,
    at: ['mail', ...body],
  },
  {
    ...fail,
    cause: 'eight-bit',
    stage: 'data',
    enhanced: /^6\.[123]$/,
    codes: [5],
    at: ['mail', ...body],
    when: ({ words }) =>
      !/header|format|malform|complian|spam|virus/.test(words) && /bit|conver|media|binary/.test(words),
  },
  {
    ...fail,
    cause: 'malformed-message',
    says: /(line|header)s? (is |are |length |size )?(too long|exceed)|max\w* (allowed )?line length|line length (limit|is \d)|bare (lf|cr|newline|line ?feed)|lone (lf|cr)|(header|subject|date|from|message id)s?\b.{0,40}(missing|mandatory|required|absent|duplicate|malformed|invalid syntax|not (present|found))|(missing|duplicate|multiple|malformed|no|without|invalid|non compliant)\b.{0,30}(header|from field|subject|message id|mime)|not (rfc|compliant)|rfc ?\d{3,4} (complian|violat)|(duplicate|multiple|more than one|repeated) (\w+ ){0,2}headers?|headers? (is |are |not )(not )?(rfc|complian|unique|valid)|mime (error|structure|parse)|improper(ly)? (formed|formatted)|illegal (8bit|header)|non ascii .{0,20}header|body (contains|too)|syntax of (the )?(header|message)/,
    at: ['mail', ...body],
    when: ({ words }) =>
      /\b(duplicate|multiple|repeated) (\w+ ){0,2}header/.test(words) ||
      !/\bptr\b|\bips?\b|spf|dkim|dmarc|verified|too (big|large)\b.*message|not (match|authoriz)|recipient/.test(
        words,
      ),
  },
  {
    ...fail,
    cause: 'too-big',
    says: /(message|email|attachment|content|data|body|file)s?\b.{0,50}(too (big|large)|size|larger than|exceed\w* .{0,20}(bytes|\d ?[km]b))|(size|bytes|\d+ ?[km]b)\b.{0,40}(limit|exceed|maximum|too|policy)|too much (email )?data|maximum (message|email) size|exceeds? (the )?(max(imum)?|fixed) (message )?size/,
    at: transaction,
    when: ({ words }) =>
      aboutSize.test(words) &&
      !/mailbox|inbox|quota|storage|per (hour|day)|daily|hourly|recipients?\b.{0,20}(limit|exceed)/.test(
        words,
      ),
  },
];

/** Spam stands after all that is said about account and address, which spam filters block too. */
export const spamRules: readonly Rule[] = [
  {
    ...fail,
    cause: 'spam-reject',
    says: /spam|unsolicited|\bjunk\b|\bubes?\b|\bbulk email\b|phish|content\b.{0,40}(reject|filter|polic|restrict|block|refus|denied|not accept|violat|unacceptable|prohibited)|(reject|block|refus|denied|due to|because of)\w*.{0,30}(content|security polic|filter)|(black|block)list(ed)? (url|link|domain)|(url|link)s?\b.{0,40}((black|block)list|listed|malicious)|blocklist.{0,30}url|uribl|surbl|looks like|high (score|probability)|suspicious (content|link|message)|message (was |is )?(classified|considered|scored)|scored? .{0,10}(too high|above)|rule imposed|policy (violation|reasons|reject)|violat\w+ .{0,20}polic|against .{0,20}polic/,
    at: ['rcpt', ...body],
    when: ({ stage, words }) => stage !== 'rcpt' || /\b(message|content|email|spam)\b/.test(words),
  },
];
