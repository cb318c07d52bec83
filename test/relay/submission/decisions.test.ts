import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openBudget } from '../../../deploy/budget.ts';
import { newQueueId } from '../../../relay/client/queue-id.ts';
import { firstStatusBy, statusOfAll } from '../../../relay/policy/first-status.ts';
import { openCredentials } from '../../../relay/submission/credentials.ts';
import { nextGroup, type Submission } from '../../../relay/submission/group.ts';
import { checkLines, longestLine } from '../../../relay/submission/lines.ts';
import { openNetworks, parseIpv6Routes, parseRoutes } from '../../../relay/submission/networks.ts';
import { openThrottle } from '../../../relay/submission/throttle.ts';
import { submission as acceptable } from './offered.ts';
import { textLine } from './text-line.ts';

describe('queue ids', () => {
  test('are 16 characters that nobody misreads', () => {
    expect(newQueueId()).toMatch(/^[0-9A-HJKMNP-TV-Z]{16}$/);
  });
  test('sort by time', () => {
    fc.assert(
      fc.property(fc.nat(4e12), fc.nat(4e12), (a, b) => {
        const order = Math.sign(a - b);
        const [first, second] = [newQueueId(new Date(a)).slice(0, 9), newQueueId(new Date(b)).slice(0, 9)];
        expect(first < second ? -1 : first > second ? 1 : 0).toBe(order);
      }),
    );
  });
  test('do not repeat', () => {
    const now = new Date();
    // Of 10,000 in one millisecond two are the same in one of 700 runs, of these in one of 70,000.
    expect(new Set(Array.from({ length: 1_000 }, () => newQueueId(now))).size).toBe(1_000);
  });
});

describe('the line discipline', () => {
  const judge = (text: string, pieceBytes = text.length || 1) => {
    const check = checkLines();
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at += pieceBytes) check.read(bytes.subarray(at, at + pieceBytes));
    return check;
  };

  test.each([
    ['bare LF', 'a\nb\r\n', /Line 1 ends in a bare LF/],
    ['bare LF at the very beginning', '\n', /Line 1 ends in a bare LF/],
    ['bare CR', 'a\r\nb\rc\r\n', /Line 2 holds a bare CR/],
    ['two CR', 'a\r\r\n', /Line 1 holds a bare CR/],
    ['a NUL', 'a\0\r\n', /Line 1 holds a NUL/],
    ['LF.CRLF, as smuggled', 'a\n.\r\nMAIL FROM:<x>\r\n', /bare LF/],
    ['CR.CR, as smuggled', 'a\r.\rMAIL FROM:<x>\r\n', /bare CR/],
    ['a line without end', 'x'.repeat(longestLine + 1), /longer than/],
    ['a line that is too long and ends', `${'x'.repeat(longestLine + 1)}\r\n`, /longer than/],
  ])('%s is refused', (_, text, why) => {
    expect(judge(text).refusal).toMatchObject({ code: 554, enhanced: '5.6.0' });
    expect(judge(text).refusal?.text).toMatch(why);
    for (const size of [1, 2, 3]) expect(judge(text, size).refusal).toEqual(judge(text).refusal);
  });

  test('the first fault is found in whatever octets, however they are cut', () => {
    const octets = fc.string({
      unit: fc.constantFrom('\r\n', '\r\n', 'a', 'é', '\r', '\n', '\0'),
      maxLength: 30,
    });
    const kinds: Record<string, string> = {
      '\r': 'holds a bare CR',
      '\n': 'ends in a bare LF',
      '\0': 'holds a NUL',
    };
    fc.assert(
      fc.property(octets, fc.integer({ min: 1, max: 9 }), (text, size) => {
        // A CR at the very end may be half of a line's end.
        const fault = /\r(?!\n|$)|(?<!\r)\n|\0/.exec(text);
        const line = text.slice(0, fault?.index).split('\r\n').length;
        const told = judge(text, size).refusal?.text;
        if (fault) expect(told).toContain(`Line ${line} ${kinds[fault[0]]}`);
        else expect(told).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });

  test('lines that end in CRLF pass, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(textLine()), fc.integer({ min: 1, max: 70 }), (lines, size) => {
        const text = lines.map((line) => `${line}\r\n`).join('');
        const check = judge(text, size);
        expect(check.refusal).toBeUndefined();
        expect(check.eightBit).toBe([...text].some((octet) => octet > '\x7f'));
      }),
    );
  });
});

const submission = (wishes: Partial<Submission>) => ({ submission: acceptable(wishes) });

describe('a group that shares a commit', () => {
  test('takes from the front of the line, up to a hundred', () => {
    const line = Array.from({ length: 250 }, () => submission({}));
    const { group, rest } = nextGroup(line);
    expect(group).toEqual(line.slice(0, 100));
    expect(rest).toEqual(line.slice(100));
  });

  test('never holds the same mail twice: the second must see what the first committed', () => {
    const key = Buffer.from('k');
    const email = { id: '019a0000-0000-7000-8000-000000000001', token: Buffer.from('t') };
    const [a, b, c, d] = [
      submission({ key }),
      submission({ email }),
      submission({ key }),
      submission({ email }),
    ];
    const [e, f] = [submission({ key, credential: 'other' }), submission({})];
    const { group, rest } = nextGroup([a, b, c, d, e, f]);
    expect(group).toEqual([a, b, e, f]);
    expect(rest).toEqual([c, d]);
  });

  test('stays within 4 MB, but takes whatever comes first', () => {
    const big = () => submission({ content: Buffer.alloc(3_000_000) });
    const line = [submission({ content: Buffer.alloc(5_000_000) }), big(), big()];
    expect(nextGroup(line).group).toHaveLength(1);
    expect(nextGroup(line.slice(1)).group).toHaveLength(1);
  });
});

describe('a byte budget', () => {
  test('lets wait whoever does not fit, in the order of asking', async () => {
    const budget = openBudget(10);
    const served: number[] = [];
    const first = await budget.reserve(8);
    const second = budget.reserve(5).then(() => served.push(2));
    const third = budget.reserve(2).then(() => served.push(3));
    await new Promise(setImmediate);
    expect(served).toEqual([]);
    first[Symbol.dispose]();
    await Promise.all([second, third]);
    expect(served).toEqual([2, 3]);
  });
  test('refuses at once what can never fit', async () => {
    await expect(openBudget(10).reserve(11)).rejects.toThrow(RangeError);
  });
});

describe('networks', () => {
  const networks = openNetworks(
    ['10.1.0.0/16', '192.0.2.7', 'fd00:1::/64'],
    ['10.1.0.1', 'fd00:1::1', '172.17.0.1', '203.0.113.1'],
    ['172.16.0.0/12', '203.0.113.0/24'],
  );
  test.each([
    ['10.1.2.3', '10.1.0.0/16'],
    ['10.2.0.1', undefined],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.8', undefined],
    ['fd00:1::2', 'fd00:1::/64'],
    ['10.1.0.1', undefined],
    ['fd00:1::1', undefined],
    ['', undefined],
  ])('%s is trusted by %s', (address, cidr) => expect(networks.trusted(address)).toBe(cidr));

  test.each([
    ['127.0.0.1', true],
    ['172.20.0.3', true],
    ['172.32.0.1', false],
    ['203.0.113.9', false],
    ['::1', true],
    ['2001:db8::1', false],
    // Gateways: one that is named, two that are not, and one that is not private.
    ['172.17.0.1', true],
    ['10.1.0.1', false],
    ['fd00:1::1', false],
    ['203.0.113.1', false],
  ])('%s may send a password in clear: %s', (address, expected) =>
    expect(networks.mayLogInClear(address)).toBe(expected),
  );

  test('default gateways are read from the routing tables of Linux', () => {
    const table =
      'Iface\tDestination\tGateway \tFlags\neth0\t00000000\t010011AC\t0003\neth0\t000011AC\t00000000\t0001\n';
    expect(parseRoutes(table)).toEqual(['172.17.0.1']);
    const zeros = '0'.repeat(32);
    const ipv6 = `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 1 0 3 eth0\nfe800000000000000000000000000000 40 ${zeros} 00 ${zeros} 100 1 0 1 eth0\n`;
    expect(parseIpv6Routes(ipv6)).toEqual(['fe80:0000:0000:0000:0000:0000:0000:0001']);
  });
});

test('a credential is right with its own password only', () => {
  const credentials = openCredentials([
    { name: 'shop', password: 'sesame' },
    { name: 'blog', password: 'open' },
  ]);
  expect(credentials.verify('shop', 'sesame')).toBe(true);
  expect(credentials.verify('shop', 'open')).toBe(false);
  expect(credentials.verify('shop', '')).toBe(false);
  expect(credentials.verify('nobody', 'sesame')).toBe(false);
});

describe('failed logins', () => {
  const minutes = (n: number) => n * 60_000;
  test('five for a name make it wait until ten minutes after the first', () => {
    const throttle = openThrottle();
    for (let n = 0; n < 5; n++) {
      expect(throttle.wait('10.0.0.1', 'shop', minutes(n))).toBe(0);
      throttle.failed('10.0.0.1', 'shop', minutes(n));
    }
    expect(throttle.wait('10.0.0.1', 'shop', minutes(5))).toBe(300);
    expect(throttle.wait('10.0.0.1', 'blog', minutes(5))).toBe(0);
    expect(throttle.wait('10.0.0.2', 'shop', minutes(5))).toBe(0);
    expect(throttle.wait('10.0.0.1', 'shop', minutes(10))).toBe(0);
  });
  test('are forgiven by one that succeeds', () => {
    const throttle = openThrottle();
    for (let n = 0; n < 4; n++) throttle.failed('10.0.0.1', 'shop', 0);
    throttle.succeeded('10.0.0.1', 'shop');
    throttle.failed('10.0.0.1', 'shop', 0);
    expect(throttle.wait('10.0.0.1', 'shop', 0)).toBe(0);
  });
  test('with many names close the address', () => {
    const throttle = openThrottle();
    for (let n = 0; n < 50; n++) throttle.failed('10.0.0.1', `guess ${n}`, 0);
    expect(throttle.wait('10.0.0.1', 'another', 0)).toBe(600);
  });
});

describe('the first status of a recipient', () => {
  const providers = [{}] as never[];
  const rules = { deliveryAllowlist: [], missing: [], problems: [], providers };
  test('queued when there is a provider', () => {
    expect(firstStatusBy({ ...rules, deliveryMode: 'deliver' })('a@b.example').status).toBe('queued');
  });
  test('held without one, with the names of what is missing', () => {
    const status = firstStatusBy({
      ...rules,
      deliveryMode: 'deliver',
      providers: [],
      missing: ['SMTP_HOST'],
    });
    expect(status('a@b.example')).toEqual({
      status: 'held',
      reason: 'not-configured',
      reasonDetail: 'Missing: SMTP_HOST',
    });
  });
  test('captured for everybody in capture mode, and for the unlisted in allowlist mode', () => {
    expect(firstStatusBy({ ...rules, deliveryMode: 'capture', providers: [] })('a@b.example').status).toBe(
      'captured',
    );
    const listed = firstStatusBy({
      ...rules,
      deliveryMode: 'allowlist',
      deliveryAllowlist: ['*@b.example', 'Me@c.example'],
    });
    expect(listed('A@B.example').status).toBe('queued');
    expect(listed('me@c.example').status).toBe('queued');
    expect(listed('you@c.example').status).toBe('captured');
  });
  test('a mail shows the one that needs attention most', () => {
    const of = (status: 'queued' | 'held' | 'captured') => ({ status, reason: null, reasonDetail: null });
    expect(statusOfAll([of('captured'), of('held'), of('queued')]).status).toBe('held');
  });
});
