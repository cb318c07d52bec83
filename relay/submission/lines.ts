// The line discipline of a message. Two mail servers that disagree about where a line ends disagree about where a
// message ends, and a stranger's second message is smuggled in between (SEC Consult 2023; RFC 5321 section 2.3.8:
// CR and LF only together). smtp-server ends DATA at CRLF.CRLF alone but lets every other line ending pass as content.
import { type Refusal, refuse } from './refusal.ts';

/** How bodies of generated HTML look is not ours to judge, and nothing is folded here; only a file without lines is refused. */
export const longestLine = 65_536;

/** Reads a message piece by piece; the pieces may be cut anywhere. */
export type LineCheck = {
  /** True as long as nothing is wrong. */
  read(piece: Uint8Array): boolean;
  readonly refusal: Refusal | undefined;
  /** Whether an octet above 127 was seen: then the provider needs 8BITMIME. */
  readonly eightBit: boolean;
};

const CR = 13;
const LF = 10;

export function checkLines(): LineCheck {
  let previous = 0;
  let line = 1;
  let lineLength = 0;
  let seen = 0;
  let refusal: Refusal | undefined;

  function read(piece: Uint8Array): boolean {
    if (refusal) return false;
    // Locals, because every octet of every message passes here, and what a closure holds is slow to reach.
    let last = previous;
    let bits = seen;
    let start = -lineLength;
    for (let at = 0; at < piece.length; at++) {
      const octet = piece[at] as number;
      bits |= octet;
      if (octet > CR) {
        if (last === CR) return reject(`Line ${line} holds a bare CR`);
      } else if (octet === LF) {
        if (last !== CR) return reject(`Line ${line} ends in a bare LF`);
        if (at - 1 - start > longestLine) return reject(tooLong(line));
        line++;
        start = at + 1;
      } else {
        if (last === CR) return reject(`Line ${line} holds a bare CR`);
        if (octet === 0) return reject(`Line ${line} holds a NUL octet`);
      }
      last = octet;
    }
    previous = last;
    seen = bits;
    lineLength = piece.length - start;
    // A CR that came last is half of the line's end.
    return lineLength - (last === CR ? 1 : 0) <= longestLine || reject(tooLong(line));
  }

  function reject(what: string): false {
    refusal = refuse(554, '5.6.0', `${what}: RFC 5321 2.3.8 wants lines of text that end in CRLF`);
    return false;
  }

  return {
    read,
    get refusal() {
      return refusal;
    },
    get eightBit() {
      return seen > 127;
    },
  };
}

const tooLong = (line: number) => `Line ${line} is longer than ${longestLine} octets`;
