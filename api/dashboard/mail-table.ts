// What a search finds as a file that spreadsheets read (RFC 4180): page by page, so that nobody holds all of it.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import type { Queryable } from '../../deploy/database.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import type { FoundMail } from './mail-list.ts';
import type { Edge } from './search.ts';

export const mostRows = 50_000;
const pageSize = 1_000;

const columns = [
  ...[
    'id',
    'source',
    'kind',
    'status',
    'cause',
    'cause_title',
    'subject',
    'from',
    'to',
    'recipients',
    'tags',
  ],
  ...['submitted_by', 'created_at', 'due_at', 'finished_at', 'stream'],
];

export async function sendTable(
  response: Response,
  q: Queryable,
  find: (edge: Edge) => Promise<FoundMail[]>,
): Promise<void> {
  response.set({
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': `attachment; filename="emails-${new Date().toISOString().slice(0, 10)}.csv"`,
    'cache-control': 'private, no-store',
  });
  await pipeline(Readable.from(lines(q, find)), response).catch((error: { code?: string }) => {
    // Whoever closed the window wants no more of it.
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

async function* lines(q: Queryable, find: (edge: Edge) => Promise<FoundMail[]>): AsyncGenerator<string> {
  yield `${columns.join(',')}\r\n`;
  let after: string | undefined;
  for (let written = 0; written < mostRows; written += pageSize) {
    const page = await find({ limit: pageSize, after });
    const causes = await readCauses(
      q,
      page.map(({ reason }) => reason),
    );
    yield page.map((mail) => lineOf(mail, causes[mail.reason ?? '']?.title)).join('');
    if (page.length < pageSize) return;
    after = page.at(-1)?.id;
  }
}

const lineOf = (mail: FoundMail, title: string | undefined) =>
  `${[
    ...[mail.id, mail.source, mail.kind, mail.status, mail.reason, title, mail.subject, mail.from],
    ...[mail.recipients.map(({ address }) => address).join(' '), mail.recipient_count],
    ...[mail.tags.map(({ name, value }) => `${name}:${value}`).join(' '), mail.credential],
    ...[mail.created_at, mail.due_at, mail.finished_at, mail.stream],
  ]
    .map(field)
    .join(',')}\r\n`;

function field(value: string | number | Date | null | undefined): string {
  if (value === null || value === undefined) return '';
  const text = value instanceof Date ? value.toISOString() : String(value);
  // A spreadsheet would take it for a formula, and a subject is written by strangers.
  const tame = /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
}
