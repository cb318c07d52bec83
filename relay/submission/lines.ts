// The line discipline of a message. Two mail servers that disagree about where a line ends disagree about where a
// message ends, and a stranger's second message is smuggled in between (SEC Consult 2023; RFC 5321 section 2.3.8:
// CR and LF only together). smtp-server ends DATA at CRLF.CRLF alone but lets every other line ending pass as content.
import { isAscii } from 'node:buffer';
import { type Refusal, refuse } from './refusal.ts';

/** How bodies of generated HTML look is not ours to judge, and nothing is folded here; only a file without lines is refused. */
export const longestLine = 65_536;

/** Reads a message piece by piece; the pieces may be cut anywhere. */
export type LineCheck = {
  /** True as long as nothing is wrong. */
  read(piece: Buffer): boolean;
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
  let isEightBit = false;
  let refusal: Refusal | undefined;

  function read(piece: Buffer): boolean {
    if (refusal) return false;
    if (piece.length === 0) return true;
    const { ends, start } = linesOf(piece);
    if (ends === undefined) return findFault(piece);
    line += ends;
    lineLength = ends === 0 ? lineLength + piece.length : piece.length - start;
    previous = piece[piece.length - 1] as number;
    if (!isEightBit) isEightBit = !isAscii(piece);
    // A CR that came last is half of the line's end.
    return lineLength - (previous === CR ? 1 : 0) <= longestLine || reject(tooLong(line));
  }

  /** How many lines end in the piece, and where the last one begins; no `ends` when something is wrong with it. */
  function linesOf(piece: Buffer): { readonly ends?: number; readonly start: number } {
    let ends = 0;
    let start = 0;
    for (let at = piece.indexOf(LF); at !== -1; at = piece.indexOf(LF, start)) {
      const length = at - 1 - (ends === 0 ? -lineLength : start);
      if ((at === 0 ? previous : piece[at - 1]) !== CR || length > longestLine) return { start };
      ends++;
      start = at + 1;
    }
    // Each LF has a CR before it. As many CRs, but for one that waits for its LF, means that none of them is bare.
    let returns = previous === CR ? 1 : 0;
    for (let at = piece.indexOf(CR); at !== -1; at = piece.indexOf(CR, at + 1)) returns++;
    if (piece[piece.length - 1] === CR) returns--;
    return returns === ends && piece.indexOf(0) === -1 ? { ends, start } : { start };
  }

  /** Octet by octet: which line is to blame, and for what. */
  function findFault(piece: Buffer): false {
    let last = previous;
    let start = -lineLength;
    for (const [at, octet] of piece.entries()) {
      if (last === CR && octet !== LF) return reject(`Line ${line} holds a bare CR`);
      if (octet === 0) return reject(`Line ${line} holds a NUL octet`);
      if (octet === LF) {
        if (last !== CR) return reject(`Line ${line} ends in a bare LF`);
        if (at - 1 - start > longestLine) return reject(tooLong(line));
        line++;
        start = at + 1;
      }
      last = octet;
    }
    throw new Error('no fault where the native search has found one');
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
      return isEightBit;
    },
  };
}

const tooLong = (line: number) => `Line ${line} is longer than ${longestLine} octets`;
