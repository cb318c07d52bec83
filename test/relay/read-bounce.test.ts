import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { plain, report } from './bounces/reports/compose.ts';

const run = promisify(execFile);

test('read-bounce prints one line for every file, whatever is in it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postern-read-bounce-'));
  try {
    const status =
      'Final-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n';
    const [bounce, letter, broken, missing] = ['bounce', 'letter', 'broken', 'missing'].map((name) =>
      join(directory, `${name}.eml`),
    ) as [string, string, string, string];
    await writeFile(bounce, report({}, 'failed', status));
    await writeFile(
      letter,
      plain({ From: 'anna@customer.example', 'Return-Path': '<anna@customer.example>' }, 'Hello'),
    );
    await writeFile(broken, `X-Long: ${'x'.repeat(600_000)}`);
    const failure = await run(process.execPath, [
      'relay/read-bounce.ts',
      bounce,
      letter,
      broken,
      missing,
    ]).catch((error: unknown) => error);
    const { stdout, code } = failure as { stdout: string; code: number };
    expect(code).toBe(1);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        file: bounce,
        recipients: [
          {
            address: 'anna@customer.example',
            action: 'failed',
            status: '5.1.1',
            code: '550',
            reply: '550 5.1.1 User unknown',
            hard: true,
            cause: 'user-unknown',
          },
        ],
        message_id: '0192f0c1-7a10-7abc-8def-001122334455@example.org',
        queue_id: '9A1B2C3D4E',
      },
      { file: letter, recipients: [], message_id: null },
      { file: broken, recipients: [], message_id: null, error: 'unreadable' },
      { file: missing, recipients: [], message_id: null, error: 'ENOENT' },
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
