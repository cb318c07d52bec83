// A mail as the client sends it, as POST /api/v1/emails takes it. What has the same name and meaning passes as it is; what
// nobody knows passes too, and is refused there by its name.
import type { Fault } from '../problem.ts';
import { toAttachment } from './attachment-request.ts';
import { acceptedTimes, asRfc3339, isSaidInWords, readWords } from './scheduled-at.ts';

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @param now asked for only where the time is said in words */
export async function toEmailDraft(given: unknown, now: () => Promise<Date>): Promise<unknown> {
  if (!isObject(given)) return given;
  const { scheduled_at, attachments, text, html, ...same } = given;
  return {
    ...same,
    // An empty text beside HTML is how this client says that there shall be none.
    ...(text !== '' && { text }),
    ...(html !== '' && { html }),
    ...(await toSchedule(scheduled_at, now)),
    ...(attachments !== undefined && {
      attachments: Array.isArray(attachments) ? attachments.map(toAttachment) : attachments,
    }),
  };
}

/** What cannot be read is passed on as it is: the API refuses it, and nothing is sent. */
export async function toSchedule(given: unknown, now: () => Promise<Date>): Promise<Members> {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'string') return { scheduled_datetime: given };
  if (!isSaidInWords(given)) return { scheduled_datetime: asRfc3339(given) };
  const { scheduled_datetime = given, time_zone } = readWords(given, await now()) ?? {};
  return { scheduled_datetime, ...(time_zone !== undefined && { time_zone }) };
}

const instead: Readonly<Record<string, string>> = {
  template: 'is not supported here: put the finished subject, text and html into the request',
  topic_id: 'is not supported: Postern keeps no topics; its suppression list is at /resend/suppressions',
};

/** @param at where the mail stands in the body: `#`, or `#/3` in a batch */
export function inClientsNames(fault: Fault): Fault {
  const [, at = '#', name = ''] = /^(#(?:\/\d+)?)\/(\w+)/.exec(fault.pointer) ?? [];
  if (name === 'scheduled_datetime' || name === 'time_zone') {
    const detail = fault.detail.startsWith('cannot be read')
      ? `cannot be read: ${acceptedTimes}`
      : fault.detail;
    return { ...fault, pointer: `${at}/scheduled_at`, detail };
  }
  const better = instead[name];
  return better === undefined ? fault : { ...fault, detail: better };
}
