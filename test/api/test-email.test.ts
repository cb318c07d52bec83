// The test mail against the real relay and a provider that behaves, and ones that do not.
import { describe, expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { startApi } from './in-process.ts';

const processes = ['relay', 'api'] as const;

describe('a test mail', () => {
  test('leaves by the real path, tells every stage and the provider’s reply, and streams them when asked', async () => {
    await using stack = await startStack({ processes });
    const { status, body } = await stack.api.post('/api/v1/test-email', {});
    expect(status).toBe(200);
    expect(body).toMatchObject({
      sent: true,
      email_id: expect.any(String),
      reply: expect.stringMatching(/queued/i),
    });
    const names = body.stages.map(({ stage }: { stage: string }) => stage);
    expect(names).toEqual(expect.arrayContaining(['mail', 'rcpt', 'accepted']));
    expect(stack.provider.messages[0]?.envelope.recipients).toEqual([stack.provider.user]);

    const streamed = await stack.api.post(
      '/api/v1/test-email',
      { to: 'ann@example.com' },
      { headers: { accept: 'text/event-stream' } },
    );
    expect(streamed.headers.get('content-type')).toContain('text/event-stream');
    const events = String(streamed.body).trim().split('\n\n');
    expect(events.at(-1)).toMatch(/^event: result\ndata: \{"sent":true/);
    expect(events.length).toBeGreaterThan(1);

    const { body: config } = await stack.api.get('/api/v1/test-email/config');
    expect(config).toMatchObject({
      configured: true,
      missing: [],
      relay: 'running',
      from: stack.provider.user,
    });
    expect(Object.values(config.secrets)).toEqual([
      { length: expect.any(Number), fingerprint: expect.stringMatching(/^[0-9a-f]{4}$/) },
    ]);
    expect(JSON.stringify(config)).not.toContain(stack.provider.password);
  });

  test('asks the provider about a sender that is held, whenever that would have been asked about', async () => {
    await using stack = await startStack({ processes });
    const { rowCount } = await stack.database.query(
      `insert into sender_hold (lane, sender, cause, detail, stage, next_probe_at)
       select key, $1, 'sender-not-owned', '553 not owned', 'dot', now() + interval '1 hour' from lane`,
      [stack.provider.user],
    );
    expect(rowCount).toBe(1);
    const { body } = await stack.api.post('/api/v1/test-email', {});
    expect(body).toMatchObject({ sent: true });
  });

  test('that a wrong password stops says so, with the stage and the fix, and does not leave later', async () => {
    await using stack = await startStack({ processes, relay: { SMTP_PASSWORD: 'not the password' } });
    const { status, body } = await stack.api.post('/api/v1/test-email', {});
    expect(status).toBe(424);
    expect(body).toMatchObject({ type: '/problems/test-email-failed', sent: false, stage: 'auth' });
    expect(body.reply).toContain('535');
    expect(body.fix.length).toBeGreaterThan(20);
    const email = await stack.api.get(`/api/v1/emails/${body.email_id}`);
    expect(email.body.status).toBe('cancelled');
  });

  test('without configuration names what is missing, and sends nothing', async () => {
    await using stack = await startStack({ processes, provider: false });
    const { status, body } = await stack.api.post('/api/v1/test-email', { to: 'ann@example.com' });
    expect(status).toBe(424);
    expect(body).toMatchObject({ stage: 'config', cause: 'not-configured', email_id: null });
    expect(body.missing).toEqual(['SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD', 'SMTP_FROM_EMAIL']);
    const { body: state } = await stack.api.get('/api/v1/email-status', { key: null });
    expect(state).toMatchObject({ configured: false, missing: body.missing });
    expect(state.hint).toContain('deployment platform');
  });

  test('without a relay says that the relay does not run', async () => {
    await using api = await startApi();
    const { status, body } = await api.post('/api/v1/test-email', {});
    expect([status, body.cause]).toEqual([424, 'relay-away']);
    expect((await api.get('/api/v1/email-status', { key: null })).body).toMatchObject({
      relay: 'never seen',
    });
  });
});
