// The whole way of a one-click unsubscription, with real processes: from the link in the mail that a receiver got to the
// next mail of that stream, which is not sent.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { simpleParser } from 'mailparser';
import { expect, test } from 'vitest';
import { createAuthority } from '../kit/certificate.ts';
import { startHttpsFront } from '../kit/https-front.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

test('who unsubscribes with the link of a mail gets no more of its stream, and all other mail', async () => {
  await using resources = new AsyncDisposableStack();
  const authority = await createAuthority();
  const usual = getCACertificates('default');
  setDefaultCACertificates([...usual, authority.cert]);
  resources.defer(() => setDefaultCACertificates(usual));
  const directory = await mkdtemp(join(tmpdir(), 'postern-'));
  resources.defer(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'authority.pem'), authority.cert);
  const front = resources.use(await startHttpsFront(await authority.issue()));
  const { api, provider } = resources.use(
    await startStack({
      api: { PUBLIC_URL: front.url, NODE_EXTRA_CA_CERTS: join(directory, 'authority.pem') },
    }),
  );
  front.leadsTo = api.url;

  const send = async (subject: string, more: object) => {
    const { status, body } = await api.post('/api/v1/emails', {
      to: 'Ann <ann@example.com>',
      subject,
      text: 'News.',
      ...more,
    });
    expect([subject, status, body.errors]).toEqual([subject, 202, undefined]);
    return body.id;
  };
  const statusOf = async (id: string) => (await api.get(`/api/v1/emails/${id}`)).body.status;
  const newsletter = { list_unsubscribe: { stream: 'newsletter' } };

  const first = await send('July', newsletter);
  await until(async () => (await statusOf(first)) === 'sent');
  const { headers } = await simpleParser(provider.messages[0]?.raw ?? '');
  const { unsubscribe } = headers.get('list') as unknown as { unsubscribe: { url: string } };
  const answer = await fetch(unsubscribe.url, {
    method: 'POST',
    body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
  });
  expect(answer.status).toBe(200);

  const withheld = await send('August', newsletter);
  const receipt = await send('Receipt', { stream: 'receipts' });
  await until(async () => (await statusOf(withheld)) === 'suppressed');
  await until(async () => (await statusOf(receipt)) === 'sent');
  expect(provider.messages.map(({ raw }) => /^Subject: (.*)\r$/m.exec(String(raw))?.[1])).toEqual([
    'July',
    'Receipt',
  ]);
});
