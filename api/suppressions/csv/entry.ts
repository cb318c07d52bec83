// One line of a file, as an entry of the suppression list, or what is wrong with it. Pure.
import { readAddress } from '../../../relay/client/address/address.ts';
import { tagWord, tagWordRule } from '../../../relay/client/email/tag.ts';
import type { ImportedSuppression } from '../../../relay/client/suppression/import.ts';
import { type SuppressionReason, suppressionReasons } from '../../../relay/client/suppression/suppression.ts';
import { faultOfReach } from '../../fields.ts';
import type { Columns } from './columns.ts';

export type Defaults = {
  readonly reason: SuppressionReason | undefined;
  readonly stream: string | undefined;
  readonly now: Date;
};

/** `column` is the name it has in the fault; the detail is the rest of a sentence. */
export type EntryFault = { readonly column: string; readonly detail: string };

/** Postmark's words. What the recipient asked for is an unsubscribe, what the customer did is by hand. */
const foreignReasons: Readonly<Record<string, SuppressionReason>> = {
  hardbounce: 'bounce',
  spamcomplaint: 'complaint',
  manualsuppression: 'manual',
};

const longestReply = 500;

export function readEntry(
  values: readonly string[],
  columns: Columns,
  defaults: Defaults,
): ImportedSuppression | readonly EntryFault[] {
  if (values.length !== columns.count) {
    return [{ column: '', detail: `has ${values.length} columns, and the first line ${columns.count}` }];
  }
  const at = (index: number | undefined) => (index === undefined ? '' : (values[index] ?? '').trim());
  const address = at(columns.address);
  const faults: EntryFault[] = [];
  const wrong = (column: string, detail: string) => faults.push({ column, detail });

  const reading = readAddress(address);
  const fault = 'fault' in reading ? reading.fault : faultOfReach(address);
  if (fault !== undefined) wrong('address', `must be one mail address: ${shown(address)} ${fault}`);
  const reason =
    reasonOf(at(columns.reason), at(columns.origin)) ?? columns.says ?? defaults.reason ?? 'manual';
  if (reason === 'unknown') {
    wrong('reason', `must be one of: ${suppressionReasons.join(', ')}; not ${shown(at(columns.reason))}`);
  }
  const stream = at(columns.stream) || defaults.stream || '';
  if (stream !== '' && !tagWord.test(stream)) wrong('stream', tagWordRule);
  const createdAt = timeOf(at(columns.createdAt)) ?? defaults.now;
  if (Number.isNaN(createdAt.getTime())) {
    wrong('created_at', `must be a time such as 2026-11-30T12:00:00Z, not ${shown(at(columns.createdAt))}`);
  } else if (createdAt > defaults.now) wrong('created_at', 'is in the future');
  if (faults.length > 0 || reason === 'unknown') return faults;
  const reply = columns.reply.map(at).filter(Boolean).join(' ').replaceAll('\0', '').slice(0, longestReply);
  return { address, reason, stream, createdAt, reply: reply || null };
}

/** Undefined when the line says nothing. */
function reasonOf(text: string, origin: string): SuppressionReason | 'unknown' | undefined {
  const word = text.toLowerCase().replaceAll(/[\s_-]/g, '');
  if (word === '') return undefined;
  const reason = suppressionReasons.find((known) => known === word) ?? foreignReasons[word] ?? 'unknown';
  return reason === 'manual' && origin.toLowerCase() === 'recipient' ? 'unsubscribe' : reason;
}

/** RFC 3339, RFC 5322 (Mailgun), seconds since 1970 (SendGrid), or without an offset as UTC. */
function timeOf(text: string): Date | undefined {
  if (text === '') return undefined;
  if (/^\d{9,10}$/.test(text)) return new Date(Number(text) * 1000);
  const local = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$/.exec(text);
  if (local) return new Date(`${local[1]}T${local[2] ?? '00:00'}Z`);
  return new Date(/\d{4}/.test(text) && /(?:Z|UTC|GMT|[+-]\d\d:?\d\d)$/.test(text) ? text : Number.NaN);
}

const shown = (text: string) => (text === '' ? '(nothing)' : text.slice(0, 100));
