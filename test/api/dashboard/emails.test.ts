// Finding mail, doing things to many mails at once, and looking at what a mail contains without being seen.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withShownLinks } from '../../../api/dashboard/links.ts';
import { countRemote, isolatedHtml } from '../../../api/dashboard/message.ts';
import { countMinutes, readMinutes } from '../../../api/dashboard/minutes.ts';
import { writeDocuments } from '../../../api/dashboard/search-documents.ts';
import { queryOf } from '../../../api/dashboard/search-words.ts';
import type { EmailDraft } from '../../../relay/client/email/draft.ts';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { editEmail } from '../../../relay/client/outbox/edit.ts';
import { ownCauses } from '../../../relay/client/status/own-causes.ts';
import { storeCauses } from '../../../relay/store-causes.ts';
import { catalogue } from '../../../relay/verdict/catalogue.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

let dashboard: Dashboard;
let cookie: string;
beforeAll(async () => {
  dashboard = await startDashboard();
  cookie = await dashboard.cookie();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

const insert = async (draft: Partial<EmailDraft> = {}) => {
  const { id } = await dashboard.database.transaction((tx) =>
    insertEmail(tx, {
      kind: 'single',
      from: { address: 'hello@example.com' },
      recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann Example' }],
      subject: 'Hello',
      text: 'Hello',
      // Not due, so that nothing but the test moves it.
      dueAt: new Date(Date.now() + 3_600_000),
      ...draft,
    }),
  );
  return id;
};

const get = async (path: string) => {
  const response = await fetch(dashboard.base + path, { headers: { cookie } });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever shape the answer has
  return { status: response.status, headers: response.headers, body: (await response.json()) as any };
};

const post = async (path: string, body: unknown) => {
  const response = await fetch(dashboard.base + path, {
    method: 'POST',
    headers: { cookie, 'x-postern-dashboard': '1', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever shape the answer has
  return { status: response.status, body: (await response.json()) as any };
};

const found = async (query: Record<string, string>) => {
  const { status, body } = await get(`/dashboard/emails?${new URLSearchParams(query)}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body.data.map(({ id }: { id: string }) => id);
};

describe('a search', () => {
  test.each([
    ['the beginning of a word of the subject', 'Überw'],
    ['several words in any order and case', 'märz ÜBERWEISUNG'],
    ['the beginning of an address', 'dagny.berg@mail.exa'],
    ['a part of an address', 'berg'],
    ['the domain of an address', 'mail.example.org'],
    ['a word of a name', 'Dagny'],
    ['a word without its accents', 'oberg marz'],
    ['an address with a name, as it was copied', 'Dagny Öberg <dagny.berg@mail.example.org>'],
    ['a number among punctuation', '(#4711)'],
  ])('finds by %s', async (_how, text) => {
    const id = await insert({
      subject: 'Überweisung März (#4711)',
      recipients: [{ kind: 'to', address: 'dagny.berg@mail.example.org', name: 'Dagny Öberg' }],
    });
    await insert({ subject: 'Something else' });
    expect(await found({ text })).toContain(id);
  });

  test.each(["o'neil@example.com", "it's", '\\', "'", '! & | :*', '<->', '@', '%', '💌'])(
    'takes %s as words and not as a language',
    async (text) => {
      expect(Array.isArray(await found({ text }))).toBe(true);
    },
  );

  test('finds an address with an apostrophe', async () => {
    const id = await insert({ recipients: [{ kind: 'to', address: "o'neil@example.com" }] });
    expect(await found({ text: "o'neil@example.com" })).toEqual([id]);
  });

  test('finds what is rarer than the newest twenty thousand', async () => {
    const id = await insert({ subject: 'Zanzibar' });
    await writeDocuments(dashboard.database);
    // As if very much had happened since.
    await dashboard.query(
      `insert into search_document (email_id, words)
       select ('ffffffff-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '' from generate_series(1, 20500) n`,
    );
    expect(await found({ text: 'zanzibar' })).toEqual([id]);
    await dashboard.query("delete from search_document where words = ''");
  });

  test('looks at kind and status together with words', async () => {
    const id = await insert({ kind: 'rejection', subject: 'Together' });
    await insert({ subject: 'Together' });
    expect(await found({ text: 'together', kind: 'rejection' })).toEqual([id]);
    expect(await found({ text: 'together', statuses: 'sent' })).toEqual([]);
    expect(await found({ text: 'together', kind: 'rejection', statuses: 'sent,pending' })).toEqual([id]);
  });

  test('of a mail that was edited finds the new words and not the old ones', async () => {
    const id = await insert({ subject: 'Aardvark' });
    expect(await found({ text: 'aardvark' })).toEqual([id]);
    await dashboard.database.transaction((tx) => editEmail(tx, id, { subject: 'Wombat' }, { actor: 'test' }));
    expect(await found({ text: 'aardvark' })).toEqual([]);
    expect(await found({ text: 'wombat' })).toEqual([id]);
  });

  test('does not remember what was deleted', async () => {
    const id = await insert({ subject: 'Forgettable' });
    expect(await found({ text: 'forgettable' })).toEqual([id]);
    await dashboard.query('delete from email where id = $1', [id]);
    expect((await dashboard.query('select 1 from search_document where email_id = $1', [id])).rowCount).toBe(
      0,
    );
  });

  test('reads on behind the page before, without a gap and without a repetition', async () => {
    const ids = [];
    for (let n = 0; n < 120; n++) ids.push(await insert({ subject: 'Pagination' }));
    const seen: string[] = [];
    let after: string | null = '';
    do {
      const query = new URLSearchParams({ text: 'pagination', ...(after && { after }) });
      const { body } = await get(`/dashboard/emails?${query}`);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      after = body.next;
    } while (after);
    expect(seen).toEqual(ids.sort().reverse());
  });

  test('names the field when a status is none', async () => {
    const { status, body } = await get('/dashboard/emails?statuses=lost');
    expect(status).toBe(422);
    expect(body.errors[0].pointer).toMatch(/statuses/);
  });
});

test('queryOf leaves nothing of what was typed unquoted', () => {
  expect(queryOf({ text: "a' | b\\" })).toBe("'a':* & 'b':*");
  expect(queryOf({ text: "o'n@x" })).toBe("'o''n@x':*");
  expect(queryOf({ text: ' <> ' })).toBeUndefined();
});

describe('acting on many mails', () => {
  test('cancels all that a search found, and nothing that came after the count', async () => {
    const ids = [await insert({ subject: 'Batch one' }), await insert({ subject: 'Batch two' })];
    const count = (await get('/dashboard/emails/count?text=batch')).body;
    expect(count).toMatchObject({ count: 2, newest: ids[1] });
    const late = await insert({ subject: 'Batch three' });

    const { body } = await post('/dashboard/emails/act', {
      act: 'cancel',
      search: { text: 'batch' },
      newest: count.newest,
    });
    expect(body.results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['done', 'done']);
    expect(await found({ text: 'batch', statuses: 'cancelled' })).toEqual([ids[1], ids[0]]);
    expect(await found({ text: 'batch', statuses: 'pending' })).toEqual([late]);
  });

  test('works in portions until all are done', async () => {
    for (let n = 0; n < 130; n++) await insert({ subject: 'Portion' });
    const { newest } = (await get('/dashboard/emails/count?text=portion')).body;
    const search = { text: 'portion', statuses: 'pending' };
    const first = (await post('/dashboard/emails/act', { act: 'cancel', search, newest })).body;
    expect(first.results).toHaveLength(100);
    const second = (await post('/dashboard/emails/act', { act: 'cancel', search, newest, after: first.next }))
      .body;
    expect(second.results).toHaveLength(30);
    expect(second.next).toBeNull();
    expect((await get('/dashboard/emails/count?text=portion&statuses=cancelled')).body.count).toBe(130);
  });

  test('says what came too late instead of failing', async () => {
    const id = await insert();
    await post('/dashboard/emails/act', { act: 'cancel', ids: [id] });
    const { status, body } = await post('/dashboard/emails/act', { act: 'hold', ids: [id] });
    expect(status).toBe(200);
    expect(body.results).toEqual([{ id, outcome: 'too-late', status: 'cancelled' }]);
  });

  test.each([
    ['hold', { paused: true }],
    ['release', { paused: false }],
  ])('%s is told in the timeline, with who did it', async (act, expected) => {
    const id = await insert({ paused: act === 'release' });
    await post('/dashboard/emails/act', { act, ids: [id] });
    const { body } = await get(`/dashboard/emails/${id}`);
    expect(body.email).toMatchObject(expected);
    expect(body.events.at(-1).detail.actor).toBe('dashboard');
  });

  test('a held mail cannot be acted on without saying which', async () => {
    expect((await post('/dashboard/emails/act', { act: 'cancel' })).status).toBe(422);
    expect((await post('/dashboard/emails/act', { act: 'explode', ids: [await insert()] })).status).toBe(422);
  });
});

describe('looking at a mail', () => {
  const html =
    '<base href="https://evil.example.com/"><meta http-equiv="refresh" content="0;url=https://evil.example.com/">' +
    '<link rel="preconnect" href="https://evil.example.com"><img src="cid:logo"><img src="https://evil.example.com/p.gif">';

  test('comes with a policy that lets nothing in or out', async () => {
    const id = await insert({
      html,
      attachments: [
        { filename: 'logo.png', contentType: 'image/png', contentId: 'logo', content: Buffer.from('png') },
      ],
    });
    const response = await fetch(`${dashboard.base}/dashboard/emails/${id}/preview`, { headers: { cookie } });
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/; sandbox allow-popups allow-popups-to-escape-sandbox$/);
    expect(policy).not.toMatch(/script-src|allow-(?!popups)|https?:/);
    const remote = await fetch(`${dashboard.base}/dashboard/emails/${id}/preview?remote=1`, {
      headers: { cookie },
    });
    expect(remote.headers.get('content-security-policy')).toBe(
      policy.replace('img-src data:', 'img-src data: https: http:'),
    );
    const picture = await fetch(`${dashboard.base}/dashboard/emails/${id}/attachments/0/picture`, {
      headers: { cookie },
    });
    expect(picture.headers.get('content-type')).toBe('image/png');
    expect(picture.headers.get('content-security-policy')).toContain('sandbox');
    const body = await response.text();
    expect(body).toContain(`src="data:image/png;base64,${Buffer.from('png').toString('base64')}"`);
    expect(body).not.toMatch(/<(base|meta http-equiv|link)\b/i);
  });

  test('takes elements out of use that would act without loading', () => {
    for (const element of ['link', 'BASE', 'meta', 'iframe', 'object', 'embed'])
      expect(isolatedHtml(`<${element} x></${element}>`, []).join('')).toContain(
        `<x-${element} x></x-${element}>`,
      );
    expect(isolatedHtml('<p>a link, a base</p>', []).join('')).toContain('<p>a link, a base</p>');
  });

  test.each([
    [
      '<a href="https://example.com/?a=1&amp;b=2" target=_top>x</a>',
      '/dashboard/leave?to=https%3A%2F%2Fexample.com%2F%3Fa%3D1%26b%3D2',
    ],
    [
      "<A class=b HREF='javascript:alert(1)' ping=https://evil.example.com>x</A>",
      '/dashboard/leave?to=javascript%3Aalert(1)',
    ],
    ['<area href=//example.com/x shape=rect>', '/dashboard/leave?to=%2F%2Fexample.com%2Fx'],
  ])('lets %s show where it leads', (html, shown) => {
    const rewritten = withShownLinks(html);
    expect(rewritten).toContain(` href="${shown}" target="_blank" rel="noopener noreferrer">`);
    expect(rewritten).not.toMatch(/_top(?<!x-target=_top)|ping=/);
    expect(rewritten.match(/href=/gi)).toHaveLength(1);
  });

  test('leaves links within the mail alone, and gives no window to a link that is written oddly', () => {
    expect(withShownLinks('<a href="#top">x</a>')).toBe('<a href="#top">x</a>');
    expect(withShownLinks('<a title=">" href="https://evil.example.com" target="_blank">x</a>')).not.toMatch(
      /(?<!x-)target="_blank"/,
    );
  });

  test('shows where a link leads, to anybody, and goes there only when asked', async () => {
    const leave = async (to: string) =>
      (await fetch(`${dashboard.base}/dashboard/leave?to=${encodeURIComponent(to)}`)).text();
    expect(await leave('https://example.com/?a="><script>')).toContain(
      'href="https://example.com/?a=&quot;&gt;&lt;script&gt;"',
    );
    for (const target of ['javascript:alert(1)', 'data:text/html,x', '//example.com', ''])
      expect(await leave(target)).not.toContain('<a ');
  });

  test('counts what would have been loaded', () => {
    expect(countRemote(html)).toBe(2);
    expect(countRemote('<p style="background:url(https://example.com/a.png)">')).toBe(1);
    expect(countRemote('<a href="https://example.com/">')).toBe(0);
    expect(countRemote('<link rel=x href = " //example.com/a.css">')).toBe(1);
    expect(countRemote(null)).toBe(0);
  });

  // An expression that begins again at each of them would take hours.
  test.each(['src=', 'url(', '<link href=', '<a href=', "target='"])(
    'megabytes of blanks behind %s are counted at once',
    (start) => {
      expect(countRemote(`${start}${' '.repeat(5_000_000)}x`)).toBe(0);
      expect(countRemote(start.repeat(1_000_000))).toBe(0);
      withShownLinks(`<a ${start}${' '.repeat(5_000_000)}x`);
      withShownLinks(`<a ${start.repeat(1_000_000)}>`);
    },
  );

  test('an attachment is only ever a file to keep', async () => {
    const id = await insert({
      attachments: [
        {
          filename: 'évil".html',
          contentType: 'text/html',
          content: Buffer.from('<script>alert(1)</script>'),
        },
      ],
    });
    const response = await fetch(`${dashboard.base}/dashboard/emails/${id}/attachments/0`, {
      headers: { cookie },
    });
    expect(response.headers.get('content-disposition')).toMatch(/^attachment;/);
    const picture = await fetch(`${dashboard.base}/dashboard/emails/${id}/attachments/0/picture`, {
      headers: { cookie },
    });
    expect(picture.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await response.text()).toBe('<script>alert(1)</script>');
  });

  test('its source is there before the relay has it', async () => {
    const id = await insert({ subject: 'Source' });
    const response = await fetch(`${dashboard.base}/dashboard/emails/${id}/source`, { headers: { cookie } });
    expect(await response.text()).toMatch(/^From: .*\r\nTo: Ann Example <ann@example\.com>/s);
  });

  test('a mail that is none is not found', async () => {
    expect((await get('/dashboard/emails/nonsense')).status).toBe(404);
    expect((await get('/dashboard/emails/01a201f5-f70c-75c9-abc4-33fde9f7e1b9')).status).toBe(404);
  });
});

test('a minute is counted once it is over, and the minute that runs is counted as it is', async () => {
  // Those that are given together end in one minute.
  const finish = async (minutesAgo: number, ...statuses: string[]) => {
    const ids = await Promise.all(statuses.map(() => insert()));
    await dashboard.query(
      `update email set status = given.status::mail_status, next_hand_over_at = null, reason = 'test',
         finished_at = now() - make_interval(mins => $3), due_at = now() - make_interval(mins => $3, secs => 2)
       from unnest($1::uuid[], $2::text[]) as given (id, status) where email.id = given.id`,
      [ids, statuses, minutesAgo],
    );
  };
  await finish(30, 'expired', 'cancelled');
  await finish(0, 'expired');
  // The process has counted those minutes already, while they were empty.
  await dashboard.query('delete from mail_minute');
  await countMinutes(dashboard.database);
  await countMinutes(dashboard.database);
  const minutes = await readMinutes(dashboard.database, 1);
  const then = minutes.filter(({ at }) => Date.now() - at.getTime() > 20 * 60_000);
  expect(then).toMatchObject([{ expired: 1, other: 1, sent: 0 }]);
  expect(minutes.reduce((sum, { expired }) => sum + expired, 0)).toBe(2);
});

test('the stream tells a page what changed, and ends when the process stops', async () => {
  const response = await fetch(`${dashboard.base}/dashboard/stream`, { headers: { cookie } });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let heard = '';
  const hear = async (wanted: RegExp) => {
    while (!wanted.test(heard)) {
      const piece = await reader?.read();
      if (!piece || piece.done) throw new Error(`The stream ended without ${wanted}: ${heard}`);
      heard += piece.value;
    }
  };
  await hear(/event: overview\ndata: \{.*"waiting"/);
  const id = await insert({ subject: 'Told' });
  await hear(new RegExp(`event: changed\\ndata: \\{"ids":\\[[^\\]]*"${id}"`));
  dashboard.stop();
  for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read());
});

test('what the relay refused stands on the page of SMTP, the newest first', async () => {
  await dashboard.query(
    `insert into refusal (key, client, credential, stage, reason, sender, reply, count, last_at) values
       ('1', '192.0.2.7', 'shop', 'auth', 'wrong-login', '', '535 5.7.8 No', 3, now() - interval '1 hour'),
       ('2', '192.0.2.8', '', 'mail', 'login-required', 'ann@example.com', '530 5.7.0 Log in', 1, now())`,
  );
  const { status, body } = await get('/dashboard/refusals');
  expect(status).toBe(200);
  expect(body.data).toMatchObject([
    { client: '192.0.2.8', stage: 'mail', reason: 'login-required', sender: 'ann@example.com', count: 1 },
    { client: '192.0.2.7', credential: 'shop', reply: '535 5.7.8 No', count: 3 },
  ]);
  const stranger = await fetch(`${dashboard.base}/dashboard/refusals`);
  expect(stranger.status).toBe(401);
});

test('the lists bring the words of their causes: one wording, that of the catalogue, also before a relay started', async () => {
  const id = await insert({ subject: 'Kept' });
  await dashboard.query(
    `update email set status = 'held', reason = 'relay-refused', next_hand_over_at = null where id = '${id}'`,
  );
  await dashboard.query(
    `insert into message (queue_id, credential, sender, header_from, message_id, size, priority)
     values ('Q1', 'shop', 'shop@example.com', 'shop@example.com', '<1@example.com>', 1, 1)`,
  );
  await dashboard.query(
    `insert into recipient (queue_id, ordinal, address, status, priority, reason)
     values ('Q1', 0, 'ann@example.com', 'held', 1, 'database-restored'),
            ('Q1', 1, 'bob@example.com', 'held', 1, 'sender-not-owned')`,
  );
  const causes = async () => ({
    ...(await get('/dashboard/emails?text=Kept')).body.causes,
    ...(await get('/dashboard/emails?source=smtp')).body.causes,
    ...(await get('/dashboard/submitted/Q1')).body.causes,
  });
  const { 'relay-refused': refused, 'database-restored': restored } = ownCauses;
  expect(await causes()).toEqual({ 'relay-refused': refused, 'database-restored': restored });
  await storeCauses({ query: dashboard.query }, { host: undefined, platform: 'render' });
  const taught = await causes();
  expect(taught['sender-not-owned'].title).toBe(catalogue['sender-not-owned'].title);
  expect(taught['relay-refused'].title).toBe(refused.title);
  expect(taught['relay-refused'].fix).toMatch(/Environment/);
});
