import { expect, test } from 'vitest';
import { joinTrace, startRequestSpan, startSpan, traceIdOf } from '../../deploy/trace.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const ours = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/;

test('a caller’s trace is joined under a span of our own, with its decision to sample', () => {
  for (const flags of ['00', '01']) {
    const joined = joinTrace(`00-${traceId}-${spanId}-${flags}`);
    expect(joined).toMatch(ours);
    expect(traceIdOf(joined)).toBe(traceId);
    expect(joined).not.toContain(spanId);
    expect(joined.slice(-2)).toBe(flags);
  }
});

test('flags that this version does not know are not passed on', () => {
  expect(joinTrace(`00-${traceId}-${spanId}-ff`).slice(-2)).toBe('01');
});

test('a later version is read as far as it is known', () => {
  expect(traceIdOf(joinTrace(`01-${traceId}-${spanId}-01-more`))).toBe(traceId);
});

test.each([
  ['nothing', undefined],
  ['no traceparent', 'hello'],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
  ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['the version that is none', `ff-${traceId}-${spanId}-01`],
  ['version 00 with more behind it', `00-${traceId}-${spanId}-01-more`],
  ['capital letters', `00-${traceId.toUpperCase()}-${spanId}-01`],
  ['two headers in one', `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`],
])('%s begins a new trace, which nobody has decided to sample', (_, header) => {
  const begun = joinTrace(header);
  expect(begun).toMatch(ours);
  expect(traceIdOf(begun)).not.toBe(traceId);
  expect(begun.slice(-2)).toBe('00');
  expect(joinTrace(header)).not.toBe(begun);
});

test('without an SDK there are no spans at all', () => {
  expect(startRequestSpan('GET', undefined)).toBeUndefined();
  expect(startSpan('attempt', joinTrace(undefined))).toBeUndefined();
});
