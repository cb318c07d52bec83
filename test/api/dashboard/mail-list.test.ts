// The one list of all mail: of the api and over SMTP alike.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { behind, firstEmailId, firstQueueId, inOrder, timeOf } from '../../../api/dashboard/place.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import type { EmailDraft } from '../../../relay/client/email/draft.ts';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import type { Status } from '../../../relay/client/vocabulary.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

let dashboard: Dashboard;
let cookie: string;
beforeAll(async () => {
  dashboard = await startDashboard();
  cookie = await dashboard.cookie();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

const minute = 60_000;
const start = Date.now() - 60 * minute;

const email = async (minutes: number, draft: Partial<EmailDraft> = {}) => {
  // Not uuidv7(), whose ids never go back in time.
  const id = `${firstEmailId(start + minutes * minute).slice(0, 14)}7000-8000-${randomBytes(6).toString('hex')}`;
  await dashboard.database.transaction((tx) =>
    insertEmail(
      tx,
      {
        kind: 'single',
        from: { address: 'hello@example.com' },
        recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann Example' }],
        subject: 'Hello',
        text: 'Hello',
        // Not due, so that nothing but the test moves it.
        dueAt: new Date(Date.now() + 3_600_000),
        ...draft,
      },
      { id },
    ),
  );
  return id;
};

/** What the relay would have written. */
const submitted = async (
  minutes: number,
  {
    statuses = ['queued'],
    subject = 'Report',
    credential = 'shop',
  }: { statuses?: Status[]; subject?: string; credential?: string } = {},
) => {
  const id = newQueueId(new Date(start + minutes * minute));
  await dashboard.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, subject, size, priority, received_at)
     values ($1::text, $2, 'bounces@example.com', 'shop@example.com', '<' || $1::text || '@shop.example.com>', $3, 900, 1, $4)`,
    [id, credential, subject, new Date(start + minutes * minute)],
  );
  for (const [ordinal, status] of statuses.entries())
    await dashboard.query(
      `insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at, reason, finished_at, marked_at)
       values ($1, $2::integer, 'kim' || $2::integer || '@example.net', $3::text::mail_status, 1, case when $3::text in ('queued', 'deferred') then now() end,
         case when $3::text = 'held' then 'sender-not-owned' end, case when $3::text in ('sent', 'bounced', 'cancelled') then now() end,
         case when $3::text = 'uncertain' then now() end)`,
      [id, ordinal, status],
    );
  return id;
};

const ask = async (path: string, body?: unknown) => {
  const response = await fetch(dashboard.base + path, {
    headers: {
      cookie,
      ...(body !== undefined && { 'x-postern-dashboard': '1', 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return { text, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : undefined };
};
const found = async (query: Record<string, string>): Promise<string[]> =>
  (await ask(`/dashboard/emails?${new URLSearchParams(query)}`)).body.data.map(
    ({ id }: { id: string }) => id,
  );
const counted = async (query: Record<string, string>) =>
  (await ask(`/dashboard/emails/count?${new URLSearchParams(query)}`)).body.count;

describe('ids of both kinds', () => {
  test('tell their time, and where to read on in the other', () => {
    // Not in the past: ids of a process never go back behind one that it has made.
    const at = new Date();
    const [one, other] = [uuidv7(at), newQueueId(at)];
    expect([timeOf(one), timeOf(other)]).toEqual([at.getTime(), at.getTime()]);
    expect([other, one].sort(inOrder)).toEqual([one, other]);
    expect(behind(one).submitted > other).toBe(true);
    expect(behind(other).email < one).toBe(true);
    expect(firstQueueId(at.getTime()) <= other).toBe(true);
  });
});

describe('the list', () => {
  test('reads on through both, newest first, without a gap', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 60; n++) ids.push(await email(n / 10, { subject: 'Weaving' }));
    for (let n = 0; n < 60; n++) ids.push(await submitted(n / 10 + 0.05, { subject: 'Weaving too' }));
    const seen: string[] = [];
    let after = '';
    do {
      const { body } = await ask(`/dashboard/emails?text=weaving${after && `&after=${after}`}`);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      after = body.next ?? '';
    } while (after);
    expect(seen).toEqual(ids.sort(inOrder));
    expect(await counted({ text: 'weaving' })).toBe(120);
    expect(await counted({ text: 'weaving', source: 'smtp' })).toBe(60);
  });

  test('shows a submitted mail by its subject and its worst recipient', async () => {
    const id = await submitted(10, {
      statuses: ['sent', 'held', 'queued', 'queued'],
      subject: 'Quarterly figures',
    });
    const { body } = await ask('/dashboard/emails?text=quarterly');
    expect(body.data).toMatchObject([
      { id, source: 'smtp', status: 'held', reason: 'sender-not-owned', subject: 'Quarterly figures' },
    ]);
    expect(body.data[0]).toMatchObject({ recipient_count: 4, credential: 'shop', from: 'shop@example.com' });
    const { rows } = await dashboard.query<{ id: string }>(
      `insert into api_key (id, name, secret_hash, ending, scopes)
       values (gen_random_uuid(), 'Till seven', sha256('till'), 'till', '{send}') returning id`,
    );
    const keyId = rows[0]?.id ?? '';
    const ofKey = [
      await email(11, { apiKeyId: keyId, stream: 'news' }),
      await submitted(12, { credential: `key:${keyId}` }),
    ];
    expect(await found({ text: 'till SEV' })).toEqual(ofKey.toReversed());
    expect(await counted({ text: 'till sev' })).toBe(2);
    await dashboard.query(`update message set stream = 'news' where credential = $1`, [`key:${keyId}`]);
    expect(await found({ stream: 'news' })).toEqual(ofKey.toReversed());
    expect(await counted({ stream: 'news', text: 'till' })).toBe(2);
    for (const text of [
      'arterly fig',
      'KIM2@example',
      'bounces@',
      id.toLowerCase(),
      `<${id}@shop.example.com>`,
    ])
      expect(await found({ text, source: 'smtp' }), text).toContain(id);
    expect(await found({ text: 'quarterly', statuses: 'held' })).toEqual([id]);
    expect(await found({ text: 'quarterly', statuses: 'sent,queued' })).toEqual([]);
  });

  test('finds by source, tag, key, account, client, customer and day', async () => {
    const key = uuidv7();
    const customer = uuidv7();
    await dashboard.query(
      `insert into api_key (id, name, secret_hash, ending, scopes) values ($1::uuid, 'k', sha256($1::uuid::text::bytea), 'abcd', '{send}')`,
      [key],
    );
    const one = await email(20, { subject: 'Narrow', apiKeyId: key, clientId: 'acme', customerId: customer });
    const other = await submitted(21, { subject: 'Narrow', credential: 'printer' });
    for (const [table, id, column] of [
      ['email', one, 'id'],
      ['message', other, 'queue_id'],
    ])
      await dashboard.query(
        `update ${table} set tags = '[{"name":"app","value":"shop"}]' where ${column} = $1`,
        [id],
      );
    const at = (minutes: number) => new Date(start + minutes * minute).toISOString();
    const text = 'narrow';
    expect(await found({ text })).toEqual([other, one]);
    expect(await found({ text, source: 'api' })).toEqual([one]);
    expect(await found({ text, source: 'smtp' })).toEqual([other]);
    expect(await found({ tag: 'app:shop' })).toEqual([other, one]);
    expect(await found({ tag: 'app:crm' })).toEqual([]);
    expect(await found({ key })).toEqual([one]);
    const ofKey = await submitted(22, { subject: 'Of a key', credential: `key:${key}` });
    expect(await found({ key })).toEqual([ofKey, one]);
    expect((await ask(`/dashboard/emails?key=${key}&source=smtp`)).body.data).toMatchObject([
      { credential: 'k' },
    ]);
    expect(await found({ key: 'printer' })).toEqual([other]);
    expect(await found({ client: 'acme' })).toEqual([one]);
    expect(await found({ customer, statuses: 'pending' })).toEqual([one]);
    expect(await found({ text, from: at(20.5) })).toEqual([other]);
    expect(await found({ text, before: at(20.5) })).toEqual([one]);
    expect(await counted({ tag: 'app:shop' })).toBe(2);
    expect(await counted({ text, before: at(20.5) })).toBe(1);
  });

  test('finds the middle of a word and what a body says, but no link of an invitation', async () => {
    const id = await email(30, {
      subject: 'Rechnungskorrektur',
      text: 'The parcel is with Nimbus Logistics.',
    });
    const invitation = await email(31, {
      kind: 'invitation',
      subject: 'Welcome',
      text: 'https://app.example.com/i/sesame-token',
    });
    expect(await found({ text: 'korrekt' })).toEqual([id]);
    expect(await found({ text: 'nimbus logis' })).toEqual([id]);
    expect(await counted({ text: 'nimbus logis' })).toBe(1);
    expect(await found({ text: 'sesame-token' })).toEqual([]);
    expect(await found({ text: 'welcome' })).toContain(invitation);
    expect(await found({ text: '100%' })).toEqual([]);
  });

  test('finds what waits behind five thousand others', async () => {
    const id = await submitted(-600, { statuses: ['held'], subject: 'Buried' });
    await dashboard.query(
      `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
       select 'ZZZ' || lpad(n::text, 8, '0'), 'flood', 'a@example.com', 'a@example.com', '', 1, 1 from generate_series(1, 5000) n`,
    );
    expect(await found({ statuses: 'held', text: 'buried' })).toEqual([id]);
    expect(await found({ text: 'buried' })).toEqual([]);
    await dashboard.query(`delete from message where credential = 'flood'`);
  });
});

test('the same acts are there for mail that came over SMTP', async () => {
  const held = await submitted(40, { statuses: ['sent', 'held'], subject: 'Acted' });
  const waiting = await submitted(41, { statuses: ['queued', 'deferred'], subject: 'Acted' });
  const uncertain = await submitted(42, { statuses: ['uncertain'], subject: 'Acted' });
  const done = async (act: string, ids: string[]) =>
    (await ask('/dashboard/emails/act', { act, ids })).body.results;
  const statuses = async (id: string) =>
    (
      await dashboard.query<{ status: string }>(
        'select status from recipient where queue_id = $1 order by ordinal',
        [id],
      )
    ).rows.map(({ status }) => status);

  expect(await done('retry', [held])).toEqual([{ id: held, outcome: 'done', status: 'queued' }]);
  expect(await statuses(held)).toEqual(['sent', 'queued']);
  expect(await done('cancel', [held, waiting])).toEqual([
    { id: held, outcome: 'too-late', status: 'queued' },
    { id: waiting, outcome: 'done', status: 'cancelled' },
  ]);
  expect(await done('hold', [held])).toMatchObject([{ outcome: 'too-late' }]);
  expect(await done('resolve-sent', [uncertain, waiting])).toEqual([
    { id: uncertain, outcome: 'done', status: 'sent' },
    { id: waiting, outcome: 'too-late', status: 'cancelled' },
  ]);
  expect(await done('cancel', ['0NOBODY'])).toEqual([{ id: '0NOBODY', outcome: 'unknown', status: null }]);
  const { body } = await ask(`/dashboard/submitted/${uncertain}`);
  expect(body.events.at(-1)).toMatchObject({
    type: 'resolved',
    detail: { actor: 'dashboard', outcome: 'sent' },
  });
  expect(body.message).toMatchObject({ subject: 'Acted', status: 'sent' });

  await dashboard.query(
    `insert into message_part (queue_id, part, content) values ($1, 0, 'Subject: Acted')`,
    [uncertain],
  );
  expect((await ask(`/dashboard/submitted/${uncertain}/source`)).text).toBe('Subject: Acted');

  // The source of what the api made is shown by its own page alone, which hides the links of invitations.
  const ofApi = await email(43);
  await dashboard.query(`update message set email_id = $2 where queue_id = $1`, [uncertain, ofApi]);
  const { status } = await fetch(`${dashboard.base}/dashboard/submitted/${uncertain}/source`, {
    headers: { cookie },
  });
  expect(status).toBe(404);
  await dashboard.query('update message set email_id = null where queue_id = $1', [uncertain]);

  const { newest } = (await ask('/dashboard/emails/count?text=acted')).body;
  expect(newest).toBe(uncertain);
  const all = await ask('/dashboard/emails/act', {
    act: 'cancel',
    search: { text: 'acted' },
    newest: waiting,
  });
  expect(all.body.results.map(({ id }: { id: string }) => id)).toEqual([waiting, held]);
});

test('what matches can be taken away as a file, which holds no formula', async () => {
  await email(50, { subject: '=HYPERLINK("https://evil.example.com"),x', customerId: uuidv7() });
  await submitted(51, { subject: 'In "quotes"', statuses: ['held'] });
  const { text, headers } = await ask(
    `/dashboard/emails.csv?from=${new Date(start + 49.5 * minute).toISOString()}`,
  );
  expect(headers.get('content-disposition')).toMatch(/^attachment; filename="emails-.*\.csv"$/);
  const [head, first, second, ...rest] = text.split('\r\n');
  expect(head).toMatch(/^id,source,kind,status,cause,cause_title,subject,/);
  expect(first).toMatch(
    /,smtp,,held,sender-not-owned,.*,"In ""quotes""",shop@example.com,kim0@example.net,1,,shop,2/,
  );
  expect(second).toMatch(/,api,single,pending,,,"'=HYPERLINK\(""https:\/\/evil\.example\.com""\),x",/);
  expect(rest).toEqual(['']);
});
