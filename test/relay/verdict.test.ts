// The verdict module against the failures that we wrote down, against every code at every stage, and against nonsense.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Stage, stages, type Verdict } from '../../relay/client/vocabulary.ts';
import { type Cause, catalogue } from '../../relay/verdict/catalogue.ts';
import type { Settings, Symptom } from '../../relay/verdict/failure.ts';
import { judge } from '../../relay/verdict/verdict.ts';

type KnownFailure = {
  id: string;
  stage: string;
  symptom: Symptom;
  config?: Settings;
  provider?: string;
  platform?: string;
  verdict: Verdict;
  /** Each of them is right. */
  causes: Cause[];
};

const knownFailures = readFileSync(new URL('../corpus/failures.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as KnownFailure);

// Other tools have words of their own for where it happened, such as `any`: those tell no stage.
const stageOf = ({ stage }: KnownFailure): Stage | undefined => stages.find((known) => known === stage);

describe('what servers, runtimes and people say', () => {
  test('is all there', () => {
    expect(knownFailures).toHaveLength(209);
    expect(new Set(knownFailures.map(({ id }) => id)).size).toBe(knownFailures.length);
  });

  test.each(knownFailures)('$id is $verdict because of $causes', (known) => {
    const { symptom, config = {}, provider, platform } = known;
    const judged = judge({ stage: stageOf(known), symptom, config, provider, platform });
    expect(judged.verdict).toBe(known.verdict);
    expect(known.causes).toContain(judged.cause);
    if (stageOf(known) !== undefined) expect(judged.stage).toBe(known.stage);
  });

  // A bare timeout is a blocked platform only for who knows the platform.
  const onlyThePlatformTells = new Set(['cloud-port-block-cloudzy', 'cloud-port-block-scaleway']);
  const selfContained = knownFailures.filter(({ id }) => !onlyThePlatformTells.has(id));

  test.each(selfContained)('$id needs neither provider nor platform for its verdict', (known) => {
    const { symptom, config = {} } = known;
    expect(judge({ stage: stageOf(known), symptom, config }).verdict).toBe(known.verdict);
  });

  test.each(knownFailures)(
    '$id needs no stage for its verdict',
    ({ symptom, config = {}, provider, platform, verdict }) => {
      expect(judge({ symptom, config, provider, platform }).verdict).toBe(verdict);
    },
  );
});

describe('a bare code means by its stage what RFC 5321 says', () => {
  const codes = [421, 450, 451, 452, 530, 535, 550, 552, 553, 554] as const;
  // One row a stage, one column a code, in the order above.
  const table: readonly (readonly [Stage, string])[] = [
    [
      'greeting',
      'retry:route retry:route retry:route retry:route stop:credential stop:credential stop:credential stop:credential stop:credential stop:credential',
    ],
    [
      'ehlo',
      'retry:route retry:route retry:route retry:route stop:credential stop:credential stop:credential stop:credential stop:credential stop:credential',
    ],
    [
      'auth',
      'retry:credential retry:credential retry:credential retry:credential stop:credential stop:credential stop:credential stop:credential stop:credential stop:credential',
    ],
    [
      'mail',
      'retry:message retry:message retry:message retry:message stop:credential stop:credential stop:sender fail:message stop:sender stop:sender',
    ],
    [
      'rcpt',
      'retry:message retry:recipient retry:recipient retry:recipient stop:credential stop:credential fail:recipient split:message fail:recipient fail:recipient',
    ],
    [
      'data',
      'retry:message retry:message retry:message retry:message stop:credential stop:credential fail:message fail:message fail:message fail:message',
    ],
    [
      'dot',
      'retry:message retry:message retry:message retry:message stop:credential stop:credential fail:message fail:message fail:message fail:message',
    ],
  ];
  test.each(table)('at %s', (stage, expected) => {
    const judged = codes.map((code) =>
      judge({ stage, symptom: { responseCode: code, reply: `${code} No` } }),
    );
    expect(judged.map(({ verdict, scope }) => `${verdict}:${scope}`).join(' ')).toBe(expected);
  });
});

describe('a broken connection', () => {
  const ends: readonly Symptom[] = [
    { code: 'ESOCKET', command: 'CONN', message: 'read ECONNRESET' },
    { code: 'ESOCKET', errno: -104, syscall: 'read' },
    { message: 'Unexpected socket close' },
    { message: 'write EPIPE' },
  ];
  test.each([
    ['tcp', 'failover'],
    ['tls', 'failover'],
    ['greeting', 'failover'],
    ['ehlo', 'failover'],
    ['starttls', 'failover'],
    ['auth', 'retry'],
    ['mail', 'retry'],
    ['rcpt', 'retry'],
    ['data', 'retry'],
    ['dot', 'uncertain'],
  ] as const)('at %s means %s', (stage, verdict) => {
    for (const symptom of ends) expect(judge({ stage, symptom })).toMatchObject({ stage, verdict });
  });
});

describe('after the final dot', () => {
  test.each([
    ['a code cut off', { responseCode: 25, reply: '25' }],
    ['an enhanced code cut off', { responseCode: 550, reply: '550 5.7' }],
    ['a reply without its last line', { responseCode: 550, reply: '550-5.7.1 no\r\n550-5.7.1 more' }],
    ['a positive reply that did not end', { responseCode: 250, reply: '250-ok' }],
    ['a code beside a reset', { code: 'ECONNRESET', responseCode: 451 }],
    ['nothing', {}],
  ] satisfies [string, Symptom][])('%s leaves the mail uncertain', (_, symptom) => {
    expect(judge({ stage: 'dot', symptom })).toEqual({
      verdict: 'uncertain',
      scope: 'message',
      cause: 'lost-after-dot',
      stage: 'dot',
    });
  });

  test.each(['554 5.7.1 Rejected', '550', '451-4.3.0 busy\r\n451 4.3.0 come back'])(
    '%s is a reply',
    (reply) => {
      expect(judge({ stage: 'dot', symptom: { reply } }).verdict).not.toBe('uncertain');
    },
  );
});

describe('how long to wait', () => {
  test.each([
    ['450 4.2.0 Greylisted for 300 seconds', 300],
    ['451 4.7.1 Greylisting in action, please come back in 00:04:58', 298],
    ['421 4.7.0 hourly quota reached, try again in 25 minutes', 1_500],
    ['450 4.7.1 rate limit exceeded, retry in an hour', 3_600],
    ['550 5.4.5 Daily user sending limit exceeded', 86_400],
    ['550 Exceeded 100 messages per hour', 3_600],
    ['550 5.7.1 Sender is limited to 100/h', 3_600],
    ['451 4.3.0 try again later', undefined],
    ['450 4.7.1 wait 9999999 days', undefined],
  ] as const)('%s: %s seconds', (reply, seconds) => {
    expect(judge({ stage: 'rcpt', symptom: { reply } }).retryAfterSeconds).toBe(seconds);
  });
});

describe('the relay, which gives no settings', () => {
  test('tries the next route when a loopback or private provider refuses', () => {
    for (const address of ['127.0.0.1', '::1', '10.1.2.3']) {
      const symptom = { code: 'ESOCKET', errno: -111, syscall: 'connect', address, port: 465 };
      expect(judge({ stage: 'tcp', symptom })).toMatchObject({ verdict: 'failover', scope: 'route' });
    }
  });

  test('tries the next route when nobody answers, except where the platform blocks every port', () => {
    const symptom = { code: 'ETIMEDOUT', command: 'CONN', message: 'Connection timeout' };
    expect(judge({ stage: 'tcp', symptom }).verdict).toBe('failover');
    expect(
      judge({ stage: 'tcp', symptom, provider: 'privateemail', platform: 'digitalocean' }),
    ).toMatchObject({
      verdict: 'stop',
      scope: 'platform',
    });
    expect(judge({ stage: 'tcp', symptom, provider: 'resend', platform: 'digitalocean' }).verdict).toBe(
      'failover',
    );
    expect(judge({ stage: 'tcp', symptom, provider: 'gmail', platform: 'hetzner' }).verdict).toBe('failover');
  });

  test('is not misled by names and addresses inside a reply', () => {
    const replies = [
      '550 5.1.1 <virus@spam.example.com>: Recipient address rejected: User unknown',
      '550 5.1.1 <daily-limit@quota.example.org>: no such user',
      '550 5.1.1 unknown user spf-dmarc@example.com at mx.blacklist.example.net',
    ];
    for (const reply of replies) {
      expect(judge({ stage: 'rcpt', symptom: { reply } })).toMatchObject({
        verdict: 'fail',
        cause: 'user-unknown',
      });
    }
  });
});

describe('whatever is reported', () => {
  const fragments = [
    ...knownFailures
      .flatMap(({ symptom }) => [symptom.reply, symptom.message])
      .filter((part) => part !== undefined),
    'read ECONNRESET',
    'Timeout',
    '250 2.0.0 Ok',
    '',
  ];
  const prose = fc.oneof(
    fc.string(),
    fc.constantFrom(...fragments),
    fc.array(fc.constantFrom(...fragments), { maxLength: 3 }).map((parts) => parts.join(' ')),
  );
  const mixed = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constantFrom('ECONNRESET', 'ETIMEDOUT', 'EAUTH', 'EDNS'),
  );
  const symptoms = fc.record(
    {
      code: mixed,
      errno: mixed,
      syscall: fc.string(),
      hostname: fc.string(),
      address: fc.string(),
      port: mixed,
      command: fc.constantFrom('CONN', 'MAIL FROM', 'RCPT TO', 'DATA', 'AUTH PLAIN', 'STARTTLS', ''),
      responseCode: fc.oneof(fc.integer({ min: 0, max: 700 }), fc.string()),
      enhanced: fc.string(),
      reply: prose,
      message: prose,
      reason: prose,
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Symptom>;
  const settings = fc.option(
    fc.dictionary(fc.constantFrom('host', 'port', 'SMTP_PASSWORD', 'auth', 'url'), fc.anything()),
    { nil: undefined },
  ) as fc.Arbitrary<Settings | undefined>;
  const failures = fc.record({
    stage: fc.constantFrom(...stages, undefined),
    symptom: symptoms,
    config: settings,
  });
  const runs = { numRuns: 3_000, seed: 20_260_601 };

  test('it is judged, with a cause that the catalogue explains, and the stage that was given', () => {
    fc.assert(
      fc.property(failures, (failure) => {
        const judged = judge(failure);
        expect(Object.keys(catalogue)).toContain(judged.cause);
        if (failure.stage !== undefined) expect(judged.stage).toBe(failure.stage);
      }),
      runs,
    );
  });

  test('nothing goes another way once data may be out, or back to the queue once it was accepted', () => {
    fc.assert(
      fc.property(failures, (failure) => {
        const { verdict, stage } = judge(failure);
        if (stage === 'rcpt' || stage === 'data' || stage === 'dot') expect(verdict).not.toBe('failover');
        if (stage === 'accepted') expect(['failover', 'retry', 'split']).not.toContain(verdict);
      }),
      runs,
    );
  });

  test('a mail that was sent without a reply is uncertain and nothing else', () => {
    fc.assert(
      fc.property(
        symptoms,
        ({ reply: _, responseCode: __, message: ___, reason: ____, code: _____, ...rest }) => {
          expect(judge({ stage: 'dot', symptom: { ...rest, message: 'socket closed' } }).verdict).toBe(
            'uncertain',
          );
        },
      ),
      runs,
    );
  });

  test('only a 5yz fails a mail or a recipient', () => {
    fc.assert(
      fc.property(failures, fc.integer({ min: 400, max: 499 }), (failure, responseCode) => {
        const symptom = { ...failure.symptom, responseCode };
        expect(judge({ ...failure, symptom }).verdict).not.toBe('fail');
      }),
      runs,
    );
  });

  test('64 KB of reply are judged at once', () => {
    for (const piece of ['a', 'a.', 'a@b.', ' spam host', '1.2.3.', '::1', 'x-', '<a@']) {
      const reply = `451 ${piece.repeat(65_536 / piece.length)}`;
      const start = performance.now();
      judge({ stage: 'dot', symptom: { reply, message: reply } });
      // Milliseconds in practice; a pattern that backtracks takes minutes.
      expect(performance.now() - start).toBeLessThan(2_000);
    }
  });
});
