import { expect, test } from 'vitest';
import { type EmailFilter, listByDueTime, listEmails } from '../../../../relay/client/email/list.ts';
import { writeHistory } from '../../../kit/history.ts';
import { inSeconds, insert, startPostern } from '../postern.ts';

test('pages follow each other without a gap or a repetition, the newest first', async () => {
  await using postern = await startPostern();
  const ids: string[] = [];
  for (let i = 0; i < 7; i++) ids.unshift((await insert(postern.database)).id);
  const seen: string[] = [];
  for (let after: string | undefined; ; after = seen.at(-1)) {
    const { emails, hasMore } = await listEmails(postern.database, {}, { limit: 3, after });
    seen.push(...emails.map(({ id }) => id));
    expect(emails[0]).toMatchObject({ subject: 'Hello', text: null, html: null });
    if (!hasMore) break;
  }
  expect(seen).toEqual(ids);
});

test('what is scheduled is listed soonest first, also across pages', async () => {
  await using postern = await startPostern();
  const dueAt = inSeconds(50);
  const { id: second } = await insert(postern.database, { dueAt });
  const { id: third } = await insert(postern.database, { dueAt });
  const { id: first } = await insert(postern.database, { dueAt: inSeconds(10) });
  const page = await listByDueTime(postern.database, {}, { limit: 2 });
  expect(page).toMatchObject({ emails: [{ id: first }, { id: second }], hasMore: true });
  expect(await listByDueTime(postern.database, {}, { limit: 2, after: second })).toMatchObject({
    emails: [{ id: third }],
    hasMore: false,
  });
});

test.each<[string, EmailFilter, string[]]>([
  ['status', { statuses: ['held'] }, ['held']],
  ['several statuses', { statuses: ['held', 'pending'] }, ['acme', 'plain', 'held']],
  ['kind', { kinds: ['scheduled'] }, ['acme']],
  ['client', { clientId: 'acme' }, ['acme']],
  ['customer', { customerId: '01900000-0000-7000-8000-00000000000c' }, ['plain']],
  ['a recipient in any case', { recipient: 'Bob@Example.com' }, ['plain']],
  ['words of the subject, taken as they are', { subject: '100% pl' }, ['plain']],
  ['an underscore that is no wildcard', { subject: '_' }, []],
  ['due time', { dueFrom: inSeconds(3000), dueBefore: inSeconds(4000) }, ['acme']],
  ['creation time', { createdFrom: inSeconds(3000) }, []],
  ['creation time, before', { createdBefore: inSeconds(3000) }, ['acme', 'plain', 'held']],
  ['all at once', { statuses: ['pending'], kinds: ['single'], recipient: 'bob@example.com' }, ['plain']],
])('emails are found by %s', async (_, filter, expected) => {
  await using postern = await startPostern();
  const names = new Map<string, string>();
  const { id: held } = await insert(postern.database, { from: undefined });
  names.set(held, 'held');
  const { id: plain } = await insert(postern.database, {
    subject: '100% plain',
    customerId: '01900000-0000-7000-8000-00000000000c',
    recipients: [
      { kind: 'to', address: 'ann@example.com' },
      { kind: 'cc', address: 'bob@example.com' },
    ],
  });
  names.set(plain, 'plain');
  const { id: acme } = await insert(postern.database, {
    kind: 'scheduled',
    clientId: 'acme',
    entryKey: 'a',
    dueAt: inSeconds(3600),
  });
  names.set(acme, 'acme');
  const { emails } = await listEmails(postern.database, filter, { limit: 10 });
  expect(emails.map(({ id }) => names.get(id))).toEqual(expected);
});

test('mail to an address is found among much other mail, with its document or before it has one', async () => {
  await using postern = await startPostern();
  // Twice what is read one by one.
  await writeHistory(postern.db, { emails: 20_000 });
  await postern.db.query(
    `update email set recipients = '[{"kind":"to","address":"Rare@example.com","name":null}]'
     where id in (select id from (select id, row_number() over (order by id) as n from email) e where n % 2500 = 0)`,
  );
  const expected = (
    await postern.db.query<{ id: string }>(
      `select id from email where recipients @> '[{"address":"Rare@example.com"}]' order by id desc`,
    )
  ).rows.map(({ id }) => id);
  expect(expected).toHaveLength(8);
  const filter = { recipient: 'rare@example.com', recipientWords: "'rare@example.com'" };
  // A page that reaches from the newest to the oldest, and pages that begin further back.
  const findAll = async (limit = 7) => {
    const found: string[] = [];
    for (let after: string | undefined; ; after = found.at(-1)) {
      const { emails, hasMore } = await listEmails(postern.database, filter, { limit, after });
      found.push(...emails.map(({ id }) => id));
      if (!hasMore) return found;
    }
  };

  expect(await findAll()).toEqual(expected);
  expect(await findAll(3)).toEqual(expected);
  await postern.db.query(
    `insert into search_document (email_id, words)
     select id, array_to_tsvector(array[lower(recipients -> 0 ->> 'address')]) from email order by id limit 19000`,
  );
  expect(await findAll()).toEqual(expected);
  // As after an edit.
  await postern.db.query('update search_document set words = null where email_id = any($1)', [expected]);
  expect(await findAll()).toEqual(expected);
  // What all of them say narrows nothing.
  await postern.db.query("update search_document set words = 'rare@example.com'");
  expect(await findAll()).toEqual(expected);
});
