// What most of many measurements stayed below.

/** @param share from 0 to 1: 0.99 tells what all but one in a hundred stayed below */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
