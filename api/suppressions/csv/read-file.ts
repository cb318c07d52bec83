// Reads a file of suppressions: all of its entries, or all that is wrong with it, by the number of the line.
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { CsvError } from 'csv-parse';
import { takeTurn } from '../../../deploy/turn.ts';
import type { ImportedSuppression } from '../../../relay/client/suppression/import.ts';
import { invalidFields } from '../../faults.ts';
import type { Fault, Problem } from '../../problem.ts';
import { type Columns, readColumns } from './columns.ts';
import { type Defaults, readEntry } from './entry.ts';

export const mostLines = 100_000;
const mostFaults = 100;
const pieceLength = 64 * 1024;

/** @throws {Problem} with every fault; the first hundred are named, the others counted */
export async function readFile(text: string, defaults: Defaults): Promise<readonly ImportedSuppression[]> {
  const reading = openReading(defaults);
  // A library that few requests need.
  const { parse } = await import('csv-parse');
  const [first = ''] = /^[^\r\n]*/.exec(text) ?? [];
  const parser = parse({
    // Spreadsheets in many languages write a semicolon.
    delimiter: first.includes(';') && !first.includes(',') ? ';' : ',',
    relax_column_count: true,
    max_record_size: 16 * 1024,
    skip_records_with_error: true,
    on_record(record: string[], { lines }) {
      reading.line(record, lines);
      return null;
    },
    on_skip(error) {
      if (error) reading.broken(error);
      return undefined;
    },
  });
  const ended = finished(parser.resume());
  // The library counts a line end of two characters inside of quotes as two.
  for (const piece of piecesOf(text.replaceAll('\r\n', '\n'))) {
    if (reading.isOver) break;
    if (!parser.write(piece)) await once(parser, 'drain');
    await takeTurn();
  }
  parser.end();
  await ended;
  return reading.end();
}

const isBlank = (record: readonly string[]) => record.length === 1 && record[0]?.trim() === '';

/** Long because its small functions share what was read and what is wrong with it. */
function openReading(defaults: Defaults) {
  const faults = collectFaults();
  const entries: ImportedSuppression[] = [];
  let columns: Columns | undefined;
  let isOver = false;
  // Of the line before: a quoted value may go over several lines, and the first of them counts.
  let lastLine = 0;

  function refuse(line: number, detail: string): void {
    faults.add(line, '', detail);
    isOver = true;
  }

  function readFirst(line: number, record: readonly string[]): void {
    const found = readColumns(record);
    if ('fault' in found) refuse(line, found.fault);
    else columns = found;
  }

  function readNext(line: number, entry: ReturnType<typeof readEntry>): void {
    if ('address' in entry) entries.push(entry);
    else for (const { column, detail } of entry) faults.add(line, column, detail);
  }

  return {
    /** What still comes is not worth reading. */
    get isOver() {
      return isOver;
    },
    line(record: readonly string[], endsAt: number): void {
      const line = lastLine + 1;
      lastLine = endsAt;
      if (isOver || isBlank(record)) return;
      if (columns === undefined) readFirst(line, record);
      else if (entries.length === mostLines) {
        refuse(line, `is one too many: a file has at most ${mostLines} entries`);
      } else readNext(line, readEntry(record, columns, defaults));
    },
    broken({ code, lines }: CsvError): void {
      const line = lastLine + 1;
      lastLine = Math.max(lines as number, line);
      if (!isOver) faults.add(line, '', csvFaults[code] ?? 'cannot be read as CSV');
      if (columns === undefined) isOver = true;
    },
    end(): readonly ImportedSuppression[] {
      if (columns === undefined && faults.isEmpty)
        faults.add(1, '', 'is missing: it must name the columns, among them `address`');
      if (!faults.isEmpty) throw faults.problem();
      return entries;
    },
  };
}

function* piecesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; start += pieceLength) yield text.slice(start, start + pieceLength);
}

const csvFaults: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'begins a value in quotes that never ends',
  CSV_INVALID_CLOSING_QUOTE: 'has something behind the end of a value in quotes',
  INVALID_OPENING_QUOTE: 'has a quote in the middle of a value without quotes',
  CSV_MAX_RECORD_SIZE: 'is longer than 16 KB',
};

function collectFaults() {
  const named: Fault[] = [];
  let unnamed = 0;
  return {
    get isEmpty() {
      return named.length === 0;
    },
    add(line: number, column: string, detail: string) {
      const pointer = `#/line-${line}${column && `/${column}`}`;
      if (named.length < mostFaults) named.push({ in: 'body', pointer, detail });
      else unnamed++;
      return this;
    },
    problem: (): Problem => invalidFields(named, unnamed),
  };
}
