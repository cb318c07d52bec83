// One look through a folder: what came since the last one, in the order in which it came. Only read: nothing is marked,
// and only a report that was written down may be moved.
import type { ImapFlow } from 'imapflow';
import { firstLookDays } from '../../deploy/bounce-mailbox.ts';
import { type Fields, fieldOf, readFields } from '../bounces/fields.ts';
import { mayBeReport, tellingFields } from '../bounces/may-be-report.ts';
import { readLimit } from '../bounces/parts.ts';
import type { Position } from './state.ts';

export type Looking = {
  readonly client: ImapFlow;
  readonly folder: string;
  readonly moveTo: string | undefined;
  /** Headers are asked for by their beginning, because one was too long. */
  readonly isCautious: boolean;
  readonly signal: AbortSignal;
  position(): Promise<Position | undefined>;
  reached(position: Position): Promise<void>;
  /** Answers whether it was a report. */
  record(bytes: Buffer): Promise<boolean>;
  /** Mail that we sent to ourselves; undefined where none is. */
  readonly canaries: CanaryReader | undefined;
  /** The provider takes what lies here for junk. */
  readonly isJunk: boolean;
};

export type CanaryReader = {
  mayBeOne(subject: string): boolean;
  /** Answers whether it was one. */
  returned(mail: {
    readonly bytes: Buffer;
    readonly folder: string;
    readonly isJunk: boolean;
    readonly arrivedAt: Date | undefined;
  }): Promise<boolean>;
};

const atOnce = 100;
const beginning = 32 * 1024;
/** Receivers write much into a header. */
const beginningOfCanary = 64 * 1024;
const dayMs = 24 * 60 * 60 * 1000;

export async function lookThrough(looking: Looking): Promise<void> {
  const { client, folder, moveTo, signal } = looking;
  // To move mail the folder must be opened for writing; otherwise the server is told that nothing will change.
  const mailbox = await client.mailboxOpen(folder, { readOnly: moveTo === undefined || moveTo === folder });
  const known = await looking.position();
  const last = known?.uidValidity === mailbox.uidValidity ? known.lastUid : undefined;
  const end = mailbox.uidNext - 1;
  if (last !== undefined && last >= end) return;
  const uids = await newUids(client, last);
  let reached = last ?? 0;
  for (let start = 0; start < uids.length && !signal.aborted; start += atOnce) {
    const chunk = uids.slice(start, start + atOnce);
    for (const suspect of await suspects(looking, chunk)) await readOne(looking, suspect);
    reached = chunk.at(-1) ?? reached;
    await looking.reached({ uidValidity: mailbox.uidValidity, lastUid: reached });
  }
  if (!signal.aborted && reached < end) {
    await looking.reached({ uidValidity: mailbox.uidValidity, lastUid: end });
  }
}

/** In order. `n:*` names the last mail even when it is older than n (RFC 9051 §9). */
async function newUids(client: ImapFlow, last: number | undefined): Promise<number[]> {
  const query =
    last === undefined
      ? { since: new Date(Date.now() - (firstLookDays + 1) * dayMs) }
      : { uid: `${last + 1}:*` };
  const found = await client.search(query, { uid: true });
  if (!Array.isArray(found)) throw new Error('The server did not answer a search');
  return found.filter((uid) => uid > (last ?? 0)).sort((one, other) => one - other);
}

type Suspect = { readonly uid: number; readonly isCanary: boolean };

async function suspects(
  { client, isCautious, canaries }: Looking,
  uids: readonly number[],
): Promise<Suspect[]> {
  const wanted = isCautious
    ? { source: { start: 0, maxLength: beginning } }
    : { headers: [...tellingFields] };
  const found = await client.fetchAll(uids.join(','), { uid: true, ...wanted }, { uid: true });
  return found
    .flatMap(({ uid, headers, source }): Suspect[] => {
      const header = headerOf(headers ?? source);
      const isCanary = canaries?.mayBeOne(fieldOf(header, 'subject')) === true;
      return isCanary || mayBeReport(header) ? [{ uid, isCanary }] : [];
    })
    .sort((one, other) => one.uid - other.uid);
}

function headerOf(bytes: Buffer | undefined): Fields {
  const text = bytes?.toString('utf8') ?? '';
  return readFields(text.slice(0, /\r?\n\r?\n/.exec(text)?.index));
}

async function readOne(looking: Looking, { uid, isCanary }: Suspect): Promise<void> {
  const { client, folder, moveTo, canaries, isJunk } = looking;
  const mail = await client.fetchOne(
    String(uid),
    { source: { start: 0, maxLength: isCanary ? beginningOfCanary : readLimit }, internalDate: true },
    { uid: true },
  );
  // Somebody deleted it meanwhile.
  if (!mail || mail.source === undefined) return;
  const arrivedAt = mail.internalDate === undefined ? undefined : new Date(mail.internalDate);
  const isOurs =
    (isCanary && (await canaries?.returned({ bytes: mail.source, folder, isJunk, arrivedAt }))) ||
    (!isCanary && (await looking.record(mail.source)));
  if (isOurs && moveTo !== undefined && moveTo !== folder) {
    await client.messageMove(String(uid), moveTo, { uid: true });
  }
}
