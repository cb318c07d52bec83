import { describe, expect, test } from 'vitest';
import { type KnownMail, matchReport } from '../../../relay/bounces/match.ts';
import type { Action, Report, ReportedRecipient } from '../../../relay/bounces/report.ts';
import { suppressionFor } from '../../../relay/bounces/suppression.ts';
import type { Status } from '../../../relay/client/vocabulary.ts';

const reported = (changes: Partial<ReportedRecipient> = {}): ReportedRecipient => ({
  address: 'ann@example.com',
  finalAddress: 'ann@example.com',
  action: 'failed',
  status: '5.1.1',
  code: '550',
  reply: '550 5.1.1 no such user',
  hard: true,
  cause: 'user-unknown',
  ...changes,
});

const report = (...recipients: ReportedRecipient[]): Report => ({
  recipients,
  returned: { messageIds: [], queueIds: [], addressedIds: [], envelopeId: undefined },
});

const mail = (changes: Partial<KnownMail> = {}, status: Status = 'sent'): KnownMail => ({
  queueId: 'Q1',
  emailId: null,
  by: 'message-id',
  isErased: false,
  recipients: [{ ordinal: 0, address: 'ann@example.com', status, mayBeOut: true }],
  ...changes,
});

test.each<[Action, Status, Status | null, string]>([
  ['failed', 'sent', 'bounced', 'bounced'],
  ['failed', 'uncertain', 'bounced', 'bounced'],
  ['failed', 'held', 'bounced', 'bounced'],
  ['delayed', 'sent', null, 'delayed'],
  ['delayed', 'uncertain', 'sent', 'sent'],
  ['delayed', 'held', 'sent', 'sent'],
  ['relayed', 'sent', null, 'delivered'],
  ['delivered', 'uncertain', 'sent', 'sent'],
  ['expanded', 'uncertain', 'sent', 'sent'],
  ['complaint', 'sent', null, 'complained'],
  ['complaint', 'uncertain', 'sent', 'complained'],
  ['complaint', 'bounced', null, 'complained'],
])('%s of a recipient that is %s', (action, status, becomes, event) => {
  const { effects } = matchReport(report(reported({ action })), [mail({}, status)]);
  expect(effects).toMatchObject([{ status: becomes, event }]);
});

test.each<[Action, Status]>([
  ['failed', 'bounced'],
  ['failed', 'queued'],
  ['failed', 'cancelled'],
  ['delayed', 'expired'],
  ['complaint', 'captured'],
])('%s changes nothing of a recipient that is %s', (action, status) => {
  expect(matchReport(report(reported({ action })), [mail({}, status)])).toEqual({
    effects: [],
    unmatched: 0,
  });
});

test("what is held and was never sent is not the report's", () => {
  const held = mail({
    recipients: [{ ordinal: 0, address: 'ann@example.com', status: 'held', mayBeOut: false }],
  });
  expect(matchReport(report(reported()), [held]).effects).toEqual([]);
});

describe('whom a report is about', () => {
  const both = mail({
    recipients: [
      { ordinal: 0, address: 'Ann@example.com', status: 'sent', mayBeOut: true },
      { ordinal: 1, address: 'ben@example.com', status: 'sent', mayBeOut: true },
    ],
  });

  test('is told by the address, in any case of letters', () => {
    const { effects } = matchReport(report(reported({ address: 'BEN@example.com' })), [both]);
    expect(effects.map(({ recipient }) => recipient.ordinal)).toEqual([1]);
  });

  test('is told by the address that failed when the other one is not ours', () => {
    const forwarded = reported({ address: 'list@elsewhere.example', finalAddress: 'ann@example.com' });
    expect(matchReport(report(forwarded), [both]).effects).toHaveLength(1);
  });

  test('is nobody when the mail was not for that address', () => {
    expect(
      matchReport(report(reported({ address: 'eve@example.com', finalAddress: 'eve@example.com' })), [both]),
    ).toEqual({
      effects: [],
      unmatched: 1,
    });
  });

  test('is nobody when no mail is known', () => {
    expect(matchReport(report(reported()), [])).toEqual({ effects: [], unmatched: 1 });
  });

  test('is the only reader of a mail whose complaint names nobody, and nobody of several', () => {
    const nameless = reported({ action: 'complaint', address: '', finalAddress: '' });
    expect(matchReport(report(nameless), [mail()]).effects).toHaveLength(1);
    expect(matchReport(report(nameless), [both])).toEqual({ effects: [], unmatched: 1 });
  });

  test('is nobody when the person was forgotten, and that is no report without a mail either', () => {
    expect(matchReport(report(reported()), [mail({ isErased: true })])).toEqual({
      effects: [],
      unmatched: 0,
    });
  });

  test('is nobody when the address was erased from mail of another application', () => {
    const erased = mail({
      recipients: [{ ordinal: 0, address: 'erased@erased.invalid', status: 'sent', mayBeOut: true }],
    });
    const nameless = reported({ action: 'complaint', address: '', finalAddress: '' });
    expect(matchReport(report(nameless), [erased]).effects).toEqual([]);
  });

  test('is told once, however often the report says it', () => {
    expect(matchReport(report(reported(), reported()), [mail()]).effects).toHaveLength(1);
  });

  test('is looked for in the mail that is surest', () => {
    const surest = mail({ queueId: 'Q2' });
    expect(
      matchReport(report(reported()), [surest, mail()]).effects.map((each) => each.mail.queueId),
    ).toEqual(['Q2']);
  });
});

describe('whether it is reason to suppress the address', () => {
  const now = new Date('2026-11-30T12:00:00Z');
  const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
  const two = mail({
    recipients: [
      { ordinal: 0, address: 'ann@example.com', status: 'sent', mayBeOut: true },
      { ordinal: 1, address: 'ben@example.com', status: 'sent', mayBeOut: true },
    ],
  });

  test.each<
    [string, KnownMail, Partial<ReportedRecipient>, Date | undefined, 'bounce' | 'complaint' | undefined]
  >([
    ['an unknown user, of a mail only he got', mail(), {}, undefined, 'bounce'],
    ['an unknown domain, once', mail(), { cause: 'bad-domain' }, undefined, undefined],
    ['an unknown domain, again', mail(), { cause: 'bad-domain' }, hoursAgo(24), 'bounce'],
    ['an unknown user, of a mail that others got, too', two, {}, undefined, undefined],
    ['the same in a second mail a day later', two, {}, hoursAgo(24), 'bounce'],
    ['the same in a second mail, too soon', two, {}, hoursAgo(23), undefined],
    ['a mail known by what a stranger may know', mail({ by: 'queue-id' }), {}, undefined, undefined],
    ["a mail known by the provider's id", mail({ by: 'provider-id' }), {}, undefined, undefined],
    ['a disabled mailbox, once', mail(), { cause: 'mailbox-disabled' }, undefined, undefined],
    ['a disabled mailbox, again', mail(), { cause: 'mailbox-disabled' }, hoursAgo(30), 'bounce'],
    ['a full mailbox, again', mail(), { cause: 'mailbox-full' }, hoursAgo(300), undefined],
    ['a policy', mail(), { cause: 'policy-reject', hard: true }, hoursAgo(300), undefined],
    ['a delay', mail(), { action: 'delayed' }, hoursAgo(300), undefined],
    ['a complaint', mail(), { action: 'complaint', cause: null }, undefined, 'complaint'],
    [
      'a complaint about a mail that others got, too',
      two,
      { action: 'complaint', cause: null },
      hoursAgo(30),
      undefined,
    ],
  ])('%s', (_, of, changes, bouncedBefore, expected) => {
    const [effect] = matchReport(report(reported(changes)), [of]).effects;
    expect(effect && suppressionFor(effect, { bouncedBefore, now })).toBe(expected);
  });
});
