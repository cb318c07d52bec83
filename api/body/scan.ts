// Looks at the bytes of a JSON body while they arrive (RFC 8259), before anything is built from them: how deep it
// nests and how many values it has. Attachments are decoded on the way, so that their base64 is never in memory as a
// whole; what is left is a small text for JSON.parse.
import { randomUUID } from 'node:crypto';
import { type OpenFile, openFile } from './file.ts';
import { type OpenOctets, openOctets } from './octets.ts';

/** No request of ours nests deeper than 7. */
export const mostDepth = 32;
/** A batch of 100 mails with 50 recipients each and all their names and tags has about 45,000. */
export const mostValues = 60_000;

export type Verdict = 'too-deep' | 'too-many-values';

export type Scan = {
  /** Takes the next bytes. What it answers is why the body is refused; nothing is kept from then on. */
  read(chunk: Buffer): Verdict | undefined;
  /** Octets kept of the text, without the attachments. */
  readonly textBytes: number;
  /** The text, with a placeholder for each attachment, and what the placeholders stand for. */
  end(): { readonly text: Buffer; readonly files: ReadonlyMap<string, Buffer> };
};

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const opening = 0x5b;
const openers = new Set([opening, 0x7b]);
const closers = new Set([0x5d, 0x7d]);

/** The member whose value is a file; where another one is called so, its text comes back as it was. */
const fileMember = Buffer.from('content');
/** The member whose value is a file as a list of octets, as JSON writes a Buffer. */
const octetMember = Buffer.from('data');

export type Takes = {
  /** Strings in members called `content` are decoded as base64. */
  readonly files: boolean;
  /** Lists in members called `data` are files when they hold octets only. */
  readonly octets: boolean;
};

/** Long because every octet may change what the next one means: all steps share the state of one scan. */
export function openScan(takes: Takes): Scan {
  const nonce = randomUUID();
  const files = new Map<string, Buffer>();
  let kept: Buffer[] = [];
  let textBytes = 0;
  let depth = 0;
  let values = 1;
  let refused: Verdict | undefined;
  let inString = false;
  let escaped = false;
  // The name that the string may be, and how much of it was that name so far; -1 once it is another.
  let name = fileMember;
  let matched = -1;
  let after: Buffer | undefined;
  let file: OpenFile | undefined;
  let octets: OpenOctets | undefined;

  function keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    kept.push(bytes);
    textBytes += bytes.length;
  }

  function read(chunk: Buffer): Verdict | undefined {
    if (refused) return refused;
    let from = 0;
    for (let at = 0; at < chunk.length; ) {
      if (file) {
        at = file.read(chunk, at);
        from = at;
        if (at < chunk.length) endFile(chunk[at] as number);
        // The closing quote of a file is replaced together with what it closed.
        if (!file && !inString) from = ++at;
        continue;
      }
      if (octets) {
        at = octets.read(chunk, at);
        from = at;
        if (at < chunk.length && endOctets(chunk[at] as number)) from = ++at;
        if (refused) return refused;
        continue;
      }
      const octet = chunk[at++] as number;
      if (inString) readString(octet);
      else if (octet === opening && after === octetMember && takes.octets) {
        keep(chunk.subarray(from, at - 1));
        from = at;
        octets = openOctets();
        after = undefined;
      } else if (octet === quote) {
        if (after === fileMember && takes.files) {
          keep(chunk.subarray(from, at - 1));
          from = at;
          file = openFile();
        } else {
          inString = true;
          matched = 0;
        }
        after = undefined;
      } else if (octet === colon) after = matched === name.length ? name : undefined;
      else if (octet > 0x20) {
        after = undefined;
        matched = -1;
        count(octet);
      }
      if (refused) return refused;
    }
    if (!file && !octets) keep(chunk.subarray(from));
    return undefined;
  }

  function readString(octet: number): void {
    if (escaped) {
      escaped = false;
      matched = -1;
    } else if (octet === backslash) escaped = true;
    else if (octet === quote) inString = false;
    else if (matched >= 0) {
      if (matched === 0) name = octet === octetMember[0] ? octetMember : fileMember;
      matched = octet === name[matched] ? matched + 1 : -1;
    }
  }

  function count(octet: number): void {
    if (octet === comma) values++;
    else if (openers.has(octet)) {
      depth++;
      values++;
    } else if (closers.has(octet)) depth--;
    if (depth > mostDepth) refuse('too-deep');
    else if (values > mostValues) refuse('too-many-values');
  }

  function refuse(verdict: Verdict): void {
    refused = verdict;
    kept = [];
    files.clear();
  }

  /** The string is over, or it is no base64: then it goes on as any other text. */
  function endFile(octet: number): void {
    const content = octet === quote ? file?.end() : undefined;
    if (content) {
      keepFile(content);
    } else {
      const text = file?.text() ?? '';
      keep(Buffer.from(`"${text}`));
      inString = true;
      escaped = text.endsWith('\\');
      matched = -1;
    }
    file = undefined;
  }

  /** The list is over, or it holds something else: then it goes on as any other list. Answers whether it was a file. */
  function endOctets(octet: number): boolean {
    const content = octets?.end(octet);
    if (content) {
      keepFile(content);
      values++;
    } else {
      values += octets?.count ?? 0;
      count(opening);
      if (!refused) keep(Buffer.from(`[${octets?.text() ?? ''}`));
    }
    octets = undefined;
    return content !== undefined;
  }

  function keepFile(content: Buffer): void {
    const placeholder = `${nonce}:${files.size}`;
    files.set(placeholder, content);
    keep(Buffer.from(`"${placeholder}"`));
  }

  return {
    read,
    get textBytes() {
      return textBytes;
    },
    end() {
      if (file) keep(Buffer.from('"'));
      if (octets) keep(Buffer.from('['));
      const text = kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept);
      kept = [];
      return { text, files };
    },
  };
}
