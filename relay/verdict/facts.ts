// Reads a failure report once, so that the rules speak about what happened and not about how a tool spells it.
import type { Stage } from '../client/vocabulary.ts';
import type { Failure, Settings, Symptom } from './failure.ts';
import { inEnglish } from './languages.ts';
import { type Platform, platformOf } from './platforms.ts';
import { type Provider, providerOf } from './providers.ts';
import { reasonIn } from './reason-codes.ts';
import { stageOf } from './stage.ts';
import { type SystemError, systemErrorIn, systemErrorOf } from './system-errors.ts';

export type Facts = {
  readonly stage: Stage | undefined;
  /** The SMTP reply code, wherever it was written. */
  readonly code: number | undefined;
  /** RFC 3463, for example `5.7.1`. */
  readonly enhanced: string | undefined;
  /** The reply ended as RFC 5321 §4.2.1 says: a last line without a hyphen, and no enhanced code cut short. */
  readonly replyIsComplete: boolean;
  readonly systemError: SystemError | undefined;
  /** All prose in lower case without codes, addresses, host names and punctuation: what rules are matched on. */
  readonly words: string;
  /** All prose as it came, in lower case: for the few rules about punctuation. */
  readonly raw: string;
  readonly command: string;
  readonly address: string | undefined;
  readonly host: string | undefined;
  readonly config: Settings | undefined;
  readonly provider: Provider | undefined;
  readonly platform: Platform | undefined;
  /** The provider as the report calls it, which need not be one we know. */
  readonly providerName: string;
  readonly symptom: Symptom;
};

// 465 and 587 are ports and 2xx/3xx are no failures, so prose is searched for these only.
const replyCodes =
  '4(?:2[1-2]|3[0-2]|4[1-9]|5[0-9]|7[0-9])|403|5(?:0[0-5]|1[0-7]|2[0-9]|3[0-9]|4[0-6]|5[0-9]|71)';
const codeAtStart = new RegExp(`^\\W*(${replyCodes})(?=$|[ \\-:,>])`);
const codeInProse = new RegExp(
  `(?:^|[\\s:="'(\\[{>])(${replyCodes})(?=[\\s\\-"',:;)\\]}]|$)(?!\\s*(?:-\\s*\\d|ms\\b|s\\b|sec|min|hour|day|messages|mails?\\b|e-?mails?\\b|recipients|[kmg]i?b\\b|bytes|per\\b|/))`,
);
// Behind these words a number is a reply, whatever follows it ("553 Mail from must …").
const codeByName = new RegExp(`\\bsmtp code: ?(${replyCodes})\\b`);
const codeInFrame = new RegExp(
  `(?:exception|error|failed|refused|rejected|said|response|reply|detail|mail \\d+): ?['"(]*(${replyCodes})(?=[ -])`,
);
const enhancedCode = /(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d]|\.\d)/;

// What mail libraries of PHP, Python, Java, Go and .NET put around a reply.
const frames =
  /\b(?:[a-z]\w{0,40}\.){1,6}\w{0,60}(?:exception|error)\w{0,20}: |\bsmtp(?:data|sender|recipients|response|sendfailed|addressfailed|server)\w{0,30}: ?\(?|\bsmtp (?:server )?error: ?|\bdata (?:not accepted|end command failed)\.? ?|\bdetail: |\bsmtp code: ?\d{3}|\bsize=\d+:|\badditional smtp info: ?|\bmessage failed: ?|\bgomail: ?|\b(?:could not|failed to|unable to) send e-?mail(?: \d+)?: ?|\bthe server response was: ?|\(\d{3}, ?(?=b?['"])|\bb(?=['"])/g;

/** Everything the rules may ask about one failure. Never throws, whatever the report contains. */
export function factsOf(failure: Failure): Facts {
  const symptom = readable(failure.symptom);
  const reply = text(symptom.reply);
  const prose = [reply, text(symptom.message), text(symptom.reason)].filter((part) => part !== '').join('\n');
  const raw = straighten(shorten(prose)).toLowerCase();
  const words = wordsOf(`${inEnglish(raw)} ${reasonIn(raw)}`);
  const code =
    replyCodeOf(symptom.responseCode) ?? replyCodeOf(symptom.code) ?? replyCodeIn(raw) ?? replyClassIn(raw);
  const command = text(symptom.command).toUpperCase();
  const enhanced =
    enhancedCode.exec(text(symptom.enhanced))?.[1] ?? enhancedIn(straighten(reply)) ?? enhancedIn(raw);
  const systemError = systemErrorOf(symptom.errno) ?? systemErrorOf(symptom.code) ?? systemErrorIn(words);
  const host = hostOf(failure.config);
  const known = {
    code,
    enhanced,
    replyIsComplete: isComplete(code, straighten(reply), isExcerpt(failure)),
    systemError,
    words,
    raw,
    command,
    address:
      text(symptom.address) ||
      /(?<![\w.:])(127\.\d+\.\d+\.\d+|::1|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+)(?=[:\s\])]|$)/.exec(
        raw,
      )?.[1] ||
      undefined,
    host,
    config: failure.config,
    provider: providerOf(
      failure.provider,
      host ?? text(symptom.hostname),
      failure.config === undefined ? '' : words,
    ),
    platform: platformOf(failure.platform, failure.config === undefined ? '' : words),
    providerName: failure.provider?.toLowerCase() ?? '',
    symptom,
  };
  const stage = failure.stage ?? stageOf(known);
  // The frame tells the stage and nothing else: inside of it the same reply has the same words.
  return code === undefined
    ? { ...known, stage }
    : { ...known, stage, words: wordsOf(`${inEnglish(raw.replaceAll(frames, ' '))} ${reasonIn(raw)}`) };
}

/** A plain setting by any of its usual names, nested `auth` included; groups of settings are not looked at. */
export function setting(config: Settings | undefined, ...names: readonly string[]): unknown {
  if (config === undefined) return undefined;
  for (const source of [config, config.auth]) {
    if (typeof source !== 'object' || source === null) continue;
    for (const [name, value] of Object.entries(source)) {
      const plain = name
        .toLowerCase()
        .replace(/^(smtp2?|mail|email)_/, '')
        .replaceAll('_', '');
      if (names.includes(plain) && (typeof value !== 'object' || value === null)) return value;
    }
  }
  return undefined;
}

/** What a person reports as the port: one, several that were tried ("25/465/587"), or a move ("465 -> 587"). */
export type Ports = { readonly numbers: readonly number[]; readonly areMoved: boolean };

const severalPorts = /^\d{1,5}(?:\s*(?:(?:,\s*)?(?:and|or|then|to)|[/,&|+]|[-=]>|→)\s*\d{1,5})*$/;

/** Undefined when it is neither a port nor several of them. */
export function portsIn(value: unknown): Ports | undefined {
  const said = String(value).trim().toLowerCase();
  if (!severalPorts.test(said)) return undefined;
  const numbers = (said.match(/\d+/g) ?? []).map(Number);
  return numbers.every((number) => number >= 1 && number <= 65535)
    ? { numbers, areMoved: /then|to|>|→/.test(said) }
    : undefined;
}

/** SMTP_HOST by any of its names, else the name of a library's service preset; lower case. */
export function hostOf(config: Settings | undefined): string | undefined {
  const host = text(setting(config, 'host', 'server', 'hostname')).trim();
  if (host !== '') return host.toLowerCase();
  const service = text(setting(config, 'service', 'mailer')).trim();
  return service === '' ? undefined : service.toLowerCase();
}

const numeric: ReadonlySet<string> = new Set(['code', 'errno', 'port', 'responseCode']);

// Reports come from other programs, which may put anything anywhere.
function readable(symptom: Symptom): Symptom {
  return Object.fromEntries(
    Object.entries(symptom).map(([name, value]) => [
      name,
      typeof value === 'number' && numeric.has(name) ? value : text(value) || undefined,
    ]),
  );
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '';
}

function replyCodeOf(value: unknown): number | undefined {
  const code = typeof value === 'string' && /^\s*\d{3}\s*$/.test(value) ? Number(value) : value;
  return typeof code === 'number' && Number.isInteger(code) && code >= 200 && code <= 599 ? code : undefined;
}

function replyCodeIn(raw: string): number | undefined {
  const found =
    codeAtStart.exec(raw)?.[1] ??
    codeByName.exec(raw)?.[1] ??
    codeInFrame.exec(raw)?.[1] ??
    codeInProse.exec(raw)?.[1];
  return found === undefined ? undefined : Number(found);
}

// Some libraries drop the reply code and keep the enhanced one; its class is the code's (RFC 3463 §2).
function replyClassIn(raw: string): number | undefined {
  const first = /(?:^|(?:was|said|response|reply|error|detail): *)([45])\.\d{1,3}\.\d{1,3} /.exec(raw)?.[1];
  return first === undefined ? undefined : Number(first) * 100 + 50;
}

function enhancedIn(prose: string): string | undefined {
  return enhancedCode.exec(prose)?.[1];
}

// A reply may be 64 KB long; what it means stands at its beginning or its end.
function shorten(prose: string): string {
  return prose.length <= 8_192 ? prose : `${prose.slice(0, 6_144)}\n${prose.slice(-2_048)}`;
}

// Logs quote replies with the line ends spelled out.
function straighten(prose: string): string {
  return prose
    .replaceAll(/\\r\\n|\\n|\\r/g, '\n')
    .replaceAll(/[‘’´`]/g, "'")
    .replaceAll(/[“”]/g, '"');
}

// Whoever reports a refusal often quotes the first line of several, and then nothing else says that it was torn.
function isExcerpt({ config, symptom }: Failure): boolean {
  const { code, errno, syscall, message, reason } = symptom;
  return config !== undefined && [code, errno, syscall, message, reason].every((said) => text(said) === '');
}

function isComplete(code: number | undefined, reply: string, isExcerpt: boolean): boolean {
  if (code === undefined || code < 400) return false;
  const last = reply.trimEnd().split('\n').at(-1) ?? '';
  // Whoever keeps replies may shorten them, and marks it so; a torn line is not marked.
  if (last === '' || last.endsWith('…')) return true;
  if (isExcerpt && /^\d{3}-(\S+ ){4}/.test(last)) return true;
  return !/^\d{1,2}$|^\d{3}-|^\d{3} [245](\.(\d{1,3}\.?)?)?$/.test(last);
}

const blocklistHosts =
  /\b[\w.-]{0,80}(?:spamhaus|spamcop|barracuda(?:central)?|sorbs|uceprotect|abuseat|mailspike|psbl|invaluement|senderscore|spamrats|dnsbl|rbl)(?:\.[\w.-]+)?/g;
const hostNames =
  /(?<![\w@.-])(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.){1,12}(?:com|net|org|info|biz|edu|gov|dev|app|email|mail|cloud|host|hosting|online|shop|site|example|test|invalid|local|localhost|localdomain|internal|lan|[a-z]{2})\.?(?![\w(-])/g;

/** Lower-case prose as plain words: host names, addresses, links, ids and codes become what they are. */
function wordsOf(raw: string): string {
  return (
    raw
      .replaceAll(/https?:\/\/\S*?[?&]p=(\w+)\S*/g, ' $1 ')
      .replaceAll(/\b(?:https?|smtps?):\/\/\S+|\baka\.ms\/\S+/g, ' weblink ')
      .replaceAll(/the smtp server requires a secure connection or the client was not authenticated\./g, ' ')
      // nodemailer's own words in front of what the server said, which may have had nothing against the name.
      .replaceAll(/\binvalid (?:helo|ehlo|lhlo)\. response=/g, ' in reply to ehlo ')
      .replaceAll(/^\s*\d{3}[- ]/gm, ' ')
      .replaceAll(/\b[245]\d\d-(?=[245]\.\d{1,3}\.\d{1,3})/g, ' ')
      .replaceAll(/(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d]|\.\d)/g, ' ')
      .replaceAll(/<[^<>\s@]{0,128}@[^<>\s]{0,256}>|\b[\w.+=-]{1,64}@[\w.-]{1,255}\w/g, ' address ')
      .replaceAll(blocklistHosts, ' blocklist ')
      .replaceAll(hostNames, ' host ')
      .replaceAll(/\[?\b\d{1,3}(?:\.\d{1,3}){3}\b\]?/g, ' ipnumber ')
      .replaceAll(
        /\[?(?<![\w:])(?:(?:[0-9a-f]{1,4}:){3,7}[0-9a-f:.]{1,40}|(?:[0-9a-f]{1,4}:){0,6}:[0-9a-f][0-9a-f:.]{0,40})\]?/g,
        ' ipnumber ',
      )
      .replaceAll(/(\d) ?\/ ?(?:h|hr|hour)s?\b/g, '$1 per hour')
      .replaceAll(/(\d) ?\/ ?(?:d|day)s?\b/g, '$1 per day')
      .replaceAll(/\bcan'?t\b|\bcan not\b/g, 'cannot')
      .replaceAll(/\bwon'?t\b/g, 'will not')
      .replaceAll(/n't\b/g, ' not')
      .replaceAll(/(\w)'s\b/g, '$1')
      .replaceAll(/[^a-z0-9$#=:/+]+/g, ' ')
      .replaceAll(/(?<=[a-z])[:/=+]|[:/=+](?=[a-z ])/g, ' ')
      .replaceAll(/\b(e mail|mails?|emails)\b/g, 'email')
      .replaceAll(/\be email\b/g, 'email')
      .replaceAll(/\b(\w+)is(e[ds]?|ing|ation)\b/g, (whole, stem: string, end: string) =>
        /^(author|recogn|unauthor|unrecogn|initial|normal|organ|util)$/.test(stem)
          ? `${stem}iz${end}`
          : whole,
      )
      .replaceAll(/\b(log|sign) (in|on)\b/g, 'login')
      .replaceAll(/\b(logged|signed) (in|on)\b/g, 'logged in')
      .replaceAll(/\b(black|block|deny|grey|gray) list(ed|ing|s)?\b/g, '$1list$2')
      .replaceAll(/\s+/g, ' ')
      .trim()
  );
}
