// One-click unsubscription (RFC 8058): the link in the mail, the page it leads to, and what it does and does not do.

import { hkdfSync } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Problem } from '../../api/problem.ts';
import { openPublicDoor } from '../../api/unsubscribe/public-door.ts';
import { openToken, sealToken } from '../../api/unsubscribe/token.ts';
import { createAuthority } from '../kit/certificate.ts';
import { type HttpsFront, startHttpsFront } from '../kit/https-front.ts';
import { type Api, startApi } from './in-process.ts';

const usualAuthorities = getCACertificates('default');
let resources: AsyncDisposableStack;
let front: HttpsFront;
let api: Api;
beforeAll(async () => {
  resources = new AsyncDisposableStack();
  const authority = await createAuthority();
  setDefaultCACertificates([...usualAuthorities, authority.cert]);
  front = resources.use(await startHttpsFront(await authority.issue()));
  api = resources.use(await startApi({ publicUrl: `${front.url}/` }));
  front.leadsTo = api.base;
});
afterAll(async () => {
  await resources.disposeAsync();
  setDefaultCACertificates(usualAuthorities);
});

const mail = (more: object = {}) => ({
  to: 'Ann.Example@example.com',
  subject: 'News',
  text: 'News.',
  list_unsubscribe: { stream: 'newsletter' },
  ...more,
});

async function linkOf(more: object = {}): Promise<{ id: string; link: string }> {
  const { status, body } = await api.post('/api/v1/emails', mail(more));
  expect([status, body.errors]).toEqual([202, undefined]);
  const { body: email } = await api.get(`/api/v1/emails/${body.id}`);
  const field = email.headers.find(({ name }: { name: string }) => name === 'List-Unsubscribe');
  return { id: body.id, link: /^<(.*)>$/.exec(field?.value)?.[1] ?? '' };
}

async function suppressions() {
  const { rows } = await api.query<{
    address: string;
    stream: string;
    reason: string;
    source_email_id: string;
  }>('select address, stream, reason, source_email_id from suppression order by id');
  return rows;
}

const oneClick = (link: string, more: RequestInit = {}) =>
  fetch(link, {
    method: 'POST',
    body: 'List-Unsubscribe=One-Click',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    ...more,
  });

test('a mail has both fields with a link to this api, and belongs to the stream', async () => {
  const { status, body } = await api.post('/api/v1/emails', mail());
  expect([status, body.stream]).toEqual([202, 'newsletter']);
  const { body: email } = await api.get(`/api/v1/emails/${body.id}`);
  expect(email.headers).toEqual([
    {
      name: 'List-Unsubscribe',
      value: expect.stringMatching(/^<https:\/\/localhost:\d+\/unsubscribe\/[\w-]+>$/),
    },
    { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
  ]);
  // In a batch each has its own.
  const batch = await api.post('/api/v1/emails/batch', [
    mail(),
    mail({ to: ['a@example.com', 'b@example.com'] }),
  ]);
  expect(batch.body.data[0].id).toBeDefined();
  expect(batch.body.data[1].errors).toMatchObject([{ pointer: '#/list_unsubscribe' }]);
});

test('GET and HEAD change nothing, and show a page without script under the strict policy', async () => {
  const { link } = await linkOf();
  for (const method of ['GET', 'HEAD']) {
    const answer = await fetch(link, { method });
    expect([method, answer.status]).toEqual([method, 200]);
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none';.*form-action 'self'/);
    expect([answer.headers.get('cache-control'), answer.headers.get('set-cookie')]).toEqual([
      'no-store',
      null,
    ]);
    if (method === 'HEAD') continue;
    const page = await answer.text();
    expect(page).toContain('Ann.Example@example.com');
    expect(page).toContain(
      '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">',
    );
    expect(page).not.toContain('<script');
  }
  expect(await suppressions()).toEqual([]);
});

test('POST acts when it asks for one click, in both encodings, and twice is once', async () => {
  const { id, link } = await linkOf({ to: 'Bob@example.com' });
  for (const body of ['', 'List-Unsubscribe=Two-Clicks', 'list-unsubscribe=One-Click', 'x'.repeat(500)]) {
    expect([body, (await oneClick(link, { body })).status]).toEqual([body, 400]);
  }
  expect((await oneClick(link, { body: 'x'.repeat(10_000) })).status).toBeGreaterThanOrEqual(400);
  expect(await suppressions()).toEqual([]);
  const form = new FormData();
  form.set('List-Unsubscribe', 'One-Click');
  const first = await fetch(link, { method: 'POST', body: form });
  expect([first.status, first.headers.get('set-cookie')]).toEqual([200, null]);
  expect(await first.text()).toContain('Bob@example.com');
  expect((await oneClick(link)).status).toBe(200);
  expect(await suppressions()).toEqual([
    { address: 'Bob@example.com', stream: 'newsletter', reason: 'unsubscribe', source_email_id: id },
  ]);
  const put = await fetch(link, { method: 'PUT' });
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
});

test('the address of the link is shown as text', async () => {
  const address = '"<b>x</b>&"@example.com';
  const token = sealToken(await tokenKey(), { emailId: crypto.randomUUID(), address, stream: 'x' });
  const page = await (await fetch(`${front.url}/unsubscribe/${token}`)).text();
  expect(page).not.toContain('<b>x');
});

async function tokenKey(): Promise<Buffer> {
  const { rows } = await api.query<{ key: Buffer }>('select key from unsubscribe_key');
  return Buffer.from(hkdfSync('sha256', rows[0]?.key ?? '', '', 'postern unsubscribe token', 32));
}

test('unknown tokens look alike, whatever is wrong with them, and do nothing', async () => {
  const { link } = await linkOf({ to: 'carol@example.com' });
  const before = await suppressions();
  const token = link.split('/').at(-1) ?? '';
  const changed = (at: number) => {
    const bytes = Buffer.from(token, 'base64url');
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes.toString('base64url');
  };
  const ofAnotherKey = sealToken(Buffer.alloc(32, 7), {
    emailId: crypto.randomUUID(),
    address: 'carol@example.com',
    stream: 'newsletter',
  });
  const bytes = Buffer.from(token, 'base64url').length;
  const tokens = ['x', 'a'.repeat(100), `${token}A`, token.slice(0, -4), ofAnotherKey];
  tokens.push(...[0, 11, 12, 30, bytes - 17, bytes - 1].map(changed));
  const seen = new Set<string>();
  for (const each of tokens) {
    for (const method of ['GET', 'POST']) {
      const url = `${front.url}/unsubscribe/${each}`;
      const answer = method === 'GET' ? await fetch(url) : await oneClick(url);
      seen.add(`${answer.status} ${await answer.text()}`);
    }
  }
  expect([...seen]).toEqual([expect.stringMatching(/^404 .*This link is not valid/s)]);
  expect(await suppressions()).toEqual(before);
});

test('the token says address, stream and mail, and is never the same twice', () => {
  const key = Buffer.alloc(32, 1);
  const what = {
    emailId: '0197e4a6-0000-7000-8000-000000000000',
    address: 'grüße@exämple.com',
    stream: 'a_b-C',
  };
  const tokens = [sealToken(key, what), sealToken(key, what)];
  expect(tokens.map((token) => openToken(key, token))).toEqual([what, what]);
  expect(new Set(tokens).size).toBe(2);
});

test('it needs exactly one recipient, one stream, and no header of the caller beside it', async () => {
  const faults = async (more: object) => {
    const { status, body } = await api.post('/api/v1/emails', mail(more));
    return [status, body.errors?.map(({ pointer }: { pointer: string }) => pointer)];
  };
  expect(await faults({ cc: 'bob@example.com' })).toEqual([422, ['#/list_unsubscribe']]);
  expect(await faults({ bcc: ['bob@example.com'] })).toEqual([422, ['#/list_unsubscribe']]);
  expect(await faults({ stream: 'receipts' })).toEqual([422, ['#/stream']]);
  expect(await faults({ stream: 'newsletter' })).toEqual([202, undefined]);
  expect(await faults({ list_unsubscribe: {} })).toEqual([422, ['#/list_unsubscribe']]);
  const both = { stream: 'newsletter', url: 'https://example.com/u' };
  expect(await faults({ list_unsubscribe: both })).toEqual([422, ['#/list_unsubscribe']]);
  expect(await faults({ list_unsubscribe: { stream: 'a b' } })).toEqual([422, ['#/list_unsubscribe/stream']]);
  const headers = { 'list-unsubscribe': '<https://example.com/u>' };
  expect(await faults({ headers })).toEqual([422, ['#/list_unsubscribe']]);
  const long = `${'x'.repeat(60)}@${'y'.repeat(60)}.${'z'.repeat(60)}.example.com`;
  const longest = { to: long, list_unsubscribe: { stream: 's'.repeat(256) } };
  expect(await faults(longest)).toEqual([202, undefined]);
});

test('the list has what was unsubscribed, for its stream', async () => {
  const { link } = await linkOf({ to: 'dora@example.com' });
  await oneClick(link);
  await oneClick((await linkOf({ to: 'dora@example.com', list_unsubscribe: { stream: 'offers' } })).link);
  const dora = (await suppressions()).filter(({ address }) => address === 'dora@example.com');
  expect(dora.map(({ stream, reason }) => [stream, reason])).toEqual([
    ['newsletter', 'unsubscribe'],
    ['offers', 'unsubscribe'],
  ]);
});

test('while PUBLIC_URL is not https, or leads nowhere, mail that asks for a link is refused with the reason', async () => {
  await using inClear = await startApi({ publicUrl: 'http://localhost:3000' });
  const refused = await inClear.post('/api/v1/emails', mail());
  expect([refused.status, refused.body.errors[0]]).toMatchObject([
    422,
    {
      pointer: '#/list_unsubscribe',
      detail: expect.stringContaining('PUBLIC_URL is not https: http://localhost:3000'),
    },
  ]);
  expect(
    (await inClear.post('/api/v1/emails', mail({ list_unsubscribe: { url: 'https://a.example/' } }))).status,
  ).toBe(202);
  await using nowhere = await startApi({ publicUrl: 'https://localhost:1' });
  const many = await Promise.all(Array.from({ length: 30 }, () => nowhere.post('/api/v1/emails', mail())));
  expect(new Set(many.map(({ status }) => status))).toEqual(new Set([422]));
  expect(many[0]?.body.errors[0].detail).toContain('nothing answers this process at PUBLIC_URL');
});

test('the door is asked once for many, found again every ten minutes, and may be silent for a day', async () => {
  const { rows } = await api.query<{ key: Buffer }>('select key from unsubscribe_key');
  const key = Buffer.from(hkdfSync('sha256', rows[0]?.key ?? '', '', 'postern unsubscribe door', 32));
  let now = 0;
  const door = openPublicDoor({ publicUrl: front.url, key, now: () => now });
  const asked = async (wait: number) => {
    now += wait;
    const before = front.asked;
    const faults = await Promise.all(Array.from({ length: 5 }, () => door.fault()));
    expect(new Set(faults).size).toBe(1);
    return [front.asked - before, faults[0]];
  };
  const minute = 60_000;
  expect(await asked(0)).toEqual([1, undefined]);
  expect(await asked(9 * minute)).toEqual([0, undefined]);
  expect(await asked(2 * minute)).toEqual([1, undefined]);
  // A proxy that cannot reach its api, and then the end of a day.
  front.leadsTo = 502;
  expect(await asked(11 * minute)).toEqual([1, undefined]);
  expect(await asked(5_000)).toEqual([0, undefined]);
  expect(await asked(6_000)).toEqual([1, undefined]);
  expect(await asked(24 * 60 * minute)).toEqual([1, expect.stringContaining('status 502')]);
  front.leadsTo = api.base;
  expect(await asked(11_000)).toEqual([1, undefined]);
  // Another site there is no silence.
  front.leadsTo = 200;
  expect(await asked(11 * minute)).toEqual([
    1,
    expect.stringContaining('something else answers at PUBLIC_URL'),
  ]);
  front.leadsTo = 502;
  expect(await asked(11_000)).toEqual([1, expect.stringContaining('nothing answers')]);
  front.leadsTo = 302;
  expect(await asked(11_000)).toEqual([1, expect.stringContaining('status 302')]);
  // An api of another database cannot answer the question.
  front.leadsTo = api.base;
  const stranger = openPublicDoor({ publicUrl: front.url, key: Buffer.alloc(32, 9) });
  expect(await stranger.fault()).toContain('status 200');
});

test('whoever asks too often, or while the database is away, is told so in words', async () => {
  const { link } = await linkOf({ to: 'emma@example.com' });
  const path = new URL(link).pathname;
  const limit = async () => {
    throw new Problem('rate-limited', 'Too many.', { headers: { 'retry-after': '7' } });
  };
  await using busy = await startApi({ limit });
  const throttled = await oneClick(`${busy.base}${path}`);
  expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '7']);
  await using gone = await startApi({ limit: async () => Promise.reject(connectionLost) });
  const away = await oneClick(`${gone.base}${path}`);
  expect([away.status, away.headers.get('retry-after')]).toEqual([503, '30']);
  expect(await away.text()).toContain('Nothing has changed');
});

// As `pg` says it.
const connectionLost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

test('a certificate that nobody trusts leads nowhere', async () => {
  setDefaultCACertificates(usualAuthorities);
  try {
    await using untrusted = await startApi({ publicUrl: front.url });
    const { status, body } = await untrusted.post('/api/v1/emails', mail());
    expect([status, body.errors[0].detail]).toEqual([422, expect.stringContaining('certificate')]);
  } finally {
    setDefaultCACertificates([...usualAuthorities]);
  }
});
