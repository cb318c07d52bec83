// Attachments by their address, from a real server, through the same guard as webhooks.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Call } from '../../../api/operation.ts';
import { remoteFiles } from '../../../api/resend/remote-files.ts';
import { openAddressPolicy } from '../../../deploy/public-address.ts';
import { type Api, startApi } from '../in-process.ts';

let api: Api;
let asked: string[] = [];
const file = Buffer.from('%PDF-1.7 remote');

const answers: Readonly<Record<string, RequestListener>> = {
  '/receipt.pdf': (_, response) => response.end(file),
  '/typed': (_, response) => response.setHeader('content-type', 'image/png').end(file),
  '/moved.pdf': (_, response) => response.writeHead(302, { location: '/receipt.pdf' }).end(),
  '/round.pdf': (_, response) => response.writeHead(302, { location: '/round.pdf' }).end(),
  '/away.pdf': (_, response) => response.writeHead(302, { location: 'http://127.0.0.2/receipt.pdf' }).end(),
  '/missing.pdf': (_, response) => response.writeHead(404).end(),
  '/large.pdf': (_, response) => response.end(Buffer.alloc(28_400_000)),
  '/broken.pdf': (_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
    response.destroy();
  },
};

const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  answers[request.url ?? '']?.(request, response);
});
let base: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  api = await startApi({ webhookAllowPrivate: ['127.0.0.1/32'] });
});

beforeEach(() => {
  asked = [];
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

const mail = { from: 'hello@example.com', to: 'ann@example.com', subject: 'Hi', text: 'Hi' };
const sendWith = (attachments: unknown, headers = {}) =>
  api.post('/resend/emails', { ...mail, attachments }, { headers });
const filesOf = async (emailId: string) =>
  (
    await api.query(
      'select filename, content_type, content from email_attachment where email_id = $1 order by ordinal',
      [emailId],
    )
  ).rows;

describe('an attachment with a path', () => {
  test('is fetched before the answer, and named after its address', async () => {
    const { status, body } = await sendWith([
      { path: `${base}/receipt.pdf` },
      { path: `${base}/moved.pdf`, filename: 'a.pdf' },
      { path: `${base}/typed`, filename: false },
    ]);
    expect(status).toBe(200);
    expect(await filesOf(body.id)).toEqual([
      { filename: 'receipt.pdf', content_type: 'application/pdf', content: file },
      { filename: 'a.pdf', content_type: 'application/pdf', content: file },
      { filename: 'typed', content_type: 'image/png', content: file },
    ]);
    const list = await api.get(`/resend/emails/${body.id}/attachments`);
    expect(list.body).toMatchObject({
      object: 'list',
      has_more: false,
      data: [
        { id: '0', filename: 'receipt.pdf', size: file.length, content_disposition: 'attachment' },
        {},
        {},
      ],
    });
    expect((await api.get(`/resend/emails/${body.id}/attachments/2`)).body).toEqual({
      object: 'attachment',
      id: '2',
      filename: 'typed',
      size: file.length,
      content_type: 'image/png',
      content_disposition: 'attachment',
    });
    expect((await api.get(`/resend/emails/${body.id}/attachments/3`)).status).toBe(404);
  });

  test('that several mails of a batch name is fetched once', async () => {
    const attachments = [{ path: `${base}/receipt.pdf` }];
    const { status, body } = await api.post('/resend/emails/batch', [
      { ...mail, attachments },
      { ...mail, attachments },
    ]);
    expect(status).toBe(200);
    expect(asked).toEqual(['/receipt.pdf']);
    for (const { id } of body.data) expect(await filesOf(id)).toMatchObject([{ content: file }]);
  });

  test('is not fetched again for the same Idempotency-Key', async () => {
    const key = { 'idempotency-key': 'remote-1' };
    const first = await sendWith([{ path: `${base}/receipt.pdf` }], key);
    const again = await sendWith([{ path: `${base}/receipt.pdf` }], key);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(asked).toEqual(['/receipt.pdf']);
  });

  test.each([
    ['/missing.pdf', /cannot be fetched: the server answered 404/],
    ['/away.pdf', /leads to another host \(127\.0\.0\.2\), which is not followed/],
    ['/round.pdf', /led on more than 5 times/],
    ['/broken.pdf', /cannot be fetched/],
    ['/large.pdf', /makes the files of the request larger than 28311552 bytes/],
  ])('is refused when it is at %s', async (path, message) => {
    const before = (await api.query('select count(*) from email')).rows;
    const { status, body } = await sendWith([{ path: base + path }]);
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { name: 'invalid_attachment', message: expect.stringMatching(message) },
    });
    expect(body.errors[0].pointer).toBe('#/attachments/0/path');
    expect((await api.query('select count(*) from email')).rows).toEqual(before);
  });

  test.each([
    ['http://127.0.0.2/a.pdf', /is inside of a network/],
    ['http://169.254.169.254/latest/meta-data', /is inside of a network/],
    ['file:///etc/passwd', /must begin with https/],
    ['/etc/passwd', /must be a URL/],
  ])('is never looked for at %s', async (path, message) => {
    expect(await sendWith([{ path }])).toMatchObject({
      status: 422,
      body: { name: 'invalid_attachment', message: expect.stringMatching(message) },
    });
  });

  test('must not have content as well', async () => {
    const both = [{ path: `${base}/receipt.pdf`, content: 'aGk=', filename: 'a' }];
    expect((await sendWith(both)).body).toMatchObject({ name: 'invalid_attachment' });
    expect(asked).toEqual([]);
  });

  test('is not waited for longer than it may take, and only after there is memory for it', async () => {
    const prepare = remoteFiles(openAddressPolicy(['127.0.0.1/32']), { fetchMs: 200 });
    const call = {
      body: { attachments: [{ path: `${base}/silent.pdf` }] },
      gone: new AbortController().signal,
    } as Partial<Call> as Call;
    const held: number[] = [];
    const prepared = prepare(call, async (bytes) => {
      held.push(bytes);
      expect(asked).toEqual([]);
    })?.();
    await expect(prepared).rejects.toThrow(/not all of it came within 0.2 seconds/);
    expect(held).toEqual([3 * 28_311_552]);
    expect(asked).toEqual(['/silent.pdf']);
  });
});
