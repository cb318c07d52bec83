// Reads a mail of the sending mailbox: is it a report about another mail, about whom, and what does it say? Bytes in,
// findings out. Structure comes first, because nearly every true report also calls itself an automatic answer
// (`Auto-Submitted: auto-replied`, RFC 3834 §5).
import { queueIdIn } from '../client/queue-id.ts';
import { commandOf } from './command.ts';
import { readComplaint, readJunkMailReport } from './complaint.ts';
import { addressIn, readDeliveryStatus } from './delivery-status.ts';
import { type Fields, fieldOf } from './fields.ts';
import { judgeFinding } from './judge-finding.ts';
import { authorOf, isDelay } from './machine.ts';
import { splitNotice } from './notice.ts';
import { type Parts, readParts } from './parts.ts';
import { placesOf, readPlainNotice, segmentOf, whyOf } from './plain-notice.ts';
import { type Finding, type Reading, type Returned, replyLimit } from './report.ts';
import { headerOf, returnedOf } from './returned.ts';
import { readSesEvent } from './ses-event.ts';

type Read = { readonly findings: readonly Finding[]; readonly returned: Returned };

/** Never throws, whatever the bytes are. */
export async function readReport(bytes: Uint8Array): Promise<Reading> {
  try {
    const parts = await readParts(bytes);
    const read = fromStructure(parts) ?? (await fromNested(parts)) ?? fromWords(parts);
    if (read === undefined) return { outcome: 'none' };
    const returned = { ...read.returned, addressedIds: addressedIds(parts.header) };
    return { outcome: 'report', recipients: read.findings.map(judgeFinding), returned };
  } catch (error) {
    return { outcome: 'unreadable', why: error instanceof Error ? error.message : String(error) };
  }
}

const receivedFor = ['delivered-to', 'x-original-to', 'envelope-to', 'x-delivered-to', 'to'];

function addressedIds(header: Fields): string[] {
  const ids = receivedFor.flatMap((name) => header.get(name) ?? []).map(queueIdIn);
  return [...new Set(ids.filter((id) => id !== undefined))].slice(0, 5);
}

/** What it takes to read a mail: its words, and the header of the mail it returns. */
function opened(parts: Parts): { readonly words: string; readonly returnedHeader: Fields } {
  const { words, returned } = splitNotice(parts.text);
  const part = parts.attached.find(({ type }) =>
    /^(?:message\/(?:rfc822|global)$|message\/global-headers|text\/rfc822)/.test(type),
  );
  return { words, returnedHeader: headerOf(part?.content ?? returned) };
}

/** Undefined when it is no report with a part for machines. */
function fromStructure(parts: Parts): Read | undefined {
  const { words, returnedHeader } = opened(parts);
  const read =
    fromFeedback(parts, returnedHeader) ?? fromStatus(parts, words, returnedHeader) ?? fromSes(parts);
  return read !== undefined && read.findings.length > 0 ? read : undefined;
}

function fromWords(parts: Parts): Read | undefined {
  const { words, returnedHeader } = opened(parts);
  const findings = findingsInWords(parts, words, addressesOf(returnedHeader));
  return findings.length === 0 ? undefined : { findings, returned: returnedOf(returnedHeader, parts.text) };
}

/** A server of ours may pass a report on inside of its own mail; a person who forwards one is no server. */
async function fromNested(parts: Parts): Promise<Read | undefined> {
  const inner = parts.attached.find(({ type }) => type === 'message/rfc822');
  if (inner === undefined || !authorOf(parts.header, parts.subject, parts.text).isServer) return undefined;
  return fromStructure(await readParts(Buffer.from(inner.content)));
}

function fromFeedback({ header, attached }: Parts, returned: Fields): Read | undefined {
  const part = attached.find(({ type }) => type === 'message/feedback-report');
  if (part !== undefined) {
    return {
      findings: readComplaint(part.content, addressesOf(returned)),
      returned: returnedOf(returned, ''),
    };
  }
  if (!/@(?:hotmail|outlook|microsoft)\.com/i.test(fieldOf(header, 'from'))) return undefined;
  const findings = readJunkMailReport(returned);
  return findings.length === 0 ? undefined : { findings, returned: returnedOf(returned, '') };
}

function fromSes({ text }: Parts): Read | undefined {
  const event = readSesEvent(text);
  return event && { findings: event.findings, returned: returnedOf(new Map(), '', event.messageIds) };
}

function fromStatus(parts: Parts, words: string, returned: Fields): Read | undefined {
  const { text, attached } = parts;
  const contents = attached
    .filter(({ type }) => /^message\/(?:global-)?delivery-status$/.test(type))
    .map(({ content }) => content);
  // Without its parts, a report of this kind still has the fields in its text.
  const isLost =
    contents.length === 0 &&
    /^final-recipient[ \t]*:/im.test(text) &&
    authorOf(parts.header, parts.subject, words).isServer;
  if (contents.length === 0 && !isLost) return undefined;
  const read = (isLost ? [text] : contents).map(readDeliveryStatus);
  const messageIds = read.flatMap((status) => status.messageIds);
  return {
    findings: named(
      read.flatMap((status) => status.findings),
      parts,
      words,
      returned,
    ).map((finding, _, all) => withWords(finding, words, all)),
    returned: {
      ...returnedOf(returned, text, messageIds),
      envelopeId: read.find((status) => status.envelopeId !== undefined)?.envelopeId,
    },
  };
}

/** Where the status names nobody, the words or the returned mail may. */
function named(findings: readonly Finding[], parts: Parts, words: string, returnedHeader: Fields): Finding[] {
  const nameless = findings.filter(({ address }) => address === '');
  if (findings.length > 0 && nameless.length === 0) return [...findings];
  const written = findingsInWords(parts, words, addressesOf(returnedHeader));
  if (nameless.length === 1 && findings.length === 1 && written.length === 1) {
    return written.map((each) => ({
      ...each,
      status: nameless[0]?.status || each.status,
      action: nameless[0]?.action ?? each.action,
    }));
  }
  return findings.length > nameless.length ? findings.filter(({ address }) => address !== '') : written;
}

/** A status without a server's own words is looked up in the text, where most servers repeat what they heard. */
function withWords(finding: Finding, words: string, all: readonly Finding[]): Finding {
  if (finding.action === 'delivered') return finding;
  if (/(?:^|\D)[245]\d\d(?:\D|$)/.test(finding.reply)) {
    return { ...finding, command: finding.command ?? commandOf(words, finding.reply) };
  }
  const places = placesOf(
    all.map(({ address, finalAddress }) => [address, finalAddress]),
    words,
  );
  const index = all.indexOf(finding);
  if (places[index]?.at === undefined && all.length > 1) return finding;
  const said = whyOf(segmentOf(words, places, index));
  return {
    ...finding,
    reply: [finding.reply, said.reply].filter(Boolean).join(' ').slice(0, replyLimit),
    command: commandOf(words, said.reply),
  };
}

function findingsInWords(
  { header, subject }: Parts,
  words: string,
  returnedTo: readonly string[],
): Finding[] {
  const known = knownFailures(header);
  const author = authorOf(header, subject, words);
  if (known.length === 0 && !(author.isServer && author.speaksOfFailure && !author.isAutoReply)) return [];
  const strangers = ['to', 'from', 'delivered-to', 'reply-to', 'return-path']
    .flatMap((name) => header.get(name) ?? [])
    .map((value) => addressIn(value).toLowerCase())
    .filter(Boolean);
  return readPlainNotice({
    words,
    known,
    strangers,
    returnedTo,
    action: isDelay(subject, words) ? 'delayed' : 'failed',
  });
}

/** To whom a returned mail was, as far as its header says. */
const addressesOf = (returned: Fields): string[] =>
  (returned.get('to') ?? [])
    .flatMap((value) => value.split(','))
    .map(addressIn)
    .filter(Boolean);

const knownFailures = (header: Fields): string[] => [
  ...new Set(
    fieldOf(header, 'x-failed-recipients')
      .split(/[,\s]+/)
      .map(addressIn)
      .filter(Boolean),
  ),
];
