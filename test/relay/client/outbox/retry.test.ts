import { expect, test } from 'vitest';
import { readDeliveries } from '../../../../relay/client/email/delivery.ts';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { readTimeline } from '../../../../relay/client/email/timeline.ts';
import { claimDueEmails } from '../../../../relay/client/outbox/claim.ts';
import { recordHandOver } from '../../../../relay/client/outbox/record.ts';
import { releaseHeld } from '../../../../relay/client/outbox/release.ts';
import { resolveEmail } from '../../../../relay/client/outbox/resolve.ts';
import { retryEmail } from '../../../../relay/client/outbox/retry.ts';
import { acceptAs, inSeconds, insert, startPostern } from '../postern.ts';

const nobody = '01900000-0000-7000-8000-000000000000';

test('mail that the relay refused goes out again when a person says so', async () => {
  await using postern = await startPostern();
  const email = await insert(postern.database);
  const { id } = email;
  await recordHandOver(postern.database, email, {
    outcome: 'refused',
    code: 550,
    enhanced: null,
    reply: '550 no',
  });
  expect(await retryEmail(postern.database, id, 'ann')).toEqual({ outcome: 'retried', status: 'pending' });
  expect(await claimDueEmails(postern.database, { limit: 1 })).toMatchObject([{ id }]);
  expect((await readTimeline(postern.database, id)).at(-1)).toMatchObject({
    type: 'requeued',
    detail: { actor: 'ann' },
  });
});

test('mail that expired before the relay saw it goes out as of now and does not expire again', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { dueAt: inSeconds(-7200), maxLateness: 'PT1H' });
  expect(await claimDueEmails(postern.database, { limit: 1 })).toEqual([]);
  expect(await retryEmail(postern.database, id, 'ann')).toMatchObject({ outcome: 'retried' });
  expect(await claimDueEmails(postern.database, { limit: 1 })).toMatchObject([{ id }]);
});

test('mail without a sender and mail that waits for its time are not retried', async () => {
  await using postern = await startPostern();
  const { id: senderless } = await insert(postern.database, { from: undefined });
  const { id: future } = await insert(postern.database, { dueAt: inSeconds(60) });
  expect(await retryEmail(postern.database, senderless, 'ann')).toEqual({
    outcome: 'not-retryable',
    status: 'held',
  });
  expect(await retryEmail(postern.database, future, 'ann')).toEqual({
    outcome: 'not-retryable',
    status: 'pending',
  });
  expect(await retryEmail(postern.database, nobody, 'ann')).toEqual({ outcome: 'unknown' });
});

test('at the relay only those who were not served are tried again', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(postern, id, [
    { status: 'sent', marked: true },
    { status: 'bounced', marked: true },
    { status: 'deferred' },
    { status: 'held' },
    { status: 'held', marked: true },
    { status: 'sending' },
    { status: 'uncertain', marked: true },
  ]);
  expect(await retryEmail(postern.database, id, 'ann')).toMatchObject({
    outcome: 'retried',
    status: 'uncertain',
  });
  expect((await readDeliveries(postern.database, id)).map(({ status }) => status)).toEqual([
    'sent',
    'queued',
    'queued',
    'queued',
    'held',
    'sending',
    'uncertain',
  ]);
});

test.each(['held', 'expired', 'deferred', 'bounced'])(
  'mail that is %s at the relay is tried again there',
  async (status) => {
    await using postern = await startPostern();
    const { id } = await insert(postern.database);
    await acceptAs(postern, id, [{ status }]);
    expect(await retryEmail(postern.database, id, 'ann')).toEqual({ outcome: 'retried', status: 'queued' });
    expect(await claimDueEmails(postern.database, { limit: 1 })).toEqual([]);
  },
);

test.each(['sent', 'sending', 'uncertain', 'cancelled'])('mail that is %s is not retried', async (status) => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(postern, id, [{ status, marked: status === 'sent' || status === 'uncertain' }]);
  expect(await retryEmail(postern.database, id, 'ann')).toEqual({ outcome: 'not-retryable', status });
});

test.each([
  ['sent', 'sent'],
  ['resend', 'queued'],
  ['cancelled', 'cancelled'],
] as const)('uncertain mail that a person resolves as %s becomes %s', async (resolution, status) => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(postern, id, [
    { status: 'uncertain', marked: true },
    { status: 'held', marked: true },
    { status: 'bounced' },
    { status: 'held' },
    { status: 'deferred' },
  ]);
  expect(await resolveEmail(postern.database, id, resolution, 'ann')).toMatchObject({ outcome: 'resolved' });
  const deliveries = await readDeliveries(postern.database, id);
  expect(deliveries.map((delivery) => delivery.status)).toEqual([
    status,
    status,
    'bounced',
    'held',
    'deferred',
  ]);
  expect(await resolveEmail(postern.database, id, resolution, 'ann')).toMatchObject({
    outcome: 'nothing-uncertain',
  });
  const resolved = (await readTimeline(postern.database, id)).filter(({ type }) => type === 'resolved');
  expect(resolved.map(({ recipient }) => recipient)).toEqual(['r0@example.com', 'r1@example.com']);
});

test('there is nothing to resolve about mail that is at home or never was', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  expect(await resolveEmail(postern.database, id, 'sent', 'ann')).toEqual({
    outcome: 'nothing-uncertain',
    status: 'pending',
  });
  expect(await resolveEmail(postern.database, nobody, 'sent', 'ann')).toEqual({ outcome: 'unknown' });
});

test('mail held for one reason is released together, except what may be out', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(postern, id, [{ status: 'held' }, { status: 'held', marked: true }, { status: 'held' }]);
  expect(await releaseHeld(postern.database, 'another', 'ann')).toBe(0);
  expect(await releaseHeld(postern.database, 'test', 'ann')).toBe(2);
  expect((await readDeliveries(postern.database, id)).map(({ status }) => status)).toEqual([
    'queued',
    'held',
    'queued',
  ]);
  expect(await readEmail(postern.database, id)).toMatchObject({ status: 'held' });
});
