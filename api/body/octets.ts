// A file as a list of octets, `[37,80,68]`, that is read while it arrives: as values it would take a hundred times its size.

const digit0 = 0x30;
const digit9 = 0x39;
const comma = 0x2c;
const blanks = new Set([0x20, 0x09, 0x0a, 0x0d]);
const closing = 0x5d;
const blockBytes = 65_536;

export type OpenOctets = {
  /** Takes what stands in the list from `at` on. Answers where it stopped: at the end of the chunk, or at what is no octet. */
  read(chunk: Buffer, at: number): number;
  /** The file, when the list is complete and `octet` closes it; otherwise undefined. */
  end(octet: number): Buffer | undefined;
  readonly count: number;
  /** What was read, for a list that turns out to be another one. */
  text(): string;
};

// What may follow: the first number or the next one, more of a number, or what ends it.
const first = 0;
const next = 1;
const inNumber = 2;
const after = 3;

export function openOctets(): OpenOctets {
  const blocks: Buffer[] = [];
  let block = Buffer.alloc(0);
  let count = 0;
  let filled = 0;
  let state = first;
  let number = 0;

  function take(octet: number): void {
    if (filled === block.length) {
      block = Buffer.allocUnsafe(blockBytes);
      blocks.push(block);
      filled = 0;
    }
    block[filled++] = octet;
    count++;
  }

  const all = () => Buffer.concat(blocks.map((each, index) => each.subarray(0, count - index * blockBytes)));

  return {
    // In variables of its own: there are millions of octets in a file, and each is some three here.
    read(chunk, begin) {
      let at = begin;
      let mode = state;
      let value = number;
      for (; at < chunk.length; at++) {
        const octet = chunk[at] as number;
        if (octet >= digit0 && octet <= digit9) {
          if (mode === after) break;
          const more = mode === inNumber ? value * 10 + octet - digit0 : octet - digit0;
          // RFC 8259 section 6: no number begins with a zero that is not all of it.
          if (mode === inNumber && (value === 0 || more > 255)) break;
          value = more;
          mode = inNumber;
        } else if (octet === comma) {
          if (mode === first || mode === next) break;
          if (mode === inNumber) take(value);
          mode = next;
        } else if (blanks.has(octet)) {
          if (mode === inNumber) {
            take(value);
            mode = after;
          }
        } else break;
      }
      state = mode;
      number = value;
      return at;
    },
    end(octet) {
      if (octet !== closing || state === next) return undefined;
      if (state === inNumber) take(number);
      return all();
    },
    get count() {
      return count;
    },
    text() {
      const taken = [...all()].join(',');
      const begun = state === inNumber ? `${count > 0 ? ',' : ''}${number}` : '';
      return `${taken}${begun}${state === next ? ',' : ''}${state === after ? ' ' : ''}`;
    },
  };
}
