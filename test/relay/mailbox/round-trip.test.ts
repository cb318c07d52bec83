// The whole way with nothing of ours in the place of others: a mail to a mailbox that is not there leaves by a real
// Postfix, its report arrives in a real Dovecot, and two relays read it there.
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { startMailHost, whyNoMailHost } from '../../kit/mail-host.ts';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';

const absent = await whyNoMailHost();
if (absent) console.info(`Skipping the test with a real Dovecot and Postfix: ${absent}.`);

const letter =
  'From: Eve <eve@example.net>\nReturn-Path: <eve@example.net>\nSubject: Parcel\n\nWhere is it?\n';

const send = async (stack: Stack, names: readonly string[]) => {
  const ids: string[] = [];
  for (const name of names) {
    const mail = { to: [`${name}@example.org`], subject: 'Hello', text: 'Hello' };
    ids.push((await stack.api.post('/api/v1/emails', mail)).body.id);
  }
  return ids;
};

/** The promise is 10 s; a machine that does much else gets more. */
const patienceSeconds = 30;

/** What a receiver writes: Postfix judges nothing by itself. */
const results =
  'mail.example.com; spf=pass smtp.mailfrom=mailer@example.com; dkim=none; dmarc=fail header.from=example.com';

const count = async (stack: Stack, query: string) =>
  (await stack.database.query<{ n: number }>(`select count(*)::integer as n from ${query}`)).rows[0]?.n;

/** A mail to oneself is back and judged. */
async function sendsToItself(stack: Stack): Promise<void> {
  const path = '/api/v1/domains/example.com/canary';
  await until(async () => (await stack.api.get('/api/v1/domains')).body.data.length === 1, {
    what: 'the relay to name its domain',
  });
  expect((await stack.api.post(path)).status).toBe(202);
  const canary = await until(
    async () => {
      const { body } = await stack.api.get('/api/v1/domains');
      const [found] = body.data[0].canaries;
      return found?.state === 'returned' && found;
    },
    { what: 'the mail to be back', timeoutMs: 60_000 },
  );
  expect(canary.delay_seconds).toBeLessThan(patienceSeconds);
  expect(canary).toMatchObject({
    recipient: 'mailer@example.com',
    folder: 'INBOX',
    is_junk: false,
    result: 'fail',
  });
  expect(canary.findings.map(({ cause }: { cause: string }) => cause)).toEqual([
    'canary-inbox',
    'canary-spf-passed',
    'canary-dkim-missing',
    'canary-dmarc-failed',
  ]);
  expect((await stack.api.post(path)).body.type).toContain('canary-unavailable');
  expect((await stack.api.post('/api/v1/domains/other.example/canary')).status).toBe(404);
}

test.skipIf(absent)(
  'what the provider took and sent back is bounced, once, also when a relay dies while it reads',
  async () => {
    await using host = await startMailHost({
      settings: [
        `header_checks = regexp:{ {/^Subject: Postern test mail/ PREPEND Authentication-Results: ${results}} }`,
      ],
    });
    for (let n = 0; n < 3; n++) await host.dovecot.deliver(letter);
    await using stack = await startStack({
      provider: false,
      processes: ['api', 'relay'],
      relays: 2,
      // Nobody is asked about the domain: it is not what this is about.
      relay: { ...host.environment, DNS_RESOLVERS: '127.0.0.1' },
      api: { SMTP_FROM_EMAIL: host.dovecot.user },
    });
    await sendsToItself(stack);
    const isBounced = (n: number) =>
      until(async () => (await count(stack, "recipient where status = 'bounced'")) === n, {
        what: `${n} bounced recipients`,
        timeoutMs: 60_000,
      });

    const [id = ''] = await send(stack, ['nobody']);
    await isBounced(1);
    const { body: mail } = await stack.api.get(`/api/v1/emails/${id}`);
    expect(mail.recipients).toMatchObject([
      { status: 'bounced', after_sent: true, reason: 'user-unknown', bounced_at: expect.any(String) },
    ]);
    const { body: timeline } = await stack.api.get(`/api/v1/emails/${id}/events`);
    const told = timeline.data.filter(({ type }: { type: string }) => ['sent', 'bounced'].includes(type));
    expect(told.map(({ type }: { type: string }) => type)).toEqual(['sent', 'bounced']);
    expect(told[1].detail.reply).toContain('unknown user');
    const arrived = (await host.dovecot.contents()).find(({ text }) => text.includes('delivery-status'));
    // Maildir: a name begins with the second of its arrival.
    const waited = Date.parse(mail.recipients[0].bounced_at) / 1_000 - Number(arrived?.name.split('.')[0]);
    expect(waited).toBeLessThanOrEqual(patienceSeconds);

    // Whoever reads is held up in the middle of writing a report down, and killed there.
    await using holder = openDatabase({ url: stack.database.url, applicationName: 'test', max: 1 });
    await holder.transaction(async (tx) => {
      await tx.query('lock table bounce_report in share row exclusive mode');
      await send(
        stack,
        Array.from({ length: 10 }, (_, n) => `nobody${n}`),
      );
      await until(
        () => count(stack, "pg_stat_activity where wait_event_type = 'Lock' and query ~ 'bounce_report'"),
        { what: 'a relay that writes a report down' },
      );
      await until(async () => (await count(stack, "recipient where status = 'sent'")) === 11, {
        what: 'all mail to be sent',
      });
      const { rows } = await stack.database.query<{ held_by: string }>('select held_by from bounce_mailbox');
      const reading = stack.relays.find(({ output }) => output.includes(rows[0]?.held_by ?? '-'));
      expect(reading).toBeDefined();
      reading?.process.kill('SIGKILL');
      await reading?.process.exited;
    });
    // Its lease would have ended within a minute.
    await stack.database.query('update bounce_mailbox set lease_until = now()');
    await isBounced(11);

    expect(await count(stack, "event where type = 'bounced'")).toBe(11);
    expect(await count(stack, 'bounce_report')).toBe(11);
    const lying = await host.dovecot.contents();
    expect(lying.filter(({ text }) => text.includes('Where is it?'))).toHaveLength(3);
    // With the mail to itself.
    expect(lying).toHaveLength(15);
    // No letter behind the comma: no flag was set.
    expect(lying.filter(({ name }) => /:2,./.test(name))).toEqual([]);
    const { body: settings } = await stack.api.get('/api/v1/test-email/config');
    expect(settings.mailbox).toMatchObject({ state: 'reading', without_effect: [] });
  },
  180_000,
);
