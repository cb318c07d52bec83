// What goes over the wire for a message, however its octets are cut.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openDotStuffing } from '../../../relay/smtp/dot-stuffing.ts';
import { createDataReader } from '../../kit/end-of-data.ts';

function onTheWire(message: Buffer, cuts: readonly number[] = []): Buffer {
  const stuffing = openDotStuffing();
  const places = [
    0,
    ...cuts.map((cut) => cut % (message.length + 1)).toSorted((a, b) => a - b),
    message.length,
  ];
  const pieces = places.slice(1).map((to, at) => message.subarray(places[at], to));
  return Buffer.concat([...pieces.flatMap((piece) => stuffing.write(piece)), stuffing.end()]);
}

test.each([
  ['', '.\r\n'],
  ['.', '..\r\n.\r\n'],
  ['a.b\r\n.\r\n..\r\n', 'a.b\r\n..\r\n...\r\n.\r\n'],
  ['no end', 'no end\r\n.\r\n'],
  ['half an end\r', 'half an end\r\n.\r\n'],
  ['a bare CR\r.\r\n', 'a bare CR\r..\r\n.\r\n'],
])('%j is sent as %j', (message, wire) => {
  expect(onTheWire(Buffer.from(message)).toString()).toBe(wire);
});

test('a server reads every message as it was, and one message only', () => {
  const octets = fc.array(fc.constantFrom('.', '\r\n', 'a', '\xff', '..', '\r\n.'), { maxLength: 40 });
  fc.assert(
    fc.property(octets, fc.array(fc.nat(200), { maxLength: 6 }), (words, cuts) => {
      const message = Buffer.from(`${words.join('')}\r\n`, 'latin1');
      const { content, rest } = createDataReader().read(onTheWire(message, cuts));
      expect(Buffer.concat([...content])).toEqual(message);
      expect(rest).toHaveLength(0);
    }),
  );
});
