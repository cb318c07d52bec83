// Bodies within the limits of the API that cost as much as they can: large, deep, crowded, full of faults, or written so
// that careless code reads them again and again.

export type CostlyBody = {
  readonly what: string;
  readonly method?: 'POST' | 'PUT';
  /** By default one mail. */
  readonly path?: string;
  readonly body: () => string;
  /** How many are sent at once; one by default. */
  readonly atOnce?: number;
  /** Sent one after the other under one Idempotency-Key, the last one with another subject. */
  readonly withKey?: boolean;
};

const batchPath = '/api/v1/emails/batch';
const MB = 1_000_000;
const times = <T>(count: number, each: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => each(n));
const mail = (more: object) => ({ to: 'ann@example.com', subject: 'Hello', text: 'Hello.', ...more });
const one = (more: object) => JSON.stringify(mail(more));
const batch = (each: (index: number) => object, count = 100) =>
  JSON.stringify({ emails: times(count, (n) => mail(each(n))) });
const later = { scheduled_datetime: '2999-01-01T00:00:00Z' };
const people = (count: number, n = 0) =>
  times(count, (m) => ({ address: `person-${n}-${m}@example.com`, name: `Änne Exämple the ${m}th` }));
const named = (count: number, value: unknown, length = 8) =>
  Object.fromEntries(times(count, (n) => [`f${n}`.padEnd(length, 'x'), value]));
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const base64 = (bytes: number) => Buffer.alloc(bytes, 'postern').toString('base64');
const file = (content: string, more: object = {}) => ({ filename: 'a.bin', content, ...more });

const crowded: CostlyBody[] = [
  { what: '59,000 unknown fields', body: () => one(named(59_000, 1)) },
  { what: '59,000 unknown fields with names of 250 characters', body: () => one(named(59_000, 1, 250)) },
  { what: '59,000 unknown fields in one recipient', body: () => one({ to: { ...named(59_000, 1) } }) },
  { what: '59,000 nulls under unknown names', body: () => one(named(59_000, null)) },
  { what: '59,000 recipients', body: () => one({ to: times(59_000, () => 'x') }) },
  { what: '59,000 headers', body: () => one({ headers: named(59_000, 'v') }) },
  { what: '1,900 lists, 31 levels deep', body: () => `{"f":[${times(1_900, () => deep(30)).join(',')}]}` },
  {
    what: '59,000 files that are none',
    body: () => one({ attachments: times(29_000, () => ({ content: 'a!' })) }),
  },
  { what: 'a batch with 58,000 unknown fields', path: batchPath, body: () => batch(() => named(580, 1)) },
  {
    what: 'a batch with one good mail and 58,000 unknown fields of 250 characters',
    path: batchPath,
    body: () => batch((n) => (n === 0 ? later : named(580, 1, 250))),
  },
  {
    what: 'a batch with 5,000 recipients at fault',
    path: batchPath,
    body: () => batch(() => ({ to: times(50, () => ({ address: 'x', name: '\0', more: 1 })) })),
  },
];

const long: CostlyBody[] = [
  { what: '15 MB in one text', body: () => one({ text: 'x'.repeat(15 * MB) }) },
  {
    what: '15 MB in one text of escapes',
    body: () => `{"to":"a@example.com","text":"${'\\u00e4'.repeat(2.5 * MB)}"}`,
  },
  { what: '15 MB of line breaks', body: () => one({ text: '\n'.repeat(7.5 * MB) }) },
  { what: '15 MB in one name', body: () => `{"${'x'.repeat(15 * MB)}":1}` },
  { what: '15 MB of blanks between values', body: () => `{${' '.repeat(15 * MB)}"to":"ann@example.com"}` },
  { what: '15 MB in one number', body: () => `{"to":${'7'.repeat(15 * MB)}}` },
  { what: '15 MB in 59,000 texts', body: () => one(named(59_000, 'x'.repeat(240))) },
  { what: '15 MB in one subject', body: () => one({ subject: ` ${'ä'.repeat(7.5 * MB)}` }) },
  {
    what: '15 MB in one address',
    body: () => one({ to: { address: `${'x'.repeat(15 * MB)}@example.com` } }),
  },
  {
    what: '15 MB of mailto: in one address',
    body: () => one({ to: { address: 'mailto:'.repeat(2.1 * MB) } }),
  },
  {
    what: '15 MB in one media type',
    body: () => one({ attachments: [file('', { content_type: `a/b${';a=b'.repeat(3.7 * MB)}` })] }),
  },
  {
    what: '15 MB in one list-unsubscribe address',
    body: () => one({ list_unsubscribe: { url: `https://example.com/${'ä/../'.repeat(2.5 * MB)}` } }),
  },
  { what: '15 MB in one duration', body: () => one({ max_lateness: `P${'1'.repeat(15 * MB)}` }) },
];

// Each within the limits of its field.
const slow: CostlyBody[] = [
  {
    what: 'a batch of names and blanks without an address',
    path: batchPath,
    body: () =>
      batch(() => ({
        to: `a${' '.repeat(24_000)}b`,
        cc: `a${' '.repeat(24_000)}b`,
        bcc: `a${' '.repeat(24_000)}b`,
      })),
  },
  {
    what: 'a batch of mailbox lists of 24,000 characters',
    path: batchPath,
    body: () =>
      batch(() => ({ to: times(49, (n) => `${'"x" (y) '.repeat(55)}<p${n}@example.com>`).join(',') })),
  },
  {
    what: 'a batch of lists of 24,000 commas',
    path: batchPath,
    body: () => batch(() => ({ to: ','.repeat(24_000), cc: '<@'.repeat(12_000) })),
  },
  {
    what: 'a batch in 100 time zones',
    path: batchPath,
    body: () => {
      const zones = Intl.supportedValuesOf('timeZone');
      return batch((n) => ({ scheduled_datetime: '2999-01-01T00:00:00', time_zone: zones[n * 4] }));
    },
  },
  {
    what: 'a batch of authors in encoded words',
    path: batchPath,
    body: () => batch(() => ({ from: `${'=?utf-8?q?a?= '.repeat(30)}<ann@example.com>`, ...later })),
  },
];

const taken: CostlyBody[] = [
  { what: '7 MB of text and HTML', body: () => one({ text: 'x'.repeat(2 * MB), html: 'y'.repeat(5 * MB) }) },
  {
    what: '7 MB of text and HTML, later',
    body: () => one({ text: 'x'.repeat(2 * MB), html: 'y'.repeat(5 * MB), ...later }),
  },
  {
    what: '14 MB of text and HTML that is not ASCII',
    body: () => one({ text: 'ä'.repeat(2 * MB), html: 'é'.repeat(5 * MB) }),
  },
  {
    what: '6 MB of line breaks and blanks',
    body: () => one({ text: ' \r\n'.repeat(0.6 * MB), html: '\n'.repeat(5 * MB) }),
  },
  {
    what: '50 headers of 1,300 characters',
    body: () => one({ headers: Object.fromEntries(times(50, (n) => [`X-${n}`, 'ä '.repeat(640).trim()])) }),
  },
  {
    what: 'a batch with 5,000 recipients',
    path: batchPath,
    body: () => batch((n) => ({ to: people(50, n) })),
  },
  {
    what: 'a batch with 4,000 recipients and 58 KB of headers each',
    path: batchPath,
    body: () =>
      batch((n) => ({
        to: people(40, n),
        headers: Object.fromEntries(times(45, (m) => [`X-${m}`, 'ä '.repeat(640).trim()])),
      })),
  },
  {
    what: 'a batch of 60 KB texts',
    path: batchPath,
    body: () => batch(() => ({ text: 'ä'.repeat(15_000), html: 'é'.repeat(15_000) })),
  },
  {
    what: 'a batch of 150 KB texts',
    path: batchPath,
    body: () => batch(() => ({ text: 'ä'.repeat(35_000), html: 'é'.repeat(35_000) })),
  },
  {
    what: 'a batch of 150 KB texts, later',
    path: batchPath,
    body: () => batch(() => ({ text: 'ä'.repeat(35_000), html: 'é'.repeat(35_000), ...later })),
  },
  {
    what: 'a batch with 2,000 attachments',
    path: batchPath,
    body: () => batch(() => ({ attachments: times(20, () => file(base64(12_000))) })),
  },
  {
    what: 'a form of 1,000 mails with 15 KB each',
    method: 'PUT',
    path: '/api/v1/client/costly/email-config',
    body: () =>
      JSON.stringify({
        enabled: true,
        recipients: people(50),
        time_zone: 'Europe/Berlin',
        emails: times(1_000, (n) => ({
          key: `${n}`,
          subject: 'Hello',
          text: 'ä'.repeat(7_500),
          scheduled_datetime: '2999-01-01T00:00:00',
        })),
      }),
  },
  {
    what: 'the same form, changed',
    method: 'PUT',
    path: '/api/v1/client/costly/email-config',
    body: () =>
      JSON.stringify({
        enabled: true,
        recipients: people(50),
        time_zone: 'Europe/Berlin',
        emails: times(1_000, (n) => ({
          key: `${n}`,
          subject: 'Hello again',
          text: 'é'.repeat(7_500),
          scheduled_datetime: '2999-01-01T00:00:00',
        })),
      }),
  },
];

const files: CostlyBody[] = [
  { what: 'an attachment of 18 MB', body: () => one({ attachments: [file(base64(18 * MB))], ...later }) },
  {
    what: 'an attachment of 18 MB with every slash escaped',
    body: () => one({ attachments: [file('?')], ...later }).replace('?', '\\/\\/\\/\\/'.repeat(3 * MB)),
  },
  {
    what: 'an attachment of 18 MB, a fault at its end',
    body: () => one({ attachments: [file(`${base64(18 * MB)}!`)], ...later }),
  },
  {
    what: 'an attachment of 11 MB, a fault at its end',
    body: () => one({ attachments: [file(`${base64(11 * MB)}!`)], ...later }),
  },
  {
    what: 'a message of 18 MB as attachment',
    body: () =>
      one({
        attachments: [
          file(Buffer.from(`A: b\r\n\r\n${'x\r\n'.repeat(6 * MB)}`).toString('base64'), {
            content_type: 'message/rfc822',
          }),
        ],
        ...later,
      }),
  },
  {
    what: '20 attachments of 0.9 MB',
    body: () => one({ attachments: times(20, () => file(base64(0.9 * MB))), ...later }),
  },
  {
    what: '16 uploads of 18 MB at once',
    atOnce: 16,
    body: () => one({ attachments: [file(base64(18 * MB))], ...later }),
  },
];

const repeated: CostlyBody[] = [
  {
    what: 'an attachment of 18 MB under one Idempotency-Key',
    withKey: true,
    atOnce: 3,
    body: () => one({ attachments: [file(base64(18 * MB))], ...later }),
  },
  {
    what: '59,000 values under one Idempotency-Key',
    withKey: true,
    atOnce: 3,
    path: batchPath,
    body: () => batch((n) => ({ to: people(49, n), ...later })),
  },
  {
    what: '15 MB of texts under one Idempotency-Key',
    withKey: true,
    atOnce: 3,
    path: batchPath,
    body: () => batch(() => ({ text: 'ä'.repeat(70_000), ...later })),
  },
];

const atOnce: CostlyBody[] = [
  ...crowded.slice(0, 1),
  ...long.slice(0, 1),
  ...taken.slice(5, 6),
  ...taken.slice(9, 10),
].map((body) => ({ ...body, what: `16 at once: ${body.what}`, atOnce: 16 }));

export const costlyBodies: readonly CostlyBody[] = [
  ...crowded,
  ...long,
  ...slow,
  ...taken,
  ...files,
  ...repeated,
  ...atOnce,
];
