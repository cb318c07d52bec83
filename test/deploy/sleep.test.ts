// IDLE=sleep with real processes: they let go of the database, and what happens then is done at once and on time.
import { expect, test } from 'vitest';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { logIn, messageWith, submitted } from '../relay/submission/submitting.ts';
import { startReceiver } from '../worker/webhooks/receiver.ts';

const idle = { IDLE: 'sleep', IDLE_AFTER: '1s' };

async function asleepSince({ healthUrl }: { healthUrl: string }): Promise<string | undefined> {
  const answer = await fetch(`${healthUrl}/readyz?verbose`);
  return ((await answer.json()) as { asleep_since?: string }).asleep_since;
}

async function untilAllSleep({ api, relay, worker }: Stack): Promise<void> {
  await until(
    async () =>
      (await Promise.all([api, relay, worker].map(asleepSince))).every((since) => since !== undefined),
    { what: 'all three to sleep', timeoutMs: 40_000 },
  );
}

async function endSessions({ database }: Stack): Promise<number> {
  const { rows } = await database.query<{ ended: boolean }>(
    `select pg_terminate_backend(pid) as ended from pg_stat_activity
     where datname = current_database() and application_name like 'postern%'`,
  );
  return rows.length;
}

test('three processes with nothing to do have no session, and mail is on time nevertheless', async () => {
  const near = { ...idle, WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32' };
  await using stack = await startStack({ api: near, relay: idle, worker: near });
  const { api, worker, provider } = stack;
  const subjects = () =>
    provider.messages.map(({ raw }) => /^Subject: (.*)$/m.exec(String(raw))?.[1]?.trim());
  const arrived = (subject: string) =>
    until(() => subjects().includes(subject), { what: subject, timeoutMs: 30_000 });
  const mail = { to: 'ann@example.org', text: 'Hello.' };

  await using endpoint = await startReceiver();
  expect((await api.post('/api/v1/webhooks', { url: endpoint.url })).status).toBe(201);
  await untilAllSleep(stack);
  const dueAt = new Date(Date.now() + 6_000);
  const scheduled = await api.post('/api/v1/emails', {
    ...mail,
    subject: 'scheduled',
    scheduled_datetime: dueAt,
  });
  expect(scheduled.status).toBe(202);
  // Nobody has to ask the database when it is due.
  await until(
    () =>
      worker.process.log.some(
        ({ event, wakesInSeconds }) => event === 'asleep' && Number(wakesInSeconds) < 6,
      ),
    { what: 'the worker to sleep until the mail is due', timeoutMs: 40_000 },
  );
  await until(
    async () => {
      const { rows } = await stack.database.query<{ sessions: number }>(
        `select count(*)::integer as sessions from pg_stat_activity
         where datname = current_database() and application_name like 'postern%'`,
      );
      return rows[0]?.sessions === 0;
    },
    { what: 'their sessions to be closed', timeoutMs: 30_000 },
  );
  // As a database that stops does; it knows nothing of who listened.
  await endSessions(stack);
  await arrived('scheduled');
  expect(Date.now()).toBeGreaterThanOrEqual(dueAt.getTime());

  await untilAllSleep(stack);
  await endSessions(stack);
  await using client = await logIn(stack);
  const message = messageWith('Hello.\r\n').toString().replace('Subject: test', 'Subject: over SMTP');
  await submitted(
    client,
    message.replace('ann@example.com', provider.user),
    ['bob@example.net'],
    provider.user,
  );
  await arrived('over SMTP');
  // The worker hears of it although the api sleeps.
  await until(
    () =>
      endpoint.heard.some(
        ({ event }) => event.type === 'email.sent' && event.data.recipient === 'bob@example.net',
      ),
    { what: 'the endpoint to hear of it', timeoutMs: 30_000 },
  );
  await untilAllSleep(stack);
  await endSessions(stack);
  const sent = await api.post('/api/v1/test-email', {});
  expect(sent.body).toMatchObject({ sent: true });
  expect((await api.get('/api/v1/email-status')).body).toMatchObject({
    configured: true,
    relay: expect.stringMatching(/^(?:running|asleep)$/),
  });
});
