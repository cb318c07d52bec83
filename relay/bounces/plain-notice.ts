// Reports in words only: qmail, older Exim, Exchange and Gmail, and many filters. Whom they are about is told by where an
// address stands; why, by what stands between this address and the next.
import { commandOf } from './command.ts';
import { type Finding, recipientLimit, replyLimit } from './report.ts';

const address = String.raw`[^\s<>()\[\]:;,"'|\\@：；，。]{1,128}@[^\s<>()\[\]:;,"'|\\/@：；，。]{1,255}[^\s<>()\[\]:;,"'|\\/.@：；，。]`;

// The first that finds anybody is believed: the earlier ones are the surer ones.
const places: readonly RegExp[] = [
  // RFC 3464's own field in a text, where the part itself was lost.
  new RegExp(
    String.raw`^[ \t]*(?:original|final)-recipient[ \t]*:[ \t]*(?:[\w-]+[ \t]*;)?[ \t]*<?(${address})`,
    'gim',
  ),
  // <a@b>: why    a@b    * a@b    "a@b":    >>> a@b <a@b>    a@b on Mon, …
  new RegExp(
    String.raw`^[ \t]*(?:[*•>-]+[ \t]*)?(?:failed recipient[ \t]*:[ \t]*)?["'<(\[]{0,2}(?:mailto:)?(${address})["'>)\]]{0,2}(?=[ \t]*(?:$|[:,;(=<\[]|-|\bon\b|\.\.\.|[A-Z]|was\b|is\b|failed\b|did\b))`,
    'gm',
  ),
  new RegExp(
    String.raw`^[ \t>*]*(?:(?:failed |intended |invalid |delivery |unknown |final )?(?:recipients?|addressee|destination|收件人|宛先|получатель)(?:[ -](?:e-?mail )?address(?:es)?)?|addressed to|e-?mail address|failed address|delivery to|message to|to)[ \t]*[:：=][ \t]*["'<]?(${address})`,
    'gim',
  ),
  // What was said in the conversation.
  new RegExp(
    String.raw`^[ \t]*(?:[45]\d\d[ \t-]+(?:[45]\.\d{1,3}\.\d{1,3}[ \t]+)?<|(?:>>> ?)?rcpt to:[ \t]*<?)(${address})>?`,
    'gim',
  ),
  // … could not be delivered to a@b. An address that stands anywhere else is nobody's.
  new RegExp(
    String.raw`(?:deliver\w*|sent|send|reach|userid|allowed size|following (?:recipients?|address(?:es)?)|invalid (?:recipients?|address|user)|unknown (?:recipients?|address|user))\b[^.@\n]{0,80}?(?:\n[^.@\n]{0,80}?)?["'<(\[]{0,2}(${address})`,
    'gi',
  ),
];

/** Where in the words an address stands; undefined when it does not. */
type Place = { readonly address: string; readonly at: number | undefined };

export type Notice = {
  readonly words: string;
  /** Whom the report's header names as failed. */
  readonly known: readonly string[];
  /** The report's own author and reader. They count only when nobody else is named: mail to oneself fails, too. */
  readonly strangers: readonly string[];
  /** The one to whom the returned mail was: he is meant where a server's reply names nobody. */
  readonly returnedTo: readonly string[];
  readonly action: 'failed' | 'delayed';
};

/** Findings in the order of the text. */
export function readPlainNotice({ words, known, strangers, returnedTo, action }: Notice): Finding[] {
  const listed = known.length > 0 ? known : [];
  const written = listed.length > 0 ? [] : firstPlaces(words, strangers);
  const replied =
    returnedTo.length === 1 && replyIn(words) !== undefined ? placesOf([returnedTo], words) : [];
  const fallback = written.length > 0 ? [] : firstPlaces(words, [], 4);
  const found =
    [
      placesOf(
        listed.map((each) => [each]),
        words,
      ),
      written,
      fallback,
      replied,
    ].find((list) => list.length > 0) ?? [];
  return found.slice(0, recipientLimit).map(({ address }, index) => {
    const why = whyOf(ownLine(words, found[index]?.at) ?? segmentOf(words, found, index));
    return { address, finalAddress: address, action, ...why, command: commandOf(words, why.reply) };
  });
}

function firstPlaces(words: string, strangers: readonly string[], count = places.length): Place[] {
  for (const pattern of places.slice(0, count)) {
    const seen = new Map<string, Place>();
    for (const match of words.matchAll(pattern)) {
      const written = match[1] as string;
      const key = written.toLowerCase();
      if (strangers.includes(key) || seen.has(key)) continue;
      seen.set(key, { address: written, at: match.index });
      if (seen.size > recipientLimit) break;
    }
    if (seen.size > 0) return [...seen.values()];
  }
  return [];
}

/** Each by any of its names. */
export function placesOf(known: readonly (readonly string[])[], words: string): Place[] {
  const lower = words.toLowerCase();
  return known.map((names) => ({
    address: names[0] ?? '',
    at: names.map((each) => lower.indexOf(each.toLowerCase())).find((at) => at >= 0),
  }));
}

/** `554 <a@b>... Host unknown`: the line itself says why. */
const ownLine = (words: string, at = words.length): string | undefined =>
  /^[ \t]*[45]\d\d[^\n]*?\.\.\.[^\n]+/.exec(words.slice(at))?.[0];

/** From this address to the next one; all words when there is only one. */
export function segmentOf(words: string, found: readonly Place[], index: number): string {
  if (found.length === 1) return words;
  const start = found[index]?.at ?? 0;
  const end = found
    .flatMap(({ at }) => (at !== undefined && at > start ? at : []))
    .sort((one, other) => one - other)[0];
  return words.slice(start, end);
}

/** The status and the words of what a server said, from the words of a report about one recipient. */
export function whyOf(segment: string): { readonly status: string; readonly reply: string } {
  const text = segment.replaceAll(/[ \t]*\n[ \t]*/g, '\n');
  const reply = replyIn(text) ?? text.replaceAll('\n', ' ').trim();
  const status = /(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.]\d)/.exec(reply)?.[0] ?? '';
  return { status, reply: reply.slice(0, replyLimit) };
}

const replyStart =
  /(?:^|[\s:'"<([])((?:[45]\d\d):?(?:[ -]+#?[45]\.\d{1,3}\.\d{1,3})?[ -]+\S|(?:[45]\d\d)[ ]?(?:[45]\.\d{1,3}\.\d{1,3}))/;

/** The reply of the other server in the words, to the end of its paragraph. */
function replyIn(text: string): string | undefined {
  const start = replyStart.exec(text);
  if (start === null) return undefined;
  const from = start.index + (start[0].length - (start[1] as string).length);
  const paragraph = text.slice(from).split(/\n\s*\n/)[0] ?? '';
  return paragraph.replaceAll('\n', ' ').trim();
}
