// Files as lists of octets, taken out of a body while it arrives.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openScan } from '../../../api/body/scan.ts';

/** The value that a body says, read in pieces that end at `cuts`; undefined when it is no JSON. */
function read(text: string, cuts: readonly number[]): unknown {
  const octets = Buffer.from(text);
  const scan = openScan({ files: true, octets: true });
  let from = 0;
  for (const cut of [
    ...cuts.map((each) => each % (octets.length + 1)).sort((a, b) => a - b),
    octets.length,
  ]) {
    const verdict = scan.read(octets.subarray(from, cut));
    if (verdict) return verdict;
    from = cut;
  }
  const { text: kept, files } = scan.end();
  return parse(kept.toString(), (_, value) => {
    const file = typeof value === 'string' ? files.get(value) : undefined;
    return file ? [...file] : value;
  });
}

function parse(text: string, revive?: (name: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, revive);
  } catch {
    return undefined;
  }
}

const cuts = fc.array(fc.nat(), { maxLength: 4 });

describe('a list in a member called data', () => {
  test('is read as JSON reads it, wherever the body is cut, whatever it holds', () => {
    const piece = fc.constantFrom(
      '0',
      '7',
      '37',
      '255',
      '256',
      '01',
      '-1',
      '1.5',
      '1e2',
      '"a"',
      '[1]',
      '{}',
      'null',
      ' ',
      '\n',
      '',
    );
    const list = fc.array(piece, { maxLength: 6 }).map((pieces) => `[${pieces.join(',')}]`);
    const end = fc.constantFrom('', ',"b":[1,2]', ',"data":[3,4]', ',');
    fc.assert(
      fc.property(list, end, cuts, (data, rest, where) => {
        const text = `{"type":"Buffer", "data" : ${data}${rest}}`;
        expect(read(text, where)).toEqual(parse(text));
      }),
      { numRuns: 500 },
    );
  });

  test.each(['[1 2]', '[,1]', '[1,]', '[1', '[', '[01]', '[12'])('%s is no more JSON than before', (data) => {
    expect(read(`{"data":${data}}`, [9, 10])).toBeUndefined();
  });

  test('is a file of any size, whose octets are no values', () => {
    const file = Buffer.alloc(300_000, 'octets');
    const text = JSON.stringify({ content: file.toJSON() });
    const scan = openScan({ files: true, octets: true });
    for (let at = 0; at < text.length; at += 65_536)
      expect(scan.read(Buffer.from(text.slice(at, at + 65_536)))).toBeUndefined();
    expect(scan.textBytes).toBeLessThan(200);
    expect([...scan.end().files.values()][0]?.equals(file)).toBe(true);
  });

  test('of more values than a body may have is refused when it is no file', () => {
    expect(read(`{"data":[${'1,'.repeat(70_000)}-1]}`, [])).toBe('too-many-values');
  });

  test('is no file where the operation takes none', () => {
    const scan = openScan({ files: true, octets: false });
    scan.read(Buffer.from('{"data":[1,2]}'));
    expect(scan.end().text.toString()).toBe('{"data":[1,2]}');
  });
});
