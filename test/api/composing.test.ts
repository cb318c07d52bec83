// What callers may write, and what then stands in the mail: the whole way from the body of a request to the bytes.
import { type ParsedMail, simpleParser } from 'mailparser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { composeMessage } from '../../relay/client/compose/compose.ts';
import { readAttachments } from '../../relay/client/email/attachment.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { type Api, startApi } from './in-process.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi({ from: { address: 'app@example.com' } });
});
afterAll(() => api[Symbol.asyncDispose]());

const mail = (more: object = {}) => ({ to: 'ann@example.com', subject: 's', text: 't', ...more });

async function refused(more: object): Promise<{ pointer: string; detail: string }[]> {
  const { status, body } = await api.post('/api/v1/emails', mail(more));
  expect([status, JSON.stringify(body.errors ?? body)]).toEqual([422, expect.any(String)]);
  return body.errors;
}

/** Accepts it, and composes what is then handed to the relay. */
async function composed(more: object): Promise<{ raw: string; head: string; parsed: ParsedMail }> {
  const { status, body, text } = await api.post('/api/v1/emails', mail(more));
  expect([status, text]).toEqual([202, expect.any(String)]);
  const email = await readEmail(api.database, body.id);
  if (!email?.from) throw new Error('The mail has no sender');
  const bytes = await composeMessage(
    { ...email, from: email.from },
    await readAttachments(api.database, body.id),
  );
  const raw = bytes.toString('latin1');
  expect(raw.split('\r\n').filter((each) => /[\r\n]/.test(each) || each.length > 998)).toEqual([]);
  for (const [, encoding] of raw.matchAll(/^Content-Transfer-Encoding: (.*)\r$/gm)) {
    expect(['7bit', 'quoted-printable', 'base64']).toContain(encoding);
  }
  const head = raw.slice(0, raw.indexOf('\r\n\r\n') + 2);
  return { raw, head, parsed: await simpleParser(bytes) };
}

/** The value of a field as it stands there, unfolded. */
const fieldOf = (head: string, name: string) =>
  new RegExp(`^${name}: ((?:.|\r\n[ \t])*)\r\n(?![ \t])`, 'im').exec(head)?.[1]?.replaceAll('\r\n', '');

describe('mailboxes', () => {
  test.each([
    ['"Example, Inc." <app@example.com>', '"Example, Inc." <app@example.com>', 'Example, Inc.'],
    ['App<app@example.com>', 'App <app@example.com>', 'App'],
    ['app@example.com', 'app@example.com', undefined],
    ['<app@example.com>', 'app@example.com', undefined],
    ['App (Billing) <app@example.com>', undefined, undefined],
    ['J. Doe <app@example.com>', '"J. Doe" <app@example.com>', 'J. Doe'],
    ['"The \\"A\\" Team" <app@example.com>', '"The \\"A\\" Team" <app@example.com>', 'The "A" Team'],
    ['Café Olé <app@example.com>', '=?UTF-8?Q?Caf=C3=A9_Ol=C3=A9?= <app@example.com>', 'Café Olé'],
    [
      '"Müller; Söhne" <app@example.com>',
      '=?UTF-8?Q?M=C3=BCller=3B_S=C3=B6hne?= <app@example.com>',
      'Müller; Söhne',
    ],
    [
      { address: 'app@example.com', name: 'Ann [Sales], Ltd.' },
      '"Ann [Sales], Ltd." <app@example.com>',
      'Ann [Sales], Ltd.',
    ],
    [{ address: '"app desk"@example.com' }, '<"app desk"@example.com>', undefined],
    [{ address: 'app@bücher.example', name: 'B' }, 'B <app@xn--bcher-kva.example>', 'B'],
  ])('%j is a sender', async (from, written, name) => {
    const { head, parsed } = await composed({ from });
    if (written !== undefined) expect(fieldOf(head, 'From')).toBe(written);
    if (name !== undefined) expect(parsed.from?.value[0]?.name).toBe(name);
  });

  test.each([
    [
      '"Doe, Ann" <ann@example.com>, bob@example.com',
      ['Doe, Ann', 'ann@example.com'],
      ['', 'bob@example.com'],
    ],
    ['ann@example.com,bob@example.com', ['', 'ann@example.com'], ['', 'bob@example.com']],
    [
      ['"Doe, Ann" <ann@example.com>, bob@example.com', 'carl@example.com'],
      ['Doe, Ann', 'ann@example.com'],
      ['', 'bob@example.com'],
      ['', 'carl@example.com'],
    ],
    [
      'Ann Ex <ann@example.com> , Bob <bob@example.com>',
      ['Ann Ex', 'ann@example.com'],
      ['Bob', 'bob@example.com'],
    ],
    ['a..b@carrier.example, a.@carrier.example', ['', 'a..b@carrier.example'], ['', 'a.@carrier.example']],
    ['"odd @ name"@example.com', ['', '"odd @ name"@example.com']],
    ['"a,b"@example.com, Ann <"x y"@example.com>', ['', '"a,b"@example.com'], ['Ann', '"x y"@example.com']],
    ['root@[192.0.2.1]', ['', 'root@[192.0.2.1]']],
  ])('%j are recipients', async (to, ...expected) => {
    const { body } = await api.post('/api/v1/emails', mail({ to, cc: to, bcc: to, reply_to: to }));
    const seen = expected.map(([name, address]) => ({ address, name: name === '' ? null : name }));
    expect(body).toMatchObject({ to: seen, cc: seen, bcc: seen, reply_to: seen });
  });

  test.each([
    ['mailto:ann@example.com', 'mailto:'],
    ['ann', 'no address'],
    ['ann@', 'after the @'],
    ['ann@example', 'without a dot'],
    ['"a<b"@example.com', 'has < or >'],
    ['ann@example.com; bob@example.com', 'comma'],
    ['ann@example.com,', 'empty place'],
    ['Doe, Ann <ann@example.com>', 'quotes'],
    ['Ann <ann@example.com', 'not closed'],
    ['Ann <ann@example.com>\r\nBcc: eve@example.com', 'control characters'],
    ['Friends: ann@example.com, bob@example.com;', 'group'],
    ['Ann ann@example.com', 'Ann <ann@example.com> would be accepted'],
    ['', 'empty'],
  ])('%j is no recipient, and the answer says why', async (to, why) => {
    expect(await refused({ to })).toEqual([
      expect.objectContaining({ pointer: '#/to', detail: expect.stringContaining(why) }),
    ]);
    const inList = await refused({ to: ['bob@example.com', to] });
    expect(inList[0]).toMatchObject({ pointer: '#/to/1', detail: expect.stringContaining(why) });
  });

  test('a sender that other readers could take for another is refused before it is queued', async () => {
    for (const from of [
      { address: 'app@example.com', name: 'Zoë <ceo@bank.example>' },
      '"ceo@bank.example\\"" <app@example.com>',
    ]) {
      expect((await refused({ from }))[0]?.pointer).toBe('#/from');
    }
    expect((await refused({ from: 'a@example.com, b@example.com' }))[0]?.pointer).toBe('#/from');
  });

  test('more than fifty in one text are refused, fifty are not', async () => {
    const list = (count: number) => Array.from({ length: count }, (_, i) => `a${i}@example.com`).join(', ');
    expect((await api.post('/api/v1/emails', mail({ to: list(50) }))).status).toBe(202);
    expect((await refused({ to: list(51) }))[0]?.pointer).toBe('#/to');
    expect((await refused({ to: list(26), cc: list(25) }))[0]?.pointer).toBe('#/to');
  });
});

describe('header values', () => {
  const ids = (count: number) =>
    Array.from({ length: count }, (_, i) => `<${String(i).padStart(40, '0')}@mail.example.com>`).join(' ');

  test.each([
    ['References', ids(20)],
    ['References', ids(500)],
    ['In-Reply-To', '<one@example.com>'],
    ['List-ID', '"Shop News" <news.example.com>'],
    ['List-Unsubscribe', '<https://example.com/u?a=1&b=2>, <mailto:off@example.com?subject=off>'],
    ['X-Json', '{"a": "b  c", "d": [1, 2]}'],
    ['X-Quoted', '"quoted" and \\ escaped (comment)'],
    ['X-Tab', 'a\tb'],
    ['X-Long', 'word '.repeat(900).trim()],
    ['X-Token', 'x'.repeat(900)],
    ['X-Signs', "!#$%&'*+/=?^_`{|}~;:,.<>@[]"],
    ['Feedback-ID', 'a:b:c:d'],
    ['Auto-Submitted', 'auto-generated'],
  ])('%s: %j goes out as it was given', async (name, value) => {
    const { head } = await composed({ headers: { [name]: value } });
    expect(fieldOf(head, name)).toBe(value);
    for (const line of head.split('\r\n')) {
      expect(line.length <= 78 || !/\S\s+\S/.test(line.replace(/^\S+: /, '')), line).toBe(true);
      expect(line).not.toMatch(/^\s*$(?!)/);
    }
    // No id is divided, and no line holds blanks only.
    if (name === 'References') {
      expect(head.match(/<\d{40}@mail\.example\.com>/g)).toHaveLength(value.split(' ').length);
    }
  });

  test.each([
    ['X-Note', 'Grüße  aus Köln', 'Grüße  aus Köln'],
    [
      'X-Note',
      'see =?utf-8?Q?a=0D=0ABcc:_x@example.org?= there',
      'see =?utf-8?Q?a=0D=0ABcc:_x@example.org?= there',
    ],
    ['Organization', 'Bäckerei Süß & Söhne', 'Bäckerei Süß & Söhne'],
    ['X-Emoji', '🙂'.repeat(200), '🙂'.repeat(200)],
  ])('%s: %j is encoded and read as it was typed', async (name, value, shown) => {
    const { head } = await composed({ headers: { [name]: value } });
    expect(fieldOf(head, name)).toMatch(/^[\x20-\x7e]*$/);
    // mailparser decodes the subject only.
    const again = await simpleParser(`Subject: ${fieldOf(head, name)}\r\n\r\n`);
    expect(again.subject).toBe(shown);
    for (const word of (fieldOf(head, name) ?? '').split(' ')) expect(word.length).toBeLessThanOrEqual(75);
  });

  test('in List-Id only the name is encoded, in Keywords each word', async () => {
    const { head } = await composed({
      headers: { 'List-Id': 'Käse-Neuigkeiten <news.example.com>', Keywords: 'Käse, wine' },
    });
    expect(fieldOf(head, 'List-Id')).toMatch(/^=\?UTF-8\?Q\?K=C3=A4se[^ ]*\?= <news\.example\.com>$/);
    expect(fieldOf(head, 'Keywords')).toBe('=?UTF-8?Q?K=C3=A4se?=, wine');
  });

  test.each([
    ['X-Note', 'a\r\nBcc: eve@example.com'],
    ['X-Note', 'a\nb'],
    ['X-Note', 'a\rb'],
    ['X-Note', 'a\u0000b'],
    ['X-Note', 'a\u2028b'],
    ['X-Note', 'x'.repeat(1_000)],
    ['X-Note', 'x '.repeat(20_000).trim()],
    ['References', 'x'.repeat(995)],
    ['List-Unsubscribe', '<https://example.com/münchen>'],
    ['References', '<ü@example.com>'],
    ['List-Id', 'News <nüws.example.com>'],
    ['Bcc', 'eve@example.com'],
  ])('%s: %j is refused at its own place', async (name, value) => {
    expect((await refused({ headers: { [name]: value } })).map(({ pointer }) => pointer)).toEqual([
      `#/headers/${name}`,
    ]);
  });
});

describe('subjects, names and filenames', () => {
  test.each([
    'Hello "you" (and me), 100 % \\ <b>',
    '=?utf-8?Q?a=0D=0ABcc:_x@example.org?=',
    '=?utf-8?B?aGVsbG8=?= and more',
    'see =?iso-8859-1?q?a b?= here',
    '=?x?=',
    'Grüße =?utf-8?Q?x?= 🙂',
    'two  blanks',
    `${'long subject '.repeat(60)}end`,
    'ü'.repeat(400),
    'x'.repeat(900),
  ])('%j is shown as it was typed', async (typed) => {
    const filename = typed.slice(0, 200).trim().replaceAll(/[/\\]/g, '-');
    const { head, parsed } = await composed({
      subject: typed,
      to: [{ address: 'ann@example.com', name: typed.slice(0, 200).trim() }],
      attachments: [{ filename, content: 'YWJj' }],
    });
    expect(parsed.subject).toBe(typed);
    expect(parsed.to).toMatchObject({ value: [{ name: typed.slice(0, 200).trim() }] });
    expect(parsed.attachments[0]?.filename).toBe(filename);
    expect(head).not.toMatch(/^Bcc/im);
    // What mails is ASCII that needs no encoding is not encoded.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding what is not ASCII is the point
    if (/^[\u0000-\u007f]*$/.test(typed) && !typed.includes('=?'))
      expect(fieldOf(head, 'Subject')).toBe(typed);
  });
});

const invitation = [
  'BEGIN:VCALENDAR',
  'VERSION:2.0',
  'PRODID:-//shop//EN',
  'METHOD:REQUEST',
  'END:VCALENDAR',
  '',
].join('\r\n');
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('attachments', () => {
  test.each([
    ['text/plain; charset=iso-8859-1', /^Content-Type: text\/plain; charset=iso-8859-1;/m],
    ['text/csv;charset=utf-8;header=present', /^Content-Type: text\/csv; charset=utf-8; header=present;/m],
    ['application/pdf; name="old name.pdf"', /^Content-Type: application\/pdf; name="a\.bin"/m],
    [
      'application/x-thing; note="a; \\"b\\" = c"',
      /^Content-Type: application\/x-thing; note="a; \\"b\\" = c";/m,
    ],
    ['Image/PNG', /^Content-Type: image\/png;/m],
    ['application/vnd.api+json; ext="https://example.com/a"', /ext="https:\/\/example\.com\/a"/],
  ])('%s keeps its parameters', async (content_type, expected) => {
    const { raw, parsed } = await composed({
      attachments: [{ filename: 'a.bin', content: 'AAECAw==', content_type }],
    });
    expect(raw).toMatch(expected);
    expect(parsed.attachments).toMatchObject([{ filename: 'a.bin', content: Buffer.from([0, 1, 2, 3]) }]);
  });

  test.each([
    ...['text', 'text/', '/plain', 'text plain', 'text/plain;', 'text/plain; charset', 'text/plain; =x', ''],
    ...[
      'text/plain; charset=utf-8; charset=ascii',
      'text/plain; a="b',
      'text/plain, text/html',
      'text/pläin',
    ],
    ...[
      'text/plain; a=b c',
      'text/plain\r\nX-Injected: 1',
      'text/plain; a="b\r\nX-Injected: 1"',
      'a/b\u0000',
    ],
    ...['multipart/mixed', 'Multipart/Alternative; boundary=x', 'multipart/form-data', 'message/partial'],
    ...['message/external-body', 'message/delivery-status', 'message/rfc822'],
  ])('%j is refused as content_type', async (content_type) => {
    const attachments = [{ filename: 'a', content: base64('abc\n'), content_type }];
    expect(await refused({ attachments })).toEqual([
      expect.objectContaining({ pointer: '#/attachments/0/content_type' }),
    ]);
  });

  test('a message in ASCII travels as a message, unencoded (RFC 2046 section 5.2.1)', async () => {
    const inner = 'From: bob@example.com\nSubject: inner\n\nHello\n';
    const attachments = [{ filename: 'a.eml', content: base64(inner), content_type: 'message/rfc822' }];
    const { raw } = await composed({ attachments });
    expect(raw).toContain(`Content-Transfer-Encoding: 7bit\r\n`);
    expect(raw).toContain('\r\n\r\nFrom: bob@example.com\r\nSubject: inner\r\n\r\nHello\r\n');
    for (const other of [
      'Subject: ü\n\nx',
      `Subject: x\n\n${'x'.repeat(999)}`,
      'Subject: x\n\na\rb',
      'no head',
    ]) {
      const [fault] = await refused({ attachments: [{ ...attachments[0], content: base64(other) }] });
      expect(fault?.detail).toContain('application/octet-stream would be accepted');
    }
  });

  test.each([
    'text/calendar; method=REQUEST; charset=utf-8',
    'text/calendar;METHOD="REQUEST"',
    'text/calendar; method=CANCEL',
  ])('%s is an invitation: the last form of the text, and a file', async (content_type) => {
    const { raw } = await composed({
      html: '<p>Hello</p>',
      attachments: [{ filename: 'invite.ics', content: base64(invitation), content_type }],
    });
    const types = [...raw.matchAll(/^Content-Type: ([^;\r\n]+)/gim)].map(([, type]) => type);
    expect(types).toEqual([
      ...['multipart/mixed', 'multipart/alternative', 'text/plain', 'text/html', 'text/calendar'],
      'text/calendar',
    ]);
    const parts = raw.match(/^Content-Type: text\/calendar;(?:.|\r\n[ \t])*/gim) ?? [];
    for (const part of parts) expect(part).toMatch(/; method=(?:REQUEST|CANCEL)/i);
    expect(parts[0]).toMatch(/charset=utf-8/);
    expect(parts[0]).not.toContain('name=');
    expect(raw).toMatch(/^Content-Disposition: attachment; filename=invite\.ics/m);
    expect(raw.split(base64(invitation).slice(0, 60))).toHaveLength(3);
  });

  test('a calendar without a method is only a file; images of the HTML stand beside it', async () => {
    const { raw, parsed } = await composed({
      html: '<img src="cid:logo">',
      attachments: [
        { filename: 'all.ics', content: base64(invitation), content_type: 'text/calendar' },
        { filename: 'logo.png', content: 'AAEC', content_type: 'image/png', content_id: 'logo' },
      ],
    });
    const types = [...raw.matchAll(/^Content-Type: ([^;\r\n]+)/gim)].map(([, type]) => type);
    expect(types).toEqual([
      ...['multipart/mixed', 'multipart/alternative', 'text/plain', 'multipart/related', 'text/html'],
      ...['image/png', 'text/calendar'],
    ]);
    expect(parsed.attachments.map(({ filename, cid }) => [filename, cid])).toEqual([
      ['logo.png', 'logo'],
      ['all.ics', undefined],
    ]);
  });
});

describe('null', () => {
  test('is the same as nothing there, in every body', async () => {
    const { status, body } = await api.post('/api/v1/emails', {
      ...{
        from: null,
        to: [{ address: 'ann@example.com', name: null }],
        cc: null,
        bcc: null,
        reply_to: null,
      },
      ...{ subject: 's', text: 't', html: null, headers: { 'X-A': null, 'X-B': 'b' }, attachments: null },
      ...{ scheduled_datetime: null, time_zone: null, max_lateness: null, on_uncertain: null },
      list_unsubscribe: null,
    });
    expect(status).toBe(202);
    const read = await api.get(`/api/v1/emails/${body.id}`);
    expect(read.body.headers).toEqual([{ name: 'X-B', value: 'b' }]);
    const nulls = { text: 't', html: null, subject: 's', scheduled_datetime: '2040-01-01T00:00:00Z' };
    const form = await api.put('/api/v1/client/nulls/email-config', {
      ...{ enabled: true, recipients: ['ann@example.com'], from_name: null, reply_to: null, time_zone: null },
      emails: [{ key: 'a', ...nulls }],
    });
    expect(form.status).toBe(200);
    const { id } = form.body.emails[0];
    const changes = { subject: 'S', html: null, time_zone: null, max_lateness: null };
    expect((await api.patch(`/api/v1/scheduled-emails/${id}`, changes)).body.subject).toBe('S');
    const customer = { name: 'Shop', email: 'shop@example.com', owner: null, sendInvitation: null };
    expect((await api.post('/api/customers', customer)).status).toBe(201);
    const batch = await api.post('/api/v1/emails/batch', { emails: [mail({ html: null, cc: null })] });
    expect(batch.body.data[0]).toMatchObject({ index: 0, status: 'pending' });
  });

  test('is required where something is required, and unknown where it is unknown', async () => {
    expect(await refused({ subject: null })).toEqual([
      expect.objectContaining({ pointer: '#/subject', detail: 'is required' }),
    ]);
    expect((await refused({ text: null })).map(({ pointer }) => pointer)).toEqual(['#/text']);
    expect((await refused({ to: null })).map(({ pointer }) => pointer)).toEqual(['#/to']);
    expect((await refused({ htlm: null })).map(({ pointer }) => pointer)).toEqual(['#/htlm']);
    expect((await refused({ to: [null] })).map(({ pointer }) => pointer)).toEqual(['#/to/0']);
    expect((await api.post('/api/v1/emails', null)).status).toBe(422);
  });
});

describe('time zones', () => {
  const at = '2040-07-01T09:00:00';
  test.each([
    [at, 'IST', '#/time_zone'],
    [`${at}Z`, 'EST', '#/time_zone'],
    [at, 'Europe/Atlantis', '#/time_zone'],
    [at, '+02:00', '#/time_zone'],
    [`${at}+02:00`, 'America/New_York', '#/scheduled_datetime'],
    [`${at}+01:00`, 'Europe/Berlin', '#/scheduled_datetime'],
    ['2040-02-30T09:00:00', 'Europe/Berlin', '#/scheduled_datetime'],
  ])(
    '%s in %s is refused at %s, in forms and changes too',
    async (scheduled_datetime, time_zone, pointer) => {
      expect((await refused({ scheduled_datetime, time_zone })).map((fault) => fault.pointer)).toEqual([
        pointer,
      ]);
      const form = await api.put('/api/v1/client/zones/email-config', {
        ...{ enabled: true, recipients: ['ann@example.com'], time_zone },
        emails: [{ key: 'a', subject: 's', text: 't', scheduled_datetime }],
      });
      expect(form.status).toBe(422);
      expect(form.body.errors.map((fault: { pointer: string }) => fault.pointer)).toEqual([
        pointer.replace('#/scheduled', '#/emails/0/scheduled'),
      ]);
      const { body } = await api.post('/api/v1/emails', mail({ scheduled_datetime: `${at}Z` }));
      const changed = await api.patch(`/api/v1/scheduled-emails/${body.id}`, {
        scheduled_datetime,
        time_zone,
      });
      expect(changed.body.errors.map((fault: { pointer: string }) => fault.pointer)).toEqual([pointer]);
    },
  );

  test.each([`${at}+02:00`, '2040-07-01T07:00:00Z', at])('%s and Europe/Berlin agree', async (said) => {
    const { body } = await api.post(
      '/api/v1/emails',
      mail({ scheduled_datetime: said, time_zone: 'Europe/Berlin' }),
    );
    expect(body).toMatchObject({
      scheduled_datetime: '2040-07-01T07:00:00.000Z',
      time_zone: 'Europe/Berlin',
      local_datetime: at,
    });
  });
});

describe('batches', () => {
  const bad = { to: 'not an address', subject: 's', text: 't' };
  const count = async () =>
    (await api.query<{ n: number }>('select count(*)::int as n from email')).rows[0]?.n;

  test('none accepted is 422, with the faults of each; a list is the same as a list called emails', async () => {
    const before = await count();
    for (const [body, prefix] of [
      [[bad], '#/'],
      [[bad, { ...bad, subject: null }, 7], '#/'],
      [{ emails: [bad, bad] }, '#/emails/'],
    ] as const) {
      const answer = await api.post('/api/v1/emails/batch', body);
      expect(answer.status).toBe(422);
      const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
      expect(pointers[0]).toBe(`${prefix}0/to`);
      expect(pointers.at(-1)).toMatch(
        new RegExp(`^${prefix}${('emails' in body ? body.emails : body).length - 1}`),
      );
    }
    expect(await count()).toBe(before);
  });

  test('one accepted is 202, as a list too', async () => {
    const { status, body } = await api.post('/api/v1/emails/batch', [bad, mail()]);
    expect(status).toBe(202);
    expect(body.data).toMatchObject([
      { index: 0, errors: [{ pointer: '#/to' }] },
      { index: 1, status: 'pending' },
    ]);
  });

  test.each([[[]], [{ emails: [] }], ['x'], [{}], [{ emails: 7 }], [Array(101).fill(0)]])(
    '%j is no batch',
    async (body) => expect((await api.post('/api/v1/emails/batch', body)).status).toBe(422),
  );
});
