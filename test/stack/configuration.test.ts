import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { type ComposeStack, composeStack } from './compose.ts';

const exitConfiguration = 78;

const provider = {
  SMTP_HOST: 'stand-in',
  SMTP_USER: 'postern@example.com',
  SMTP_PASSWORD: 'stand-in',
  SMTP_FROM_EMAIL: 'postern@example.com',
} as const;

let stack: ComposeStack;

// Without stand-in.yml the provider comes from the environment, as on a platform.
beforeAll(async () => {
  stack = await composeStack({ standIn: false });
  await stack.compose('up', '--detach', '--wait');
}, 240_000);

afterAll(async () => stack[Symbol.asyncDispose](), 120_000);

describe('a process that is not told what it cannot do without', () => {
  test.each([
    ['postern-api', 'DATABASE_URL'],
    ['postern-api', 'API_KEY'],
    ['postern-api', 'PUBLIC_URL'],
    ['postern-api', 'RELAY_PASSWORD'],
    ['postern-relay', 'DATABASE_URL'],
    ['postern-relay', 'RELAY_PASSWORD'],
    ['postern-worker', 'DATABASE_URL'],
    ['postern-worker', 'RELAY_PASSWORD'],
    ['postern-migrate', 'DATABASE_URL'],
  ])('%s refuses to start with a blank %s, and names it', async (service, variable) => {
    const { code, output } = await stack.tryCompose(
      'run',
      '--rm',
      '--no-deps',
      '--env',
      `${variable}=`,
      service,
    );
    expect(output).toContain(`${variable} is set but blank`);
    expect(code).toBe(exitConfiguration);
  });

  test('names all of them at once', async () => {
    const { output } = await stack.tryCompose(
      ...[
        'run',
        '--rm',
        '--no-deps',
        '--env',
        'API_KEY=',
        '--env',
        'PUBLIC_URL=nowhere',
        '--env',
        'API_PORT=http',
        'postern-api',
      ],
    );
    expect(output).toMatch(/API_KEY is set but blank/);
    expect(output).toMatch(/PUBLIC_URL /);
    expect(output).toMatch(/API_PORT /);
  });
});

describe('a stack whose provider was never configured', () => {
  let email: string;
  const statusOf = async (path: string) => (await stack.ask('GET', path)).body.status;

  test('is healthy, creates customers, holds their mail, and says to everybody what is missing', async () => {
    const { status, body } = await stack.ask('POST', '/api/customers', {
      name: 'Held Ltd',
      email: 'office@held.example',
      sendInvitation: true,
    });
    expect(status).toBe(201);
    email = `/api/v1/emails/${body.invitation.email_id}`;
    await until(async () => (await statusOf(email)) === 'held', { what: 'the mail to be held' });
    expect((await stack.ask('GET', email)).body).toMatchObject({ reason: 'not-configured' });
    const answer = await fetch(`${stack.apiUrl}/api/v1/email-status`);
    expect(await answer.json()).toMatchObject({
      configured: false,
      missing: Object.keys(provider),
      hint: expect.stringContaining('Coolify'),
    });
  });

  test.each(Object.keys(provider))(
    'and is then told everything but %s, names that one',
    async (blank) => {
      await stack
        .given({ ...provider, [blank]: '' })
        .compose('up', '--detach', '--wait', '--no-deps', 'postern-relay');
      await until(
        async () => {
          const { body } = await stack.ask('GET', '/api/v1/email-status');
          return body.configured === false && body.missing.join() === blank;
        },
        { what: `email-status to name ${blank}` },
      );
      const logs = await stack.compose('logs', '--no-color', 'postern-relay');
      expect(logs).toContain(`Email NOT configured. Missing: ${blank}`);
    },
    60_000,
  );

  test('and is then told everything, sends what it held', async () => {
    await stack.given({}, { standIn: true }).compose('up', '--detach', '--wait');
    await until(async () => (await statusOf(email)) === 'sent', {
      what: 'the held mail to be sent',
      timeoutMs: 30_000,
    });
    const recipients = (await stack.mails()).flatMap((mail) => mail.recipients);
    expect(recipients).toEqual(['office@held.example']);
  }, 120_000);
});
