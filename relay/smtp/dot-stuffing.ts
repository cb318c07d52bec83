// The octets of a message as they go over the wire (RFC 5321 section 4.5.2): a dot before every dot that begins a line,
// and the line with nothing but a dot that ends it. Everything else passes as it is.

const DOT = 46;
const CR = 13;
const LF = 10;
const dot = Buffer.from('.');

export type DotStuffing = {
  /** The next octets of the message; they may be cut anywhere. */
  write(octets: Buffer): readonly Buffer[];
  /** What ends the message. */
  end(): Buffer;
};

export function openDotStuffing(): DotStuffing {
  // The command DATA ended a line.
  let last = LF;
  return {
    write(octets) {
      if (octets.length === 0) return [];
      const pieces: Buffer[] = [];
      let from = 0;
      for (let at = octets.indexOf(DOT); at >= 0; at = octets.indexOf(DOT, at + 1)) {
        const before = at === 0 ? last : octets[at - 1];
        // Accepted mail has no bare CR, but a reader that takes one for the end of a line must not be fooled either.
        if (before !== LF && before !== CR) continue;
        pieces.push(octets.subarray(from, at), dot);
        from = at;
      }
      pieces.push(octets.subarray(from));
      last = octets.at(-1) as number;
      return pieces;
    },
    end: () => Buffer.from(last === LF ? '.\r\n' : last === CR ? '\n.\r\n' : '\r\n.\r\n'),
  };
}
