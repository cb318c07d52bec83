import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ConfigEntry,
  type EmailConfig,
  readEmailConfig,
  type SavedConfig,
  saveEmailConfig,
} from '../../../../relay/client/email-config/email-config.ts';
import { claimDueEmails } from '../../../../relay/client/outbox/claim.ts';
import { acceptAs, inSeconds, startPostern, type TestPostern } from '../postern.ts';

const config: EmailConfig = {
  enabled: true,
  recipients: [{ address: 'ann@example.com', name: 'Ann' }],
  fromName: 'Acme',
  replyTo: [{ address: 'help@example.com' }],
  timeZone: 'Europe/Berlin',
};

const tomorrow = inSeconds(86_400);
const entry = (key: string, changes: Partial<ConfigEntry> = {}): ConfigEntry => ({
  key,
  subject: `Subject of ${key}`,
  text: 'Hello',
  dueAt: tomorrow,
  ...changes,
});

const save = (
  { database }: TestPostern,
  entries: readonly ConfigEntry[],
  changes: Partial<EmailConfig> = {},
  { clientId = 'acme', sender = 'postern@example.com' } = {},
) =>
  saveEmailConfig(database, {
    clientId,
    config: { ...config, ...changes },
    entries,
    from: sender ? { address: sender } : undefined,
    actor: 'ann',
    saver: { apiKeyId: undefined, isAdmin: false },
  });

const saved = async (...given: Parameters<typeof save>): Promise<SavedConfig> => {
  const result = await save(...given);
  if (result.outcome !== 'saved') throw new Error(`not saved: ${JSON.stringify(result)}`);
  return result;
};

const idsOf = ({ emails }: Pick<SavedConfig, 'emails'>) =>
  new Map(emails.map(({ entryKey, id }) => [entryKey, id]));

test('saving the same form ten times changes nothing', async () => {
  await using postern = await startPostern();
  const entries = ['a', 'b', 'c'].map((key) => entry(key));
  const first = await saved(postern, entries);
  expect(first.scheduled).toEqual({ kept: 0, updated: 0, created: 3, cancelled: 0 });
  for (let i = 0; i < 10; i++) {
    const again = await saved(postern, entries);
    expect(again.scheduled).toEqual({ kept: 3, updated: 0, created: 0, cancelled: 0 });
    expect(again.warnings).toEqual([]);
    expect(again.emails).toEqual(first.emails);
  }
  expect(await readEmailConfig(postern.database, 'acme')).toMatchObject({
    apiKeyId: null,
    config,
    emails: first.emails,
  });
  expect(await readEmailConfig(postern.database, 'other')).toBeUndefined();
});

test('a form from before the zone beside an offset was remembered is not changed by being saved again', async () => {
  await using postern = await startPostern();
  await saved(postern, [entry('a')]);
  const zone = { timeZone: 'Europe/Berlin', localTime: '2030-01-01T09:00:00' };
  const again = await saved(postern, [entry('a', zone)]);
  expect(again.scheduled).toEqual({ kept: 1, updated: 0, created: 0, cancelled: 0 });
});

test('changed entries keep their ids, new ones are made, removed ones are cancelled', async () => {
  await using postern = await startPostern();
  const before = await saved(postern, [entry('keep'), entry('change'), entry('remove')]);
  const after = await saved(postern, [entry('keep'), entry('change', { subject: 'New' }), entry('add')]);
  expect(after.scheduled).toEqual({ kept: 1, updated: 1, created: 1, cancelled: 1 });
  expect(after.emails.map(({ entryKey, subject, revision }) => [entryKey, subject, revision])).toEqual([
    ['keep', 'Subject of keep', 1],
    ['change', 'New', 2],
    ['add', 'Subject of add', 1],
  ]);
  for (const key of ['keep', 'change']) expect(idsOf(after).get(key)).toBe(idsOf(before).get(key));

  const back = await saved(postern, [
    entry('keep'),
    entry('change', { subject: 'New' }),
    entry('add'),
    entry('remove'),
  ]);
  expect(back.scheduled).toEqual({ kept: 3, updated: 0, created: 1, cancelled: 0 });
  expect(idsOf(back).get('remove')).not.toBe(idsOf(before).get('remove'));
});

test('what all entries share reaches all of them', async () => {
  await using postern = await startPostern();
  await saved(postern, [entry('a'), entry('b')]);
  const changed = await saved(postern, [entry('a'), entry('b')], {
    recipients: [{ address: 'bob@example.com' }],
  });
  expect(changed.scheduled).toMatchObject({ updated: 2 });
  expect(changed.emails[1]).toMatchObject({
    recipients: [{ kind: 'to', address: 'bob@example.com' }],
    from: { address: 'postern@example.com', name: 'Acme' },
    replyTo: [{ address: 'help@example.com' }],
  });
});

test('mail that has left is never touched, and a change to it is told', async () => {
  await using postern = await startPostern();
  const dueAt = inSeconds(-86_400);
  const first = await saved(postern, [entry('sent'), entry('queued'), entry('gone')]);
  const id = (key: string) => idsOf(first).get(key) ?? '';
  await acceptAs(postern, id('sent'), [{ status: 'sent', marked: true }]);
  await acceptAs(postern, id('queued'), [{ status: 'queued' }]);
  await acceptAs(postern, id('gone'), [{ status: 'sending' }]);
  await postern.db.query('update email set due_at = $1', [dueAt]);

  const unchanged = ['sent', 'queued', 'gone'].map((key) => entry(key, { dueAt }));
  expect(await saved(postern, unchanged)).toMatchObject({ scheduled: { kept: 3 }, warnings: [] });

  const changed = await saved(postern, [entry('sent', { dueAt, subject: 'New' })]);
  expect(changed.scheduled).toEqual({ kept: 1, updated: 0, created: 0, cancelled: 1 });
  expect(changed.warnings).toEqual([
    { key: 'sent', reason: 'locked', status: 'sent' },
    { key: 'gone', reason: 'locked', status: 'sending' },
  ]);
  expect(changed.emails.map(({ entryKey, subject }) => [entryKey, subject])).toEqual([
    ['sent', 'Subject of sent'],
    ['gone', 'Subject of gone'],
  ]);
});

test('a form that is switched off pauses, and goes on with what is still ahead', async () => {
  await using postern = await startPostern();
  const entries = [entry('soon', { dueAt: inSeconds(60) }), entry('later')];
  const before = await saved(postern, entries);
  const off = await saved(postern, entries, { enabled: false });
  expect(off.scheduled).toEqual({ kept: 2, updated: 0, created: 0, cancelled: 0 });
  expect(off.emails.map(({ paused }) => paused)).toEqual([true, true]);

  await postern.db.query(
    `update email set due_at = now() - interval '1 minute', next_hand_over_at = now() where entry_key = 'soon'`,
  );
  expect(await claimDueEmails(postern.database, { limit: 10 })).toEqual([]);
  const missed = (await readEmailConfig(postern.database, 'acme'))?.emails[0]?.dueAt ?? tomorrow;
  const on = await saved(postern, [entry('soon', { dueAt: missed }), entry('later')]);
  expect(on.emails).toMatchObject([
    { entryKey: 'soon', status: 'expired', reason: 'missed-while-paused' },
    { entryKey: 'later', status: 'pending', paused: false },
  ]);
  expect(idsOf(on)).toEqual(idsOf(before));

  const again = await saved(postern, [entry('soon'), entry('later')]);
  expect(again.emails).toMatchObject([
    { entryKey: 'soon', status: 'pending' },
    { entryKey: 'later', status: 'pending' },
  ]);
});

test('a new or changed entry of the past is refused and nothing is saved, one that was there already is fine', async () => {
  await using postern = await startPostern();
  const old = inSeconds(-360);
  await saved(postern, [entry('a')]);
  await postern.db.query('update email set due_at = $1', [old]);
  expect(
    await save(postern, [entry('a', { dueAt: old }), entry('b', { dueAt: old })], { enabled: false }),
  ).toEqual({
    outcome: 'in-the-past',
    entries: [1],
  });
  expect(await readEmailConfig(postern.database, 'acme')).toMatchObject({ config: { enabled: true } });
  expect(await save(postern, [entry('a', { dueAt: inSeconds(-400) })])).toMatchObject({
    outcome: 'in-the-past',
  });
  expect(await saved(postern, [entry('a', { dueAt: old })])).toMatchObject({ scheduled: { kept: 1 } });
  expect(
    await saved(postern, [entry('a', { dueAt: old }), entry('b', { dueAt: inSeconds(-200) })]),
  ).toMatchObject({
    scheduled: { kept: 1, created: 1 },
  });
});

test('while no sender is known the mail is held, and takes the sender of the next save', async () => {
  await using postern = await startPostern();
  const held = await saved(postern, [entry('a')], {}, { sender: '' });
  expect(held.emails).toMatchObject([{ status: 'held', reason: 'not-configured', from: null }]);
  const known = await saved(postern, [entry('a')]);
  expect(known.emails).toMatchObject([
    { status: 'pending', from: { address: 'postern@example.com', name: 'Acme' } },
  ]);
});

test('saves of one form at the same time wait for each other, and every answer is true', async () => {
  await using postern = await startPostern();
  const results = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      saved(postern, [entry('a', { subject: `Number ${i}` }), entry(`own-${i}`)]),
    ),
  );
  expect(results.filter(({ scheduled }) => scheduled.created === 2)).toHaveLength(1);
  for (const [i, { emails }] of results.entries()) {
    expect(emails.map(({ subject }) => subject)).toEqual([`Number ${i}`, `Subject of own-${i}`]);
  }
  const { rows } = await postern.db.query('select from email where status = $1', ['pending']);
  expect(rows).toHaveLength(2);
});

test('two clients do not see each other’s entries', async () => {
  await using postern = await startPostern();
  await saved(postern, [entry('a')], {}, { clientId: 'one' });
  expect((await saved(postern, [entry('a')], {}, { clientId: 'two' })).scheduled).toMatchObject({
    created: 1,
  });
  expect((await saved(postern, [], {}, { clientId: 'two' })).scheduled).toMatchObject({ cancelled: 1 });
  expect((await readEmailConfig(postern.database, 'one'))?.emails).toMatchObject([{ status: 'pending' }]);
});

test('whatever is saved in whatever order, the form and its mails say the same', async () => {
  await using postern = await startPostern();
  const form = fc.record({
    enabled: fc.boolean(),
    entries: fc.uniqueArray(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        subject: fc.constantFrom('one', 'two'),
        dueAt: fc.constantFrom(tomorrow, inSeconds(172_800)),
      }),
      { selector: ({ key }) => key },
    ),
  });
  let client = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(form, { minLength: 1, maxLength: 5 }), async (forms) => {
      const clientId = `client-${client++}`;
      let ids = new Map<string | null, string>();
      for (const { enabled, entries } of forms) {
        const result = await saved(postern, entries, { enabled }, { clientId });
        const shown = result.emails.map(({ entryKey, subject, dueAt, paused, status }) => ({
          key: entryKey,
          subject,
          dueAt,
          paused,
          status,
        }));
        const expected = entries.map((each) => ({ ...each, paused: !enabled, status: 'pending' }));
        const byKey = (x: { key: string | null }, y: { key: string | null }) =>
          (x.key ?? '') < (y.key ?? '') ? -1 : 1;
        expect(shown.toSorted(byKey)).toEqual(expected.toSorted(byKey));
        const { kept, updated, created } = result.scheduled;
        expect(kept + updated + created).toBe(entries.length);
        for (const [key, id] of idsOf(result)) if (ids.has(key)) expect(id).toBe(ids.get(key));
        ids = idsOf(result);
      }
    }),
    { numRuns: 20 },
  );
});
