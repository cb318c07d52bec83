import { describe, expect, test } from 'vitest';
import { type Books, breachesOf, type Recorded, reckon } from './ledger.ts';

const ann = 'm1-0@example.net';
const acknowledged = [{ recipient: ann, under: 'Q1', cancelled: false }];
const copy = { recipient: ann, sha256: 'aa' };
const record: Recorded = {
  recipient: ann,
  queueId: 'Q1',
  status: 'sent',
  reason: null,
  possibleDuplicates: 0,
  inDoubt: 0,
  sha256: 'aa',
};

const breaches = (books: Partial<Books>) =>
  breachesOf(
    reckon({
      acknowledged,
      taken: [copy],
      recorded: [record],
      refusedForGood: new Set(),
      unrecognisable: new Map(),
      ...books,
    }),
  );

test('what was delivered once and says so breaks no promise', () => {
  expect(breaches({})).toEqual([]);
});

test.each<[string, Partial<Books>]>([
  ['acknowledged, and nowhere to be found', { taken: [], recorded: [] }],
  ['sent, and the provider never took it', { taken: [] }],
  ['bounced, and the provider never took it', { taken: [], recorded: [{ ...record, status: 'bounced' }] }],
])('lost: %s', (words, books) => {
  expect(breaches(books)).toEqual([`lost: ${ann}: ${words} (Q1)`]);
});

test('what waits where everybody can see it is not lost', () => {
  const held: Recorded = { ...record, status: 'held', reason: 'uncertain-twice', inDoubt: 1 };
  const reckoning = reckon({
    acknowledged,
    taken: [],
    recorded: [held],
    refusedForGood: new Set(),
    unrecognisable: new Map(),
  });
  expect(breachesOf(reckoning)).toEqual([]);
  expect(reckoning.waiting).toEqual(new Map([['held: uncertain-twice', 1]]));
});

test('a bounce counts as one when the provider did refuse', () => {
  const bounced: Recorded = { ...record, status: 'bounced' };
  expect(breaches({ taken: [], recorded: [bounced], refusedForGood: new Set([ann]) })).toEqual([]);
});

test('a second copy must have been announced', () => {
  const twice = { taken: [copy, copy] };
  expect(breaches(twice)).toEqual([expect.stringContaining('unmarked duplicate')]);
  expect(breaches({ ...twice, acknowledged: [] })).toEqual([expect.stringContaining('unmarked duplicate')]);
  expect(breaches({ ...twice, recorded: [{ ...record, possibleDuplicates: 1, inDoubt: 1 }] })).toEqual([]);
});

test.each([
  ['taken, and not sent again', [copy], 0, 1],
  ['taken, and taken again', [copy, copy], 1, 1],
  ['not taken until it was sent again', [copy], 1, 0],
  ['never taken', [], 0, 0],
])('of what was uncertain, the account says what had left: %s', (_, taken, possibleDuplicates, expected) => {
  const reckoning = reckon({
    acknowledged,
    taken,
    recorded: [{ ...record, possibleDuplicates, inDoubt: 1 }],
    refusedForGood: new Set(),
    unrecognisable: new Map(),
  });
  expect(reckoning).toMatchObject({ inDoubt: 1, inDoubtAndTaken: expected });
});

test('one mail under two queue ids was accepted twice', () => {
  const other: Recorded = { ...record, queueId: 'Q2', status: 'queued', sha256: 'bb' };
  expect(breaches({ recorded: [record, other] })).toEqual([expect.stringContaining('accepted twice')]);
});

describe('mail that nobody can recognise, sent twice by its client', () => {
  const second: Recorded = { ...record, queueId: 'Q2', sha256: 'bb' };
  const books: Books = {
    acknowledged: [{ recipient: ann, under: 'Q2', cancelled: false }],
    taken: [copy, { ...copy, sha256: 'bb' }],
    recorded: [record, second],
    refusedForGood: new Set(),
    unrecognisable: new Map([[ann, 2]]),
  };

  test('is counted apart, and breaks no promise', () => {
    expect(breachesOf(reckon(books))).toEqual([]);
    expect(reckon(books)).toMatchObject({ resubmitted: 1, markedDuplicates: 0, delivered: 1 });
  });

  test('was accepted twice when its client sent it once', () => {
    expect(breaches({ ...books, unrecognisable: new Map([[ann, 1]]) })).toEqual([
      expect.stringContaining('accepted twice'),
    ]);
  });

  test('is an unmarked duplicate when one acceptance left twice', () => {
    expect(breaches({ ...books, taken: [...books.taken, copy] })).toEqual([
      expect.stringContaining('unmarked duplicate'),
    ]);
  });

  test('is lost when the one that was acknowledged is, whatever became of the other', () => {
    expect(breaches({ ...books, taken: [copy] })).toEqual([
      `lost: ${ann}: sent, and the provider never took it (Q2)`,
    ]);
  });

  test('is mangled when the bytes are those of neither', () => {
    expect(breaches({ ...books, taken: [...books.taken, { ...copy, sha256: 'cc' }] })).toEqual([
      expect.stringContaining('mangled'),
    ]);
  });
});

test('a cancel that was answered yes holds', () => {
  const cancelled = [{ recipient: ann, under: 'Q1', cancelled: true }];
  const row: Recorded = { ...record, status: 'cancelled' };
  expect(breaches({ acknowledged: cancelled, taken: [], recorded: [row] })).toEqual([]);
  expect(breaches({ acknowledged: cancelled })).toEqual([expect.stringContaining('sent after cancel')]);
});

test('other bytes than those that were accepted are mangled', () => {
  expect(breaches({ taken: [{ ...copy, sha256: 'bb' }] })).toEqual([expect.stringContaining('mangled')]);
});

test('what was taken must not wait to be sent again without anybody knowing', () => {
  expect(breaches({ recorded: [{ ...record, status: 'deferred' }] })).toEqual([
    expect.stringContaining('misreported'),
  ]);
});
