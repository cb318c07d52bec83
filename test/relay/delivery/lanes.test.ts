import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { acceptThen, drop, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import {
  countByStatus,
  environmentFor,
  eventsOf,
  openWayOut,
  queueMail,
  queueMails,
  recipientsOf,
  settled,
} from './way-out.ts';

const many = (n: number) => Array.from({ length: n }, () => ({}));

test('a rotated password with 1,000 mails queued: no bounce, one AUTH, and all leave once it is right', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await queueMails(database.query, many(1_000));
  const { user, password } = provider;
  provider.users.set(user, 'rotated');
  {
    await using first = await openWayOut(database.url, environmentFor(provider));
    await using second = await openWayOut(database.url, environmentFor(provider));
    for (const { delivery } of [first, second]) {
      await until(() => delivery.report().lanes[0]?.state === 'stopped', {
        what: 'both relays to stop the lane',
      });
    }
    expect(provider.authAttempts).toHaveLength(1);
    await until(async () => (await countByStatus(database.query)).queued === 1_000, {
      what: 'all to be queued again',
    });
    expect(first.delivery.report().lanes[0]).toMatchObject({ cause: 'auth-bad-credentials' });
    expect((await database.query('select from recipient where attempts > 0')).rowCount).toBe(0);
  }
  // A new password is a new lane: nobody has to unlock anything.
  const environment = environmentFor(provider, { SMTP_PASSWORD: 'rotated' });
  await using _ = await openWayOut(database.url, environment);
  await until(async () => (await countByStatus(database.query)).sent === 1_000, {
    what: 'all to be sent',
    timeoutMs: 60_000,
  });
  expect(provider.messages).toHaveLength(1_000);
  expect(provider.authAttempts.filter(({ password: tried }) => tried === password)).toHaveLength(1);
}, 120_000);

test('a stopped lane is probed with one AUTH at a time, ever more slowly, and opens when a probe passes', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { user, password } = provider;
  provider.users.set(user, 'somebody changed it');
  const { queueId } = await queueMail(database.query);
  await using wayOut = await openWayOut(database.url, environmentFor(provider), {
    stoppedProbeMs: [300, 10_000],
  });
  await until(() => provider.authAttempts.length === 4, { what: 'three probes' });
  const [, first = 0, second = 0, third = 0] = provider.authAttempts.map(({ at }) => at);
  // Each wait is twice the one before, and a slow machine makes it longer only.
  expect(second - first).toBeGreaterThanOrEqual(590);
  expect(third - second).toBeGreaterThanOrEqual(1_190);
  provider.users.set(user, password);
  await settled(database.query, queueId, ['sent']);
  expect(wayOut.delivery.report().lanes[0]).toMatchObject({ state: 'open', cause: null });
});

test('a daily quota pauses the lane until its window ends, and the mail is kept', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('dot', '550 5.4.5 Daily user sending limit exceeded', { times: 1 });
  await using wayOut = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query);
  await until(() => wayOut.delivery.report().lanes[0]?.state === 'paused', { what: 'the lane to be paused' });
  const [recipient] = await until(async () => {
    const found = await recipientsOf(database.query, queueId);
    return found[0]?.status === 'queued' && found;
  });
  expect(recipient).toMatchObject({ attempts: 0 });
  await until(
    () => (wayOut.delivery.report().lanes[0]?.next_probe_at?.getTime() ?? 0) > Date.now() + 60_000,
    {
      what: 'the end of the window to be known',
    },
  );
  // The window ends.
  await database.query("update lane set next_probe_at = now() where state = 'paused'");
  await settled(database.query, queueId, ['sent']);
});

test("mail of a sender the account does not own is held with the fix; everybody else's flows", async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const isStranger = ({ envelope }: { envelope: { sender: string } }) =>
    envelope.sender === 'boss@example.com';
  const rule = provider.on(
    'rcpt',
    '553 5.7.1 <boss@example.com>: Sender address rejected: not owned by user mailer@example.com',
    {
      when: isStranger,
    },
  );
  const good = await queueMails(database.query, many(300));
  const bad = await queueMails(database.query, [{ from: 'boss@example.com' }, { from: 'boss@example.com' }]);
  await queueMails(database.query, many(300));
  await using wayOut = await openWayOut(database.url, environmentFor(provider), {
    senderProbeMs: [400, 400],
  });

  await until(async () => (await countByStatus(database.query)).sent === 600, {
    what: 'the others to be sent',
    timeoutMs: 60_000,
  });
  for (const { queueId } of bad) {
    const recipient = await settled(database.query, queueId, ['held']);
    expect(recipient).toMatchObject({ reason: 'sender-not-owned', attempts: 0 });
    expect(recipient.reasonDetail).toContain('SMTP_FROM_EMAIL');
  }
  expect(good).toHaveLength(300);
  expect(wayOut.delivery.report().lanes[0]).toMatchObject({
    state: 'open',
    held_senders: [{ sender: 'boss@example.com', cause: 'sender-not-owned' }],
  });

  // The owner of the account has added the address: one mail finds out, the others follow.
  rule.remove();
  for (const { queueId } of bad) await settled(database.query, queueId, ['sent']);
  await until(() => wayOut.delivery.report().lanes[0]?.held_senders.length === 0, {
    what: 'the hold to be lifted',
  });
}, 120_000);

test('a new password is a new chance for held senders as well', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const rule = provider.on('rcpt', '553 5.7.1 Sender address rejected: not owned by user');
  const { queueId } = await queueMail(database.query);
  {
    await using _ = await openWayOut(database.url, environmentFor(provider));
    await settled(database.query, queueId, ['held']);
  }
  rule.remove();
  provider.users.set(provider.user, 'another');
  await using _ = await openWayOut(database.url, environmentFor(provider, { SMTP_PASSWORD: 'another' }));
  await settled(database.query, queueId, ['sent']);
});

test('recipients are independent: 250, 450 and 550 make one sent, one deferred and one bounced', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const to = (address: string) => ({
    when: ({ recipient }: { recipient?: string }) => recipient === address,
  });
  const greylist = provider.on('rcpt', '450 4.2.0 Greylisted, try again later', to('bob@example.org'));
  provider.on('rcpt', '550 5.1.1 User unknown', to('eve@example.org'));
  await using _ = await openWayOut(database.url, environmentFor(provider, { RETRY_SCHEDULE: '1h' }));
  const { queueId, messageId } = await queueMail(database.query, {
    to: ['ann@example.org', 'bob@example.org', 'eve@example.org'],
  });
  await settled(database.query, queueId, ['sent']);
  expect((await recipientsOf(database.query, queueId)).map(({ status, reason }) => [status, reason])).toEqual(
    [
      ['sent', null],
      ['deferred', 'greylist'],
      ['bounced', 'user-unknown'],
    ],
  );
  greylist.remove();
  await database.query("update recipient set next_attempt_at = now() where status = 'deferred'");
  await until(async () => (await recipientsOf(database.query, queueId))[1]?.status === 'sent', {
    what: 'Bob to get his',
  });
  expect(provider.copiesOf(messageId).map(({ envelope }) => envelope.recipients)).toEqual([
    ['ann@example.org'],
    ['bob@example.org'],
  ]);
});

test('too many recipients at once are sent in smaller batches, each recipient once', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('rcpt', '452 4.5.3 Too many recipients', {
    when: ({ envelope }) => envelope.recipients.length >= 10,
  });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const to = Array.from({ length: 35 }, (_, n) => `person${n}@example.org`);
  const { queueId, messageId } = await queueMail(database.query, { to });
  await until(async () => (await countByStatus(database.query)).sent === 35, { what: 'all to get theirs' });
  expect(
    provider
      .copiesOf(messageId)
      .flatMap(({ envelope }) => envelope.recipients)
      .toSorted(),
  ).toEqual(to.toSorted());
  expect((await recipientsOf(database.query, queueId)).every(({ attempts }) => attempts === 1)).toBe(true);
});

test('a mail that is refused as a whole for having too many recipients is halved until it fits', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('data', '554 5.5.3 Too many recipients in one message', {
    when: ({ envelope }) => envelope.recipients.length > 3,
  });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const to = Array.from({ length: 10 }, (_, n) => `person${n}@example.org`);
  const { messageId } = await queueMail(database.query, { to });
  await until(async () => (await countByStatus(database.query)).sent === 10, { what: 'all to get theirs' });
  expect(
    provider
      .copiesOf(messageId)
      .flatMap(({ envelope }) => envelope.recipients)
      .toSorted(),
  ).toEqual(to.toSorted());
});

test('a second provider takes over from one that is stopped, where its allowed senders permit', async () => {
  await using database = await freshDatabase();
  await using first = await startProvider();
  await using second = await startProvider();
  first.users.set(first.user, 'rotated');
  const { SMTP_CA_FILE: _caFile, ...block } = second.environment();
  const more = Object.fromEntries(
    Object.entries(block).map(([name, value]) => [name.replace('SMTP_', 'SMTP2_'), value]),
  );
  await using _ = await openWayOut(
    database.url,
    environmentFor(first, {
      ...more,
      SMTP2_CA_FILE: second.caFile,
      SMTP2_ALLOWED_SENDERS: 'mailer@example.com',
    }),
  );
  const mine = await queueMail(database.query);
  const theirs = await queueMail(database.query, { from: 'other@example.net' });
  await settled(database.query, mine.queueId, ['sent']);
  expect(second.copiesOf(mine.messageId)).toHaveLength(1);
  expect((await recipientsOf(database.query, theirs.queueId))[0]).toMatchObject({
    status: expect.stringMatching(/queued|sending/),
  });
  expect(second.messages).toHaveLength(1);
});

test('a provider that allows fewer connections than configured gets fewer', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('greeting', '421 4.7.0 Too many concurrent connections', {
    when: () => provider.connections.filter(({ closedAt }) => closedAt === undefined).length > 2,
  });
  await queueMails(database.query, many(100));
  await using wayOut = await openWayOut(database.url, environmentFor(provider));
  await until(async () => (await countByStatus(database.query)).sent === 100, { what: 'all to be sent' });
  expect(wayOut.delivery.report().lanes[0]).toMatchObject({ state: 'open' });
  expect(provider.messages).toHaveLength(100);
});

test('three mails in a row without a final reply stop the route, and the other one carries the rest', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('dot', drop, { mode: 'implicit' });
  await using wayOut = await openWayOut(
    database.url,
    environmentFor(provider, { SMTP_MAX_CONNECTIONS: '1' }),
    { resendMs: 60_000 },
  );
  await queueMails(database.query, many(10));
  await until(async () => (await countByStatus(database.query)).sent === 7, { what: 'seven to be sent' });
  expect(await countByStatus(database.query)).toEqual({ sent: 7, uncertain: 3 });
  expect(wayOut.delivery.report().routes[0]).toMatchObject({ state: 'stopped', cause: 'final-replies-lost' });
});

test('uncertain mail is held after a second time without an answer, and never sent a third time', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { queueId, messageId } = await queueMail(database.query);
  provider.on('dot', acceptThen(drop), {
    when: ({ envelope }) => envelope.recipients[0] === 'ann@example.org',
  });
  await using _ = await openWayOut(database.url, environmentFor(provider), { resendMs: 200 });
  expect(await settled(database.query, queueId, ['held'])).toMatchObject({
    reason: 'uncertain-twice',
    resends: 1,
  });
  expect(provider.copiesOf(messageId)).toHaveLength(2);
  expect((await eventsOf(database.query, queueId)).map(({ type }) => type)).toEqual([
    'attempt',
    'uncertain',
    'requeued',
    'attempt',
    'held',
  ]);
});

test('under the policy to hold, uncertain mail waits for a person', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('dot', drop, { times: 1 });
  await using _ = await openWayOut(database.url, environmentFor(provider, { UNCERTAIN_POLICY: 'hold' }), {
    resendMs: 50,
  });
  const { queueId } = await queueMail(database.query);
  expect(await settled(database.query, queueId, ['uncertain'])).toMatchObject({ nextInSeconds: null });
  const other = await queueMail(database.query);
  await settled(database.query, other.queueId, ['sent']);
  expect((await recipientsOf(database.query, queueId))[0]?.status).toBe('uncertain');
});

test('hourly limits hold bulk back before they hold invitations back, and count for all relays', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await queueMails(
    database.query,
    Array.from({ length: 20 }, () => ({ priority: 2 })),
  );
  const environment = environmentFor(provider, { SMTP_MAX_PER_HOUR: '10' });
  await using first = await openWayOut(database.url, environment);
  await using second = await openWayOut(database.url, environment);
  await until(async () => (await countByStatus(database.query)).sent === 9, {
    what: 'nine tenths to be sent',
  });
  const invitation = await queueMail(database.query, { priority: 0 });
  await settled(database.query, invitation.queueId, ['sent']);
  const next = await queueMail(database.query, { priority: 0 });
  await until(() => [first, second].some(({ delivery }) => delivery.report().lanes[0]?.paced_until), {
    what: 'the limit to be told',
  });
  expect((await recipientsOf(database.query, next.queueId))[0]?.attempts).toBe(0);
  expect(provider.messages).toHaveLength(10);
});

test('a lane fault is told once, and so is its end', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const { user, password } = provider;
  provider.users.set(user, 'rotated');
  await queueMails(database.query, many(20));
  await using wayOut = await openWayOut(database.url, environmentFor(provider), {
    stoppedProbeMs: [100, 200],
  });
  await until(() => provider.authAttempts.length > 2, { what: 'probes that fail as well' });
  provider.users.set(user, password);
  await until(() => wayOut.alerts.length > 1, { what: 'the end of it' });
  expect(wayOut.alerts).toMatchObject([
    { kind: 'lane-stopped', lane: 'SMTP', cause: 'auth-bad-credentials', stage: 'auth' },
    { kind: 'lane-open', lane: 'SMTP', cause: 'auth-bad-credentials' },
  ]);
});
