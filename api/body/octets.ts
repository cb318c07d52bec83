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

export function openOctets(): OpenOctets {
  const blocks: Buffer[] = [];
  let count = 0;
  // What may follow: the first number or the next one, more of a number, or what ends it.
  let state: 'first' | 'next' | 'number' | 'after' = 'first';
  let number = 0;

  function take(): void {
    const block = Math.floor(count / blockBytes);
    blocks[block] ??= Buffer.allocUnsafe(blockBytes);
    (blocks[block] as Buffer)[count % blockBytes] = number;
    count++;
    state = 'after';
  }

  /** False for what does not belong there; nothing has changed then. */
  function accept(octet: number): boolean {
    if (octet >= digit0 && octet <= digit9) {
      if (state === 'after') return false;
      const more = state === 'number' ? number * 10 + octet - digit0 : octet - digit0;
      // RFC 8259 section 6: no number begins with a zero that is not all of it.
      if (state === 'number' && (number === 0 || more > 255)) return false;
      number = more;
      state = 'number';
      return true;
    }
    if (octet !== comma && !blanks.has(octet)) return false;
    if (octet === comma && (state === 'first' || state === 'next')) return false;
    if (state === 'number') take();
    if (octet === comma) state = 'next';
    return true;
  }

  const all = () =>
    Buffer.concat(blocks.map((block, index) => block.subarray(0, count - index * blockBytes)));

  return {
    read(chunk, begin) {
      let at = begin;
      while (at < chunk.length && accept(chunk[at] as number)) at++;
      return at;
    },
    end(octet) {
      if (octet !== closing || state === 'next') return undefined;
      if (state === 'number') take();
      return all();
    },
    get count() {
      return count;
    },
    text() {
      const taken = [...all()].join(',');
      const begun = state === 'number' ? `${count > 0 ? ',' : ''}${number}` : '';
      return `${taken}${begun}${state === 'next' ? ',' : ''}${state === 'after' ? ' ' : ''}`;
    },
  };
}
