// Relays that are killed, frozen and stopped, and a database that goes away, while mail is on its way.
import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freshDatabase, ownPostgres } from '../../kit/database.ts';
import { gate, type Provider, startProvider } from '../../kit/provider.ts';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import {
  countByStatus,
  environmentFor,
  eventsOf,
  openWayOut,
  type Queued,
  queueMail,
  queueMails,
  recipientsOf,
  settled,
} from './way-out.ts';

const many = (n: number) => Array.from({ length: n }, () => ({}));
const patient = { SMTP_TIMEOUT: '5', SMTP_ALLOWED_SENDERS: '*', LOG_LEVEL: 'warn' };

test('the mail of a killed relay is resumed by another within 15 s', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const held = gate();
  provider.on('data', held.reaction, { times: 1 });
  await using killed = await startStack({ database, provider, processes: ['relay'], relay: patient });
  const { queueId, messageId } = await queueMail(database.query);
  await held.reached;
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const killedAt = performance.now();
  killed.relay.process.kill('SIGKILL');
  await settled(database.query, queueId, ['sent'], 15_000);
  expect(performance.now() - killedAt).toBeLessThan(15_000);
  expect(provider.copiesOf(messageId)).toHaveLength(1);
}, 60_000);

test('a relay that wakes up after its lease finds the fence shut: nothing is sent twice', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const held = gate();
  provider.on('data', held.reaction, { times: 1 });
  await using frozen = await startStack({ database, provider, processes: ['relay'], relay: patient });
  const { queueId, messageId } = await queueMail(database.query);
  const { connection } = await held.reached;
  frozen.relay.process.kill('SIGSTOP');
  await using _ = await openWayOut(database.url, environmentFor(provider));
  await settled(database.query, queueId, ['sent'], 20_000);
  frozen.relay.process.kill('SIGCONT');
  held.open();
  // The frozen relay's connection ends without a dot.
  await until(() => provider.connections.find(({ id }) => id === connection)?.closedAt, {
    what: 'the frozen relay to give up',
    timeoutMs: 20_000,
  });
  expect(provider.copiesOf(messageId)).toHaveLength(1);
  expect((await recipientsOf(database.query, queueId))[0]).toMatchObject({ status: 'sent' });
}, 60_000);

test('a final reply that comes late still turns uncertain into sent', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const held = gate();
  provider.on('dot', held.reaction, { times: 1 });
  await using frozen = await startStack({ database, provider, processes: ['relay'], relay: patient });
  const { queueId, messageId } = await queueMail(database.query);
  await held.reached;
  frozen.relay.process.kill('SIGSTOP');
  await using _ = await openWayOut(database.url, environmentFor(provider));
  expect(await settled(database.query, queueId, ['uncertain'], 20_000)).toMatchObject({
    reason: 'relay-lost',
  });
  frozen.relay.process.kill('SIGCONT');
  held.open();
  expect(await settled(database.query, queueId, ['sent'])).toMatchObject({
    replyCode: 250,
    nextInSeconds: null,
  });
  expect(provider.copiesOf(messageId)).toHaveLength(1);
}, 60_000);

test('a relay that is told to stop under load leaves nothing uncertain', async () => {
  await using provider = await startProvider();
  provider.on('dot', () => pause(randomInt(20)).then(() => undefined));
  await using stack = await startStack({ provider, processes: ['relay'], relay: patient });
  const mails: Queued[] = [];
  for (let round = 0; round < 3; round++) {
    const before = provider.messages.length;
    mails.push(...(await queueMails(stack.database.query, many(150))));
    await until(() => provider.messages.length > before + 20, { what: 'mail to flow' });
    stack.relay.process.kill('SIGTERM');
    await until(() => stack.relay.process.exit, {
      what: 'the relay to end',
      timeoutMs: 25_000,
    });
    expect(await countByStatus(stack.database.query)).not.toHaveProperty('uncertain');
    expect(await countByStatus(stack.database.query)).not.toHaveProperty('sending');
    await stack.relay.start();
  }
  await until(async () => (await countByStatus(stack.database.query)).sent === mails.length, {
    what: 'all to be sent',
    timeoutMs: 25_000,
  });
  expectOneCopyEach(provider, mails);
}, 120_000);

test('PostgreSQL restarting under load makes nothing uncertain, and nothing is lost or sent twice', async () => {
  await using postgres = await ownPostgres();
  await using provider = await startProvider();
  const mails = await queueMails(postgres.query, many(1_500));
  await using _ = await openWayOut(postgres.url, environmentFor(provider));
  for (const mode of ['fast', 'immediate'] as const) {
    const before = provider.messages.length;
    await until(() => provider.messages.length > before + 50, { what: 'mail to flow', timeoutMs: 25_000 });
    await postgres.stop(mode);
    await pause(500);
    await postgres.start();
  }
  await until(async () => (await countByStatus(postgres.query)).sent === 1_500, {
    what: 'all to be sent',
    timeoutMs: 60_000,
  });
  const uncertain = await postgres.query("select from event where type = 'uncertain'");
  expect(uncertain.rowCount).toBe(0);
  expectOneCopyEach(provider, mails);
}, 120_000);

test('two relays, killed and frozen at random under load: nothing lost, no copy that is not marked', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('dot', () => pause(randomInt(15)).then(() => undefined));
  await using stack = await startStack({
    database,
    provider,
    processes: ['relay'],
    relays: 2,
    relay: { ...patient, UNCERTAIN_POLICY: 'hold' },
  });
  const total = 1_000;
  const mails = await queueMails(database.query, many(total));
  for (let round = 0; round < 6; round++) {
    const before = provider.messages.length;
    await until(() => provider.messages.length > before + 20 || provider.messages.length > total - 50, {
      what: 'mail to flow',
      timeoutMs: 30_000,
    });
    const victim = stack.relays[randomInt(2)];
    if (round % 2 === 0) {
      victim?.process.kill('SIGKILL');
      await until(() => victim?.process.exit, { what: 'the relay to be gone' });
      await victim?.start();
    } else {
      victim?.process.kill('SIGSTOP');
      await pause(round === 3 ? 11_000 : 300);
      victim?.process.kill('SIGCONT');
    }
  }
  const done = await until(
    async () => {
      const { sent = 0, uncertain = 0, ...others } = await countByStatus(database.query);
      return sent + uncertain === total && Object.keys(others).length === 0 && { sent, uncertain };
    },
    { what: 'everything to be sent or uncertain', timeoutMs: 60_000 },
  );
  console.info(`two relays under fire: ${done.sent} sent, ${done.uncertain} uncertain`);
  for (const { queueId, messageId } of mails) {
    const copies = provider.copiesOf(messageId).length;
    const [recipient] = await recipientsOf(database.query, queueId);
    if (recipient?.status === 'sent') expect(copies, queueId).toBe(1);
    else expect(copies, queueId).toBeLessThanOrEqual(1);
    if (recipient?.status === 'uncertain')
      expect((await eventsOf(database.query, queueId)).map(({ type }) => type)).toContain('uncertain');
  }
}, 180_000);

function expectOneCopyEach(provider: Provider, mails: readonly Queued[]): void {
  const wrong = mails.filter(({ messageId }) => provider.copiesOf(messageId).length !== 1);
  expect(wrong).toEqual([]);
}
