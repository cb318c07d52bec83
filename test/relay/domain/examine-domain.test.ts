// A name server of the kit holds every fault that a sender's domain can have; each gets its finding and its record.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { examineDomain } from '../../../relay/domain/examine-domain.ts';
import { openLookup } from '../../../relay/domain/lookup.ts';
import { startDns } from '../../kit/dns-server.ts';
import { recommendedZones } from './recommended-zones.ts';

const rsaKey = (bits: number) =>
  generateKeyPairSync('rsa', { modulusLength: bits })
    .publicKey.export({ format: 'der', type: 'spki' })
    .toString('base64');
const long = rsaKey(2048);
const key = `"v=DKIM1; k=rsa; p=${long.slice(0, 200)}" "${long.slice(200)}"`;

const ns = 'example.com NS dns1.registrar-servers.com';
const mx = 'example.com MX 10 mx1.privateemail.com';
const spf = 'example.com TXT "v=spf1 include:spf.privateemail.com ~all"';
const includes = 'spf.privateemail.com TXT "v=spf1 ip4:192.0.2.0/24 ~all"';
const dkim = `default._domainkey.example.com TXT ${key}`;
const dmarc = '_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.com"';

const parts = { ns, mx, spf, includes, dkim, dmarc };

/** The good zone, with these parts in the place of its own. */
const zone = (changed: Partial<Record<keyof typeof parts, string>> = {}) =>
  Object.values({ ...parts, ...changed }).join('\n');

async function examine(
  zones: string,
  { domain = 'example.com', providerId = 'privateemail', seenSelectors = [] as string[] } = {},
) {
  await using dns = await startDns(zones);
  const lookup = openLookup({ resolvers: [dns.address] });
  const examination = await examineDomain(
    { domain, providerId, seenSelectors, unusedLabel: 'nobody-has-this' },
    lookup,
  );
  return { ...examination, questions: dns.questions };
}

/** What is not as it should be: `result cause`. */
const faultsOf = ({ findings }: Awaited<ReturnType<typeof examine>>) =>
  findings.filter(({ result }) => result !== 'pass').map(({ result, cause }) => `${result} ${cause}`);

const eleven = Array.from({ length: 11 }, (_, n) => `include:s${n}.example.net`).join(' ');
const elevenZones = Array.from(
  { length: 11 },
  (_, n) => `s${n}.example.net TXT "v=spf1 ip4:198.51.100.${n} ~all"`,
).join('\n');

const own = 'include:spf.privateemail.com';

describe('faults of SPF', () => {
  test.each<[string, string, string[], string?]>([
    ['none', zone({ spf: '' }), ['fail spf-missing'], `v=spf1 ${own} ~all`],
    [
      'two records',
      zone({ spf: `${spf}\nexample.com TXT "v=spf1 ip4:203.0.113.7 -all"` }),
      ['fail spf-doubled'],
      `v=spf1 ${own} ip4:203.0.113.7 -all`,
    ],
    [
      'another service only',
      zone({ spf: 'example.com TXT "v=spf1 a mx ~all"' }),
      ['fail spf-without-provider'],
      `v=spf1 a mx ${own} ~all`,
    ],
    [
      'nobody else said',
      zone({ spf: `example.com TXT "v=spf1 ${own}"` }),
      ['note spf-without-end'],
      `v=spf1 ${own} ~all`,
    ],
    [
      'everybody',
      zone({ spf: `example.com TXT "v=spf1 ${own} +all"` }),
      ['fail spf-allows-everybody'],
      `v=spf1 ${own} ~all`,
    ],
    [
      'all without a sign',
      zone({ spf: `example.com TXT "v=spf1 ${own} all"` }),
      ['fail spf-allows-everybody'],
      `v=spf1 ${own} ~all`,
    ],
    [
      'quotes inside',
      zone({ spf: `example.com TXT "\\"v=spf1 ${own} ~all\\""` }),
      ['fail spf-missing', 'fail spf-misspelt'],
    ],
    [
      'a space before',
      zone({ spf: `example.com TXT " v=spf1 ${own} ~all"` }),
      ['fail spf-missing', 'fail spf-misspelt'],
    ],
    ['another version', zone({ spf: `example.com TXT "v=spf10 ${own} ~all"` }), ['fail spf-missing']],
    ['a lost space', zone({ spf: `example.com TXT "v=spf1 ${own}" "~all"` }), ['fail spf-broken']],
    [
      'parts that belong together',
      zone({ spf: 'example.com TXT "v=spf1 include:spf.private" "email.com ~all"' }),
      [],
    ],
    [
      'an equals sign',
      zone({ spf: `example.com TXT "v=spf1 ${own} ip4=192.0.2.1 ~all"` }),
      ['fail spf-broken'],
    ],
    [
      'no address',
      zone({ spf: `example.com TXT "v=spf1 ${own} ip4:192.0.2.999 ~all"` }),
      ['fail spf-broken'],
    ],
    [
      'an unknown word',
      zone({ spf: `example.com TXT "v=spf1 ${own} ipv4:192.0.2.1 ~all"` }),
      ['fail spf-broken'],
    ],
    [
      'eleven lookups',
      `${zone({ spf: `example.com TXT "v=spf1 ${own} ${eleven} ~all"` })}\n${elevenZones}`,
      ['fail spf-too-many-lookups'],
    ],
    [
      'names that do not exist',
      zone({ spf: `example.com TXT "v=spf1 ${own} a:x.example.net a:y.example.net mx:z.example.net ~all"` }),
      ['warn spf-void-lookups'],
    ],
    [
      'an include without a record',
      zone({ spf: `example.com TXT "v=spf1 ${own} include:gone.example.net ~all"` }),
      ['fail spf-broken'],
    ],
    [
      'an include of itself',
      zone({ spf: `example.com TXT "v=spf1 ${own} include:example.com ~all"` }),
      ['fail spf-broken'],
    ],
    [
      'a redirect beside all',
      zone({ spf: `example.com TXT "v=spf1 ${own} ~all redirect=gone.example.net"` }),
      ['warn spf-terms-after-all'],
    ],
    [
      'a redirect to the provider',
      zone({ spf: 'example.com TXT "v=spf1 redirect=spf.privateemail.com"' }),
      [],
    ],
    [
      'terms behind all',
      zone({ spf: `example.com TXT "v=spf1 ${own} ~all ip4:192.0.2.1"` }),
      ['warn spf-terms-after-all'],
    ],
    ['ptr', zone({ spf: `example.com TXT "v=spf1 ptr ${own} ~all"` }), ['note spf-uses-ptr']],
    [
      'the provider further down',
      `${zone({ spf: 'example.com TXT "v=spf1 include:all.example.net ~all"' })}\nall.example.net TXT "v=spf1 ${own} ~all"`,
      [],
    ],
    ['a macro', zone({ spf: 'example.com TXT "v=spf1 include:%{d}._spf.example.net ~all"' }), []],
    [
      'a name server that fails',
      zone({ spf: 'example.com SERVFAIL' }),
      ['unknown mx-unknown', 'unknown spf-unknown'],
    ],
    [
      'one that fails further down',
      zone({ includes: 'spf.privateemail.com SERVFAIL' }),
      ['unknown spf-unknown'],
    ],
    [
      'an answer too large for UDP, without TCP',
      zone({ includes: 'spf.privateemail.com CUT' }),
      ['unknown spf-unknown'],
    ],
    [
      'a set of records too large for UDP',
      `${zone()}\nexample.com TXT "${'a'.repeat(250)}"\nexample.com TXT "${'b'.repeat(250)}"\nexample.com TXT "${'c'.repeat(250)}"`,
      [],
    ],
  ])('%s', async (_, zones, faults, record) => {
    const examination = await examine(zones);
    expect(faultsOf(examination)).toEqual(faults);
    if (record !== undefined) {
      expect(
        examination.findings.find(({ check, record: named }) => check === 'spf' && named)?.record,
      ).toEqual({
        name: 'example.com',
        type: 'TXT',
        value: record,
        host: '@',
      });
    }
  });
});

describe('faults of DKIM', () => {
  test.each<[string, string, string[]]>([
    ['none', zone({ dkim: '' }), ['fail dkim-missing']],
    ['revoked', zone({ dkim: 'default._domainkey.example.com TXT "v=DKIM1; p="' }), ['fail dkim-revoked']],
    [
      'cut off',
      zone({ dkim: `default._domainkey.example.com TXT "v=DKIM1; k=rsa; p=${long.slice(0, 240)}"` }),
      ['fail dkim-key-broken'],
    ],
    [
      'with quotes inside',
      zone({
        dkim: `default._domainkey.example.com TXT "v=DKIM1; k=rsa; p=${long.slice(0, 150)}\\"" "\\"${long.slice(150)}"`,
      }),
      ['fail dkim-key-broken'],
    ],
    [
      'too short',
      zone({ dkim: `default._domainkey.example.com TXT "v=DKIM1; p=${rsaKey(768)}"` }),
      ['fail dkim-key-too-short'],
    ],
    [
      'short',
      zone({ dkim: `default._domainkey.example.com TXT "v=DKIM1; p=${rsaKey(1024)}"` }),
      ['note dkim-key-short'],
    ],
    [
      'Ed25519',
      zone({
        dkim: `default._domainkey.example.com TXT "v=DKIM1; k=ed25519; p=${Buffer.alloc(32, 7).toString('base64')}"`,
      }),
      [],
    ],
    [
      'marked as a test',
      zone({
        dkim: `default._domainkey.example.com TXT "v=DKIM1; t=y; p=${long.slice(0, 150)}" "${long.slice(150)}"`,
      }),
      ['warn dkim-test-key'],
    ],
    [
      'of an unknown kind',
      zone({ dkim: 'default._domainkey.example.com TXT "v=DKIM1; k=dsa; p=AAAA"' }),
      ['fail dkim-key-broken'],
    ],
    [
      'an alias that leads nowhere',
      zone({ dkim: 'default._domainkey.example.com CNAME key.example.net' }),
      ['fail dkim-not-switched-on'],
    ],
    [
      'an alias',
      `${zone({ dkim: 'default._domainkey.example.com CNAME key.example.net' })}\nkey.example.net TXT ${key}`,
      [],
    ],
    ['under another name', zone({ dkim: `google._domainkey.example.com TXT ${key}` }), ['fail dkim-missing']],
    ['every name answers', zone({ dkim: `*._domainkey.example.com TXT ${key}` }), ['unknown dkim-wildcard']],
    ['no answer', zone({ dkim: 'default._domainkey.example.com REFUSED' }), ['unknown dkim-unknown']],
    ['another text beside the key', `${zone()}\ndefault._domainkey.example.com TXT "verification=abc"`, []],
  ])('%s', async (_, zones, faults) => {
    expect(faultsOf(await examine(zones))).toEqual(faults);
  });

  test('a selector that a mail showed is enough, whatever the provider usually has', async () => {
    const zones = zone({ dkim: `x2026._domainkey.example.com TXT ${key}` });
    expect(faultsOf(await examine(zones, { seenSelectors: ['x2026'] }))).toEqual([]);
  });

  test('where nothing stands below _domainkey, the usual names are not asked', async () => {
    const { questions } = await examine(zone({ dkim: '' }));
    expect(questions.filter((question) => question.includes('._domainkey.'))).toHaveLength(3);
  });
});

describe('faults of DMARC', () => {
  const record = 'v=DMARC1; p=none; rua=mailto:dmarc@example.com';
  test.each<[string, string, string[], { name: string; value: string }?]>([
    ['none', zone({ dmarc: '' }), ['fail dmarc-missing'], { name: '_dmarc.example.com', value: record }],
    ['two', zone({ dmarc: `${dmarc}\n_dmarc.example.com TXT "v=DMARC1; p=reject"` }), ['fail dmarc-doubled']],
    [
      'at the domain itself',
      zone({ dmarc: `example.com TXT "${record}"` }),
      ['fail dmarc-at-the-domain-itself'],
      { name: '_dmarc.example.com', value: record },
    ],
    [
      'the name doubled',
      zone({ dmarc: `_dmarc.example.com.example.com TXT "${record}"` }),
      ['fail dmarc-name-doubled'],
      { name: '_dmarc.example.com', value: record },
    ],
    ['the wrong case', zone({ dmarc: '_dmarc.example.com TXT "v=dmarc1; p=none"' }), ['fail dmarc-misspelt']],
    [
      'without semicolons',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1 p=none"' }),
      ['fail dmarc-misspelt'],
    ],
    [
      'no policy and nobody to report to',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; fo=1"' }),
      ['fail dmarc-without-policy'],
    ],
    [
      'a policy that does not exist',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=block; rua=mailto:a@example.com"' }),
      ['warn dmarc-broken'],
    ],
    [
      'a policy twice',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=none; p=reject; rua=mailto:a@example.com"' }),
      ['warn dmarc-broken'],
    ],
    [
      'reports without mailto',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=none; rua=a@example.com"' }),
      ['warn dmarc-broken', 'note dmarc-without-reports'],
    ],
    [
      'no reports',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=reject"' }),
      ['note dmarc-without-reports'],
    ],
    [
      'an old tag',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=quarantine; pct=50; rua=mailto:a@example.com"' }),
      ['note dmarc-obsolete'],
    ],
    [
      'a test',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=reject; t=y; rua=mailto:a@example.com"' }),
      ['note dmarc-test'],
    ],
    [
      'reports to strangers',
      zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@reports.example.net"' }),
      ['note dmarc-reports-not-wanted'],
    ],
    [
      'reports to who takes them',
      `${zone({ dmarc: '_dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:a@reports.example.net"' })}\nexample.com._report._dmarc.reports.example.net TXT "v=DMARC1"`,
      [],
    ],
    ['no answer', zone({ dmarc: '_dmarc.example.com SERVFAIL' }), ['unknown dmarc-unknown']],
  ])('%s', async (_, zones, faults, named) => {
    const examination = await examine(zones);
    expect(faultsOf(examination)).toEqual(faults);
    if (named) {
      const { record: found } = examination.findings.find(({ check }) => check === 'dmarc') ?? {};
      expect(found).toEqual({ ...named, type: 'TXT', host: '_dmarc' });
    }
  });

  const below = (more: string) =>
    `${ns}\n${mx.replace('example.com', 'mail.example.com')}\n${spf.replace('example.com', 'mail.example.com')}
${includes}\n${dkim.replace('.example.com', '.mail.example.com')}\n${more}`;

  test('a name below inherits the policy for subdomains', async () => {
    const zones = below('_dmarc.example.com TXT "v=DMARC1; p=none; sp=reject; rua=mailto:a@example.com"');
    const examination = await examine(zones, { domain: 'mail.example.com' });
    expect(faultsOf(examination)).toEqual([]);
    expect(examination.findings.at(-1)?.title).toContain('policy "reject", from the record of example.com');
  });

  test('a record at the subdomain only makes it an organisation of its own', async () => {
    const zones = below('_dmarc.mail.example.com TXT "v=DMARC1; p=none; rua=mailto:a@example.com"');
    const examination = await examine(zones, { domain: 'mail.example.com' });
    expect(faultsOf(examination)).toEqual(['warn dmarc-only-below']);
    expect(examination.findings.at(-1)?.record?.name).toBe('_dmarc.example.com');
  });

  test('none below and none above: the record is named where it covers both', async () => {
    const examination = await examine(below(''), { domain: 'mail.example.com' });
    expect(faultsOf(examination)).toEqual(['fail dmarc-missing']);
    expect(examination.findings.at(-1)?.record?.host).toBe('_dmarc');
  });

  test('the walk ends at a public suffix, and asks eight names at most', async () => {
    const domain = 'a.b.c.d.e.f.g.h.i.example.com';
    const zones = `${ns}\n_dmarc.com TXT "v=DMARC1; psd=y; p=none"\n${domain} MX 10 mx1.privateemail.com`;
    const { questions } = await examine(zones, { domain });
    const asked = questions.filter(
      (question) => question.startsWith('TXT _dmarc.') && !question.includes('.example.com.'),
    );
    expect(asked).toHaveLength(8);
    expect(asked).toContain('TXT _dmarc.com');
  });
});

describe('the domain itself', () => {
  test.each<[string, string, string[]]>([
    ['takes no mail and says so', zone({ mx: 'example.com MX 0 .' }), ['fail mx-null']],
    ['has no MX and no address', zone({ mx: '' }), ['fail mx-missing']],
    ['has a web server only', zone({ mx: 'example.com A 192.0.2.80' }), ['warn mx-missing']],
    ['takes its mail elsewhere', zone({ mx: 'example.com MX 10 aspmx.l.google.com' }), ['note mx-elsewhere']],
    ['is not registered', 'example.net NS ns.example.net', ['fail domain-not-registered']],
    [
      'cannot be asked',
      'example.com SILENT',
      ['unknown mx-unknown', 'unknown spf-unknown', 'fail dkim-missing', 'fail dmarc-missing'],
    ],
  ])(
    '%s',
    async (_, zones, faults) => {
      expect(faultsOf(await examine(zones))).toEqual(faults);
    },
    30_000,
  );

  test('a subdomain that does not exist', async () => {
    const examination = await examine(zone(), { domain: 'shop.example.com' });
    expect(faultsOf(examination)).toContain('fail domain-name-missing');
  });

  test('mailboxes of a provider are for that provider', async () => {
    expect(faultsOf(await examine('', { domain: 'gmail.com', providerId: 'gmail' }))).toEqual([
      'not-applicable domain-of-the-provider',
    ]);
    expect(faultsOf(await examine('', { domain: 'gmail.com' }))).toEqual(['fail domain-of-another-provider']);
  });

  test('where it is typed is told from the name servers', async () => {
    const { findings } = await examine(zone({ spf: '', dmarc: '' }));
    expect(findings.map(({ fix }) => fix).join('\n')).toContain(
      'at Namecheap (Domain List, Manage, Advanced DNS)',
    );
  });
});

test.each(recommendedZones)('what %s recommends raises no alarm', async (providerId, zones) => {
  const examination = await examine(zones, { providerId });
  const random = providerId === 'ses' ? ['unknown dkim-not-found-by-guessing'] : [];
  expect(faultsOf(examination)).toEqual(random);
  const answers = examination.receivers.map(({ answer }) => answer);
  expect(answers).toEqual(providerId === 'ses' ? ['yes', 'unknown', 'unknown'] : ['yes', 'yes', 'yes']);
});

describe('what the large receivers ask for', () => {
  test.each<[string, string, string[]]>([
    ['all is there', zone(), ['yes', 'yes', 'yes']],
    ['no DMARC', zone({ dmarc: '' }), ['yes', 'yes', 'no']],
    ['no DKIM', zone({ dkim: '' }), ['yes', 'no', 'no']],
    ['neither SPF nor DKIM', zone({ spf: '', dkim: '' }), ['no', 'no', 'no']],
    [
      'DNS fails for SPF and DKIM',
      zone({ spf: 'example.com SERVFAIL', dkim: '*._domainkey.example.com SERVFAIL' }),
      ['unknown', 'unknown', 'unknown'],
    ],
  ])('%s', async (_, zones, answers) => {
    const { receivers } = await examine(zones);
    expect(receivers.map(({ answer }) => answer)).toEqual(answers);
  });
});
