import { expect, test } from 'vitest';
import { readEmail } from '../../../../relay/client/email/row.ts';
import { readTimeline } from '../../../../relay/client/email/timeline.ts';
import { claimDueEmails } from '../../../../relay/client/outbox/claim.ts';
import { editEmail } from '../../../../relay/client/outbox/edit.ts';
import { openHandOver } from '../../../../relay/client/outbox/hand-over.ts';
import { handOverClaimed } from '../../../../relay/client/outbox/hand-over-email.ts';
import { nextDueInMs } from '../../../../relay/client/outbox/outbox.ts';
import { startAcceptingRelay } from '../accepting-relay.ts';
import {
  acceptAs,
  ampleBudget,
  inSeconds,
  insert,
  silentLog as log,
  startPostern,
  type TestPostern,
} from '../postern.ts';

const edit = (
  { database }: TestPostern,
  id: string,
  changes: Parameters<typeof editEmail>[2],
  revision?: number,
) => database.transaction((tx) => editEmail(tx, id, changes, { actor: 'ann', revision }));

test('a scheduled mail takes a new time and content, and keeps the rest', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { dueAt: inSeconds(60), html: '<p>Hello</p>' });
  const before = await readEmail(postern.database, id);
  const dueAt = inSeconds(3600);
  const result = await edit(postern, id, { dueAt, subject: 'Changed', html: null });
  expect(result).toMatchObject({
    outcome: 'updated',
    email: { dueAt, subject: 'Changed', html: null, revision: 2 },
  });
  expect(await readEmail(postern.database, id)).toEqual({
    ...before,
    dueAt,
    subject: 'Changed',
    html: null,
    revision: 2,
    updatedAt: expect.any(Date),
  });
  expect((await readTimeline(postern.database, id)).at(-1)).toMatchObject({
    type: 'updated',
    detail: { actor: 'ann', changed: ['dueAt', 'subject', 'html'] },
  });
  expect(await nextDueInMs(postern.database)).toBeGreaterThan(3_500_000);
});

test('send now makes it due now', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { dueAt: inSeconds(3600) });
  await edit(postern, id, { dueAt: 'now' });
  expect(await claimDueEmails(postern.database, { limit: 1 })).toMatchObject([{ id }]);
});

test('who changes what somebody else changed meanwhile is told', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database, { dueAt: inSeconds(60) });
  const edits = await Promise.all(['a', 'b', 'c'].map((subject) => edit(postern, id, { subject }, 1)));
  expect(edits.map(({ outcome }) => outcome).toSorted()).toEqual([
    'changed-meanwhile',
    'changed-meanwhile',
    'updated',
  ]);
});

test('what the relay has, what is over and what never was cannot be changed', async () => {
  await using postern = await startPostern();
  const { id } = await insert(postern.database);
  await acceptAs(postern, id, [{ status: 'queued' }]);
  expect(await edit(postern, id, { subject: 'x' })).toMatchObject({
    outcome: 'locked',
    email: { status: 'queued' },
  });
  expect(await edit(postern, '01900000-0000-7000-8000-000000000000', {})).toEqual({ outcome: 'unknown' });
  expect(await readEmail(postern.database, id)).toMatchObject({ subject: 'Hello', revision: 1 });
});

test('a hand-over that is on its way never delivers an older version', async () => {
  await using postern = await startPostern();
  await using relay = await startAcceptingRelay(postern.db.url);
  const { port, user, password } = relay;
  await using handOver = openHandOver({ host: '127.0.0.1', port, user, password, sessions: 1, log });
  const { id } = await insert(postern.database, { dueAt: inSeconds(-1) });
  const [claimed] = await claimDueEmails(postern.database, { limit: 1 });
  if (!claimed) throw new Error('not claimed');
  relay.before = async () => {
    relay.before = () => {};
    await edit(postern, id, { subject: 'Changed' });
  };

  const deps = { database: postern.database, handOver, budget: ampleBudget(), log };
  expect(await handOverClaimed(deps, claimed)).toMatchObject({ outcome: 'refused' });
  expect(await readEmail(postern.database, id)).toMatchObject({ status: 'pending', reason: null });
  const [again] = await claimDueEmails(postern.database, { limit: 1 });
  if (!again) throw new Error('not claimed again');
  expect(await handOverClaimed(deps, again)).toMatchObject({ outcome: 'accepted' });
  expect(relay.taken.map(({ raw }) => /^Subject: (.*)\r$/m.exec(raw.toString())?.[1])).toEqual(['Changed']);
});
