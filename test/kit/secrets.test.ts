import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startProcess } from './process.ts';
import { findLeaks, keepSecretsOf, keepTokensOf, sawAnswer, sawOutput } from './secrets.ts';

const leaking = `
  console.log(JSON.stringify({ msg: 'Started', with: process.env.SMTP_PASS }));
  console.error('AUTH PLAIN ' + Buffer.from('\\0app\\0' + process.env.RELAY_PASSWORD).toString('base64'));
  console.log('as ' + process.env.RELAY_USERS.split(':')[1]);
`;

test('what a process writes of its secrets is found, in whatever form, and not repeated', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postern-secrets-'));
  try {
    await writeFile(join(directory, 'main.ts'), leaking);
    const leaky = await startProcess({
      script: join(directory, 'main.ts'),
      environment: {
        SMTP_PASS: 'quoted"and\\long',
        RELAY_PASSWORD: 'relay-password-1',
        RELAY_USERS: 'app:application-password',
        SMTP_HOST: 'mail.example.com',
      },
    });
    await leaky.exited;
    const leaks = findLeaks();
    expect(leaks.toSorted()).toEqual([
      expect.stringMatching(/^RELAY_PASSWORD in .*AUTH PLAIN \w+\[here\]/),
      expect.stringMatching(/^RELAY_USERS in .*as \[here\]/),
      expect.stringMatching(/^SMTP_PASS in .*\[here\]/),
    ]);
    expect(leaks.join()).not.toContain('application-password');
    expect(findLeaks()).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a key may be seen in the answer that creates it, and a token of a mail in answers, but in no log', () => {
  sawAnswer('POST /api/v1/keys', 201, '{"id":"1","secret":"postern_0123456789abcdef"}');
  keepTokensOf(Buffer.from('https://app.example.com/invitation#token=3Dabcdefghij=\r\nklmnopqrstuvwxyz'));
  sawAnswer('GET /api/v1/emails/1', 200, '{"text":"#token=abcdefghijklmnopqrstuvwxyz"}');
  keepSecretsOf({ DATABASE_URL: 'postgres://postgres:embedded@127.0.0.1/x' });
  sawOutput('api', 'PostgreSQL is embedded');
  expect(findLeaks()).toEqual([]);

  sawAnswer('POST /api/v1/keys', 201, '{"id":"1","secret":"postern_0123456789abcdef"}');
  keepTokensOf(Buffer.from('#token=abcdefghijklmnopqrstuvwxyz'));
  keepSecretsOf({ DATABASE_URL: 'postgres://postgres:embedded@127.0.0.1/x' });
  sawAnswer('GET /api/v1/keys', 200, '[{"secret":"postern_0123456789abcdef"}]');
  sawOutput('api', 'opened #token=abcdefghijklmnopqrstuvwxyz');
  sawOutput('worker', 'postgres://postgres:embedded@127.0.0.1/x');
  expect(findLeaks().map((leak) => leak.split(':')[0])).toEqual([
    'an API key that was created in GET /api/v1/keys',
    'an invitation token in api',
    'DATABASE_URL in worker',
  ]);
});
