// Where in the conversation a failure happened, when the one who reports it does not say.
import type { Stage } from '../client/vocabulary.ts';
import type { Symptom } from './failure.ts';
import type { SystemError } from './system-errors.ts';

/** What tells where a failure happened (facts.ts). */
type StageEvidence = {
  readonly words: string;
  readonly command: string;
  readonly code: number | undefined;
  readonly systemError: SystemError | undefined;
  readonly symptom: Symptom;
};

const afterTheDot =
  /after (the )?(final |end of data )?dot|end of data message may|(waiting for|reading) (the )?(final|last) (reply|response)|while sending end of data|in reply to end of data|after (end of data|sending (the )?(message )?(body|data))|message may be sent more than once|after data (was|has been) sent/;

// The first that fits; late stages stand first, because their tools also name the connection.
const phrases: readonly (readonly [RegExp, Stage])[] = [
  [/invalid greeting/, 'greeting'],
  [
    /in reply to data|data command (failed|rejected)|smtpdataerror|message failed|sending (the )?message (body|contents?)|data not accepted/,
    'data',
  ],
  [
    /in reply to rcpt|sending rcpt|rcpt( to)? (command )?(failed|error)|all recipients|recipients? (command )?failed|smtprecipientsrefused|smtpaddressfailed|invalid addresses|after (pipelined )?rcpt|following recipients failed|recipient address rejected/,
    'rcpt',
  ],
  [
    /in reply to email from|sending email from|email command failed|email from (command )?(failed|error)|smtpsenderrefused|after (pipelined )?email from|smtpsenderfailed|sent email from|from address failed/,
    'mail',
  ],
  [
    /invalid login|smtpauthentication|authenticationfailed|could not authenticate|failed to authenticate|sasl|auth(entication)? (failed|failure|unsuccessful|error|credentials)|missing credentials|login denied|invalid grant|access token|username and password|auth command|authenticate/,
    'auth',
  ],
  [
    /certificate|\btls\b|\bssl\b|altnames|handshake|x509|pkix|secure (tls )?connection|wrong version number/,
    'tls',
  ],
  [/getaddrinfo|lookup|resolv|dns|unknownhost|no such host|name or service/, 'dns'],
  [/greeting|banner|expected (response )?code 220/, 'greeting'],
  [/ehlo|\bhelo\b/, 'ehlo'],
  [/connect |connect:|connection timeout|dial tcp|port \d|connection refused|refused/, 'tcp'],
];

// nodemailer says `CONN` for every socket error at any stage, so that command tells nothing.
const commands: readonly (readonly [RegExp, Stage])[] = [
  [/^STARTTLS/, 'starttls'],
  [/^(EHLO|HELO|LHLO)/, 'ehlo'],
  [/^AUTH/, 'auth'],
  [/^MAIL/, 'mail'],
  [/^RCPT/, 'rcpt'],
  [/^DATA/, 'data'],
];

/** What EHLO offers, told beside a reply that does not speak of it: the greeting was over. */
const tellsWhatEhloOffers = ({ reply = '', message = '' }: Symptom): boolean =>
  reply !== '' && !/\b(ehlo|helo)\b/i.test(reply) && /\b(250|auth|offer\w*|advertis\w+)\b/i.test(message);

/** The stage the evidence points to; undefined when it could be any. */
export function stageOf({ words, command, code, systemError, symptom }: StageEvidence): Stage | undefined {
  if (afterTheDot.test(words)) return 'dot';
  const byCommand = commands.find(([pattern]) => pattern.test(command))?.[1];
  if (byCommand !== undefined) return byCommand;
  if (code === undefined) {
    if (/^(getaddrinfo|query\w*)$/i.test(symptom.syscall ?? '')) return 'dns';
    if (/starttls/.test(words)) return 'starttls';
    if (systemError === 'ENOTFOUND' || systemError === 'EAI_AGAIN') return 'dns';
    if (symptom.syscall === 'connect') return 'tcp';
    if (/version|certificate|protocol|cipher/i.test(symptom.reason ?? '')) return 'tls';
    if (symptom.code === 'EDNS') return 'dns';
    if (symptom.code === 'EAUTH' || symptom.code === 'ENOAUTH' || symptom.code === 'EOAUTH2') return 'auth';
  } else {
    if (symptom.code === 'EAUTH' || code === 534 || code === 535) return 'auth';
    if (symptom.code === 'EMESSAGE') return 'data';
    if (symptom.code === 'EPROTOCOL') return 'greeting';
    if (/error upgrading connection/.test(words)) return 'starttls';
  }
  if (symptom.code === 'ETLS') return 'starttls';
  const spoken = phrases.find(([phrase, stage]) => {
    // A reply that says "connection" or "lookup" speaks about the server's own affairs.
    const onlyWithoutReply =
      stage === 'tcp' ||
      stage === 'dns' ||
      stage === 'tls' ||
      (stage === 'auth' && /\b(spf|dkim|dmarc|sender|from)\b/.test(words));
    if (stage === 'ehlo' && tellsWhatEhloOffers(symptom)) return false;
    return phrase.test(words) && !(onlyWithoutReply && code !== undefined);
  })?.[1];
  if (spoken !== undefined) return spoken;
  if (
    code === undefined &&
    (systemError === 'ECONNREFUSED' || systemError === 'ENETUNREACH' || systemError === 'EHOSTUNREACH')
  )
    return 'tcp';
  return undefined;
}
