// When a domain is said to have changed. One bad answer proves nothing: a zone is edited in several steps, and name
// servers have bad minutes. Two looks in a row must agree, and what DNS could not answer is no look.
import type { Result } from './finding.ts';

const confirmInSeconds = 600;
const dayInSeconds = 24 * 3_600;
/** Where DNS cannot tell at all, as with selectors that are random. */
const unknownInSeconds = 6 * 3_600;

export type Settled = {
  /** What two looks agreed on last; null before. */
  readonly settled: Result | null;
  readonly hasChanged: boolean;
  readonly nextInSeconds: number;
};

/** @param before what the last look found, and what two had agreed on until then */
export function settle(
  before: { readonly result: Result | null; readonly settled: Result | null },
  result: Result,
): Settled {
  const unchanged = { settled: before.settled, hasChanged: false };
  if (result === 'unknown') {
    return { ...unchanged, nextInSeconds: before.result === 'unknown' ? unknownInSeconds : confirmInSeconds };
  }
  if (result === before.settled) return { ...unchanged, nextInSeconds: dayInSeconds };
  return result === before.result
    ? { settled: result, hasChanged: true, nextInSeconds: dayInSeconds }
    : { ...unchanged, nextInSeconds: confirmInSeconds };
}
