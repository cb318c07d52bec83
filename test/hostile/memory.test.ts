// Large mail in numbers. Every process runs with the memory limit that Compose gives it, and loses nothing.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../deploy/database.ts';
import { insertEmails } from '../../relay/client/email/insert.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

let stack: Stack;
let database: Database;
beforeAll(async () => {
  stack = await startStack({ processes: ['api', 'relay'] });
  database = openDatabase({ url: stack.database.url, applicationName: 'test' });
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

type Name = 'api' | 'relay' | 'worker';

/** proc(5): the highest resident memory since the start, in MB. */
async function peakMb(name: Name): Promise<number> {
  const status = await readFile(`/proc/${stack[name].process.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** What Compose gives to each process. */
const limitMb = 384;

async function expectSmall(...names: Name[]): Promise<void> {
  for (const name of names) {
    expect(stack[name].process.exit).toBeUndefined();
    expect(await peakMb(name), `peak of ${name}`).toBeLessThan(limitMb);
  }
}

const content = Buffer.alloc(18_000_000, 'postern');

/** Mail that is due, one statement each: PostgreSQL's memory is not what is tested. */
async function insertDue(count: number, subject: string, isLarge: boolean): Promise<void> {
  const draft = {
    kind: 'scheduled',
    from: { address: stack.provider.user },
    recipients: [{ kind: 'to', address: 'ann@example.com' }],
    subject,
    text: 'Hello',
    dueAt: new Date(Date.now() - 1_000),
    attachments: isLarge
      ? [{ filename: 'a.bin', contentType: 'application/octet-stream', content }]
      : undefined,
  } as const;
  for (let n = 0; n < count; n++) await database.transaction((tx) => insertEmails(tx, [draft]));
}

async function countTaken(subject: string): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    'select count(*)::int as count from email where subject = $1 and accepted_at is not null',
    [subject],
  );
  return rows[0]?.count ?? 0;
}

test('twelve due mails of 18 MB all leave, and small mail does not wait for them', async () => {
  await insertDue(12, 'large', true);
  await insertDue(5, 'small', false);
  // Only now, so that it finds all of them at once: storing the large ones may take longer than handing them over.
  await stack.worker.start();
  await until(async () => (await countTaken('small')) === 5, { what: 'the small mail' });
  await until(async () => (await countTaken('large')) === 12, { timeoutMs: 60_000, what: 'the large mail' });
  const { rows } = await database.query<{ subject: string }>(
    'select subject from email group by subject order by max(accepted_at)',
  );
  expect(rows.map(({ subject }) => subject)).toEqual(['small', 'large']);
  await expectSmall('worker', 'relay');
}, 120_000);
