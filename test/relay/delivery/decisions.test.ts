// The pure decisions of delivery, as tables and as laws.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Circumstances, decide } from '../../../relay/delivery/attempt/decide.ts';
import { secondsUntilRetry } from '../../../relay/delivery/attempt/retry-schedule.ts';
import { roomFor } from '../../../relay/delivery/choose-lane.ts';
import { remaining } from '../../../relay/delivery/lanes/pacing.ts';
import { shareOf } from '../../../relay/delivery/lanes/share.ts';
import type { SmtpFailure } from '../../../relay/smtp/failure.ts';
import { providerQueueId, readReply, tidy } from '../../../relay/smtp/reply.ts';
import type { Transaction } from '../../../relay/smtp/transaction.ts';
import type { Judgement } from '../../../relay/verdict/failure.ts';

test.each([
  ['the first step', 1, 0, 0.5, 15],
  ['the last step, again and again', 99, 0, 0.5, 3_600],
  ['a fifth sooner at the earliest', 1, 0, 0, 12],
  ['a fifth later at the latest', 1, 0, 1, 18],
  ['what the provider asked for, when that is later', 1, 300, 0.5, 300],
  ['not what the provider asked for, when that is sooner', 2, 5, 0.5, 60],
])('a retry waits for %s', (_, attempts, asked, random, expected) => {
  expect(secondsUntilRetry([15, 60, 3_600], attempts, { asked, random })).toBeCloseTo(expected);
});

test.each([
  ['250 2.0.0 Ok: queued as 4XkQ2b', { code: 250, enhanced: '2.0.0' }],
  ['250-one\r\n250 two', { code: 250, enhanced: null }],
  ['550', { code: 550, enhanced: null }],
  ['250-one\r\n550 two', undefined],
  ['HTTP/1.1 400 Bad Request', undefined],
  ['25', undefined],
  ['2500 Ok', undefined],
  ['', undefined],
])('reads %j as a reply, or not', (raw, expected) => {
  const reply = readReply(raw);
  if (expected === undefined) expect(reply).toBeUndefined();
  else expect(reply).toMatchObject(expected);
});

test.each([
  ['250 2.0.0 Ok: queued as 4XkQ2bZ', '4XkQ2bZ'],
  [
    '250 2.0.0 OK  1692612345 d9443c01a7336-1bf5a5f0a3bsi1234567plb.123 - gsmtp',
    'd9443c01a7336-1bf5a5f0a3bsi1234567plb.123',
  ],
  [
    '250 Ok 0102018a1b2c3d4e-5f6a7b8c-9d0e-4f1a-8b2c-3d4e5f6a7b8c-000000',
    '0102018a1b2c3d4e-5f6a7b8c-9d0e-4f1a-8b2c-3d4e5f6a7b8c-000000',
  ],
  ['250 OK id=1qXyZa-0003Ab-2C', '1qXyZa-0003Ab-2C'],
  ['250 Thank you', null],
])('finds the provider’s name for a mail in %j', (text, expected) => {
  expect(providerQueueId(text)).toBe(expected);
});

test('whatever a stranger sends, what we keep fits the database', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5_000 }), (raw) => {
      const kept = tidy(raw);
      expect(kept.length).toBeLessThanOrEqual(2_001);
      expect(kept.isWellFormed()).toBe(true);
      expect(kept).not.toMatch(/[^\P{Cc}\n]/u);
    }),
  );
});

test('shares of a provider’s connections never add up to more than there are, and nobody starves', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.uniqueArray(fc.record({ instance: fc.uuid(), busy: fc.boolean() }), {
        minLength: 1,
        maxLength: 12,
        selector: ({ instance }) => instance,
      }),
      (total, replicas) => {
        const shares = replicas.map(({ instance }) => shareOf(total, replicas, instance));
        const sum = shares.reduce((a, b) => a + b, 0);
        expect(sum).toBeLessThanOrEqual(total);
        if (replicas.length <= total) expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
        if (replicas.length === 1 || replicas.some(({ busy }) => busy)) expect(sum).toBe(total);
      },
    ),
  );
});

test.each([
  [{ perHour: 100 }, { hour: 0, day: 0 }, true, 100],
  [{ perHour: 100 }, { hour: 0, day: 0 }, false, 90],
  [{ perHour: 100 }, { hour: 95, day: 95 }, false, -5],
  [{ perHour: 100 }, { hour: 95, day: 95 }, true, 5],
  [{ perHour: 100, perDay: 120 }, { hour: 10, day: 115 }, true, 5],
  [{}, { hour: 1_000, day: 1_000 }, false, Number.POSITIVE_INFINITY],
])('of the limits %j, used %j, mail that is urgent: %s may use %s', (limits, used, isUrgent, expected) => {
  expect(remaining(limits, used, isUrgent)).toBe(expected);
});

const person = (ordinal: number, resends = 0) => ({
  ordinal,
  address: `p${ordinal}@example.org`,
  attempts: 0,
  resends,
  notify: null,
  orcpt: null,
});
const failure: SmtpFailure = { stage: 'rcpt', symptom: {}, timings: {} };
const verdicts = ['failover', 'stop', 'pause', 'retry', 'split', 'fail', 'uncertain'] as const;
const scopes = ['route', 'credential', 'sender', 'message', 'recipient', 'platform'] as const;

test('whatever the verdict, every recipient gets exactly one outcome or another try, and nothing before the dot is uncertain', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(...verdicts),
      fc.constantFrom(...scopes),
      fc.constantFrom<Transaction['end']>(
        { kind: 'answered', reply: { code: 250, enhanced: null, text: '250 Ok' } },
        { kind: 'answered', reply: { code: 554, enhanced: null, text: '554 No' } },
        { kind: 'silent', failure: { ...failure, stage: 'dot' } },
        { kind: 'failed', failure: { ...failure, stage: 'mail' } },
        { kind: 'fenced', why: 'stopping' },
      ),
      fc.boolean(),
      fc.boolean(),
      (count, verdict, scope, end, isNotice, mayBeStale) => {
        const recipients = Array.from({ length: count }, (_, ordinal) => person(ordinal));
        const refused = new Map(recipients.slice(0, count >> 1).map(({ address }) => [address, failure]));
        const judgement: Judgement = {
          verdict,
          scope,
          cause: 'unknown' as Judgement['cause'],
          stage: 'rcpt',
        };
        const { dispositions, again, effects } = decide({
          recipients,
          transaction: { timings: {}, refused, accepted: [], end },
          judge: () => judgement,
          schedule: [15],
          onUncertain: 'resend',
          resendSeconds: 900,
          isNotice,
          mayBeStale,
          isTagged: false,
          random: () => 0.5,
        });
        const seen = [
          ...dispositions.map(({ recipient }) => recipient.ordinal),
          ...again.flat().map(({ ordinal }) => ordinal),
        ];
        expect(seen.toSorted((a, b) => a - b)).toEqual(recipients.map(({ ordinal }) => ordinal));
        const statuses = dispositions.map(({ status }) => status);
        if (end.kind !== 'silent') expect(statuses).not.toContain('uncertain');
        if (end.kind !== 'answered') expect(statuses).not.toContain('sent');
        if (isNotice) expect(effects).toEqual([]);
        // A fault of the lane or of a sender never counts against a mail.
        for (const { status, counts } of dispositions)
          if (status === 'queued' || status === 'held') expect(counts).toBe(false);
        // Nor does a lane that asks to come back later.
        const isTheLanes = scope === 'credential' || scope === 'route' || scope === 'platform';
        for (const { status, counts } of dispositions)
          if (status === 'deferred' && isTheLanes) expect(counts).toBe(false);
        // Smaller batches only: otherwise it would never end.
        if (!mayBeStale) for (const batch of again) expect(batch.length).toBeLessThan(count);
      },
    ),
  );
});

test('a mail whose second copy got no answer either is held', () => {
  const { dispositions } = decide({
    recipients: [person(0, 1)],
    transaction: {
      timings: {},
      refused: new Map(),
      accepted: [],
      end: { kind: 'silent', failure: { ...failure, stage: 'dot' } },
    },
    judge: () => ({ verdict: 'uncertain', scope: 'message', cause: 'lost-after-dot', stage: 'dot' }),
    schedule: [15],
    onUncertain: 'resend',
    resendSeconds: 900,
    isNotice: false,
    mayBeStale: false,
    isTagged: false,
  });
  expect(dispositions).toMatchObject([{ status: 'held', reason: 'uncertain-twice' }]);
});

const usual: Omit<Circumstances, 'transaction'> = {
  recipients: [person(0), person(1)],
  schedule: [15],
  onUncertain: 'resend',
  resendSeconds: 900,
  isNotice: false,
  mayBeStale: false,
  isTagged: false,
  judge: () => ({ verdict: 'retry', scope: 'message', cause: 'unknown', stage: 'mail' }),
};

const failedAt = (stage: SmtpFailure['stage'], symptom: SmtpFailure['symptom'] = {}): Transaction => ({
  timings: {},
  refused: new Map(),
  accepted: [],
  end: { kind: 'failed', failure: { ...failure, stage, symptom } },
});

test('only a session that was idle and ended without a word before MAIL is tried again at once', () => {
  const isTriedAgain = (transaction: Transaction, mayBeStale: boolean) =>
    decide({ ...usual, transaction, mayBeStale }).again.length > 0;
  expect(isTriedAgain(failedAt('mail'), true)).toBe(true);
  expect(isTriedAgain(failedAt('mail'), false)).toBe(false);
  expect(isTriedAgain(failedAt('mail', { responseCode: 451, reply: '451 later' }), true)).toBe(false);
  for (const stage of ['rcpt', 'data', 'dot'] as const) {
    expect(isTriedAgain(failedAt(stage), true)).toBe(false);
  }
  const silent: Transaction = {
    ...failedAt('mail'),
    end: { kind: 'silent', failure: { ...failure, stage: 'dot' } },
  };
  expect(isTriedAgain(silent, true)).toBe(false);
});

test.each([
  ['resend', 900],
  ['hold', null],
] as const)('under the policy to %s uncertain mail is sent again in %s s', (onUncertain, delaySeconds) => {
  const { dispositions } = decide({
    ...usual,
    onUncertain,
    recipients: [person(0)],
    transaction: { ...failedAt('dot'), end: { kind: 'silent', failure: { ...failure, stage: 'dot' } } },
  });
  expect(dispositions).toMatchObject([{ status: 'uncertain', delaySeconds }]);
});

test('a mail for one recipient is not split again, whatever the provider says', () => {
  const { again, dispositions } = decide({
    ...usual,
    recipients: [person(0)],
    transaction: failedAt('rcpt'),
    judge: () => ({ verdict: 'split', scope: 'message', cause: 'unknown', stage: 'rcpt' }),
  });
  expect(again).toEqual([]);
  expect(dispositions).toMatchObject([{ status: 'deferred' }]);
});

test('of a mail that was taken, recipients that were refused are not sent', () => {
  const { dispositions } = decide({
    ...usual,
    transaction: {
      timings: {},
      refused: new Map([[person(1).address, failure]]),
      accepted: [person(0).address],
      end: { kind: 'answered', reply: { code: 250, enhanced: null, text: '250 Ok' } },
    },
  });
  expect(dispositions).toMatchObject([
    { status: 'sent', counts: true },
    { status: 'deferred', counts: true },
  ]);
});

test.each([
  ['a second’s worth of its connections', {}, {}, [100, 100, 100]],
  ['one mail a connection where mails take longer', {}, { usualMs: 30_000 }, [2, 2, 2]],
  ['no more than memory is meant for', {}, { usualMs: 0.01 }, [1_500, 1_500, 1_500]],
  ['less what lies ready and is as urgent', {}, { ready: [0, 1, 1, 2] }, [99, 97, 96]],
  ['less what other commits were offered', {}, { offered: 90 }, [10, 10, 10]],
  ['nothing below what the limits let pass', { lowestPriority: 0 }, {}, [100, 0, 0]],
  ['nothing while the limits are used up', { lowestPriority: -1 }, {}, [0, 0, 0]],
  ['nothing without a connection', { capacity: 0, active: 0 }, {}, [0, 0, 0]],
])('mail that is accepted may be taken at once: %s', (_, lane, more, expected) => {
  const usual = { capacity: 1, active: 1, lowestPriority: 9 };
  const room = roomFor({ ...usual, ...lane }, { ready: [], offered: 0, usualMs: 20, ...more });
  expect(room.slice(0, 3)).toEqual(expected);
});
