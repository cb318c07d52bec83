// One recipient's or one mail's refusal stops nobody else; the same words to three recipients do, until another passes.
import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { countByStatus, environmentFor, openWayOut, queueMail, queueMails, settled } from './way-out.ts';

const refused = '554 Blocked';
const to = (...names: string[]) => names.map((name) => ({ to: [`${name}@example.net`] }));

test('words that name nobody defer one recipient, and stop the credential at the third', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  const rule = provider.on('dot', refused, {
    when: ({ envelope }) => envelope.recipients.some((address) => address.startsWith('odd')),
  });
  // Nothing is tried again meanwhile: a recipient that is refused after the success counts anew.
  const environment = environmentFor(provider, { RETRY_SCHEDULE: '1h' });
  await using wayOut = await openWayOut(database.url, environment);
  const state = () => wayOut.delivery.report().lanes[0]?.state;

  await queueMails(database.query, to('odd1', 'odd2'));
  await until(async () => (await countByStatus(database.query)).deferred === 2, {
    what: 'two to be deferred',
  });
  expect(state()).toBe('open');

  // A success between: what was counted before it counts no more.
  const [good] = await queueMails(database.query, to('good'));
  await settled(database.query, good?.queueId ?? '', ['sent']);
  await queueMails(database.query, to('odd3', 'odd4'));
  await until(async () => (await countByStatus(database.query)).deferred === 4, {
    what: 'four to be deferred',
  });
  expect(state()).toBe('open');

  await queueMails(database.query, to('odd5'));
  await until(() => state() === 'stopped', { what: 'the third in a row to stop the lane' });
  rule.remove();
});

test('the recipient whose own account is disabled bounces, and everybody else is sent', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('dot', '554 delivery error: This account has been disabled or discontinued [#101]', {
    when: ({ envelope }) => envelope.recipients.some((address) => address.startsWith('gone')),
  });
  await using wayOut = await openWayOut(database.url, environmentFor(provider));
  const gone = await queueMails(database.query, to('gone1', 'gone2', 'gone3', 'gone4'));
  const good = await queueMails(database.query, to('good1', 'good2'));
  for (const { queueId } of gone) await settled(database.query, queueId, ['bounced']);
  for (const { queueId } of good) await settled(database.query, queueId, ['sent']);
  expect(wayOut.delivery.report().lanes[0]?.state).toBe('open');
});

test('a mail that stopped the lane wrongly is found out: another goes first, then it waits alone', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('dot', '550 5.7.1 Your account has been blocked from sending', {
    when: ({ envelope }) => envelope.recipients.some((address) => address.startsWith('odd')),
  });
  // The odd one is tried when we say so, once.
  const environment = environmentFor(provider, { RETRY_SCHEDULE: '1h' });
  await using wayOut = await openWayOut(database.url, environment, { stoppedProbeMs: [300, 300] });
  const state = () => wayOut.delivery.report().lanes[0]?.state;
  const { queueId } = await queueMail(database.query, to('odd')[0]);
  await until(() => state() === 'stopped', { what: 'unmistakable words to stop the lane' });

  const good = await queueMails(database.query, to('good1', 'good2', 'good3'));
  for (const mail of good) await settled(database.query, mail.queueId, ['sent']);
  await database.query(
    `update recipient set next_attempt_at = now() where queue_id = $1 and status in ('queued', 'deferred')`,
    [queueId],
  );
  expect(await settled(database.query, queueId, ['deferred'])).toMatchObject({ attempts: 1 });
  expect(state()).toBe('open');
});

test('a reply that no rule knows is kept once, without the address', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  // Not the notices to the submitter, which would be counted as well.
  provider.on('rcpt', '550 5.9.9 Zorp frobnicated for <odd@example.net>', {
    when: ({ recipient }) => recipient === 'odd@example.net',
  });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  for (const { queueId } of await queueMails(database.query, to('odd', 'odd'))) {
    await settled(database.query, queueId, ['bounced']);
  }
  const kept = async () => (await database.query('select template, cause, seen from unknown_reply')).rows;
  await until(async () => (await kept())[0]?.seen === 2, { what: 'both to be counted' });
  expect(await kept()).toEqual([
    { template: '550 5.9.9 Zorp frobnicated for <address>', cause: 'recipient-refused', seen: 2 },
  ]);
});
