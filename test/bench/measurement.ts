// What a benchmark says: one number of ours, the same of others in the same run, and what we wanted to reach.

export type Measurement = {
  readonly what: string;
  readonly unit: string;
  readonly postern: number;
  /** Undefined when Postfix has no such number, or is not installed. */
  readonly postfix?: number | undefined;
  /** The same of Haraka. */
  readonly haraka?: number | undefined;
  /** In words, as the design has it. Never asserted: a busy machine proves nothing. */
  readonly target: string;
  readonly detail?: Readonly<Record<string, unknown>>;
};

/** One benchmark: measures, and says what it does meanwhile. */
export type Benchmark = (say: (line: string) => void) => Promise<Measurement[]>;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** In Markdown, aligned for whoever reads it in a terminal. */
export function toTable(measurements: readonly Measurement[]): string {
  const beside = (ours: number, theirs: number | undefined, unit: string) =>
    theirs === undefined
      ? '–'
      : `${round(theirs)} ${unit} (${(ours / theirs).toFixed(ours < theirs ? 2 : 1)} ×)`;
  const rows = measurements.map(({ what, unit, postern, postfix, haraka, target }) => [
    what,
    `${round(postern)} ${unit}`,
    beside(postern, postfix, unit),
    beside(postern, haraka, unit),
    target,
  ]);
  const table = [['What', 'Postern', 'Postfix', 'Haraka', 'Target'], ...rows];
  const widths = (table[0] as string[]).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = table;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

const round = (value: number) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
