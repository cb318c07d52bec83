// Finding the end of a message on the wire: CRLF.CRLF and nothing else (RFC 5321 §4.1.1.4), and undoing
// dot-stuffing (§4.5.2) on the way. Everything else passes byte for byte, a lone CR or LF included, so that a
// test sees exactly what was sent.

export type DataReader = {
  /** Takes what arrived next; `rest` is what follows the end of data, once that has been seen. */
  read(chunk: Buffer): { readonly content: readonly Buffer[]; readonly rest?: Buffer };
};

const lineStart = Buffer.from('\r\n');

export function createDataReader(): DataReader {
  // The line end before the first line is the one of the DATA command; it is not part of the message.
  let carry: Buffer = lineStart;
  let borrowed = lineStart.length;

  const take = (from: Buffer): Buffer => {
    const own = from.subarray(Math.min(borrowed, from.length));
    borrowed -= Math.min(borrowed, from.length);
    return own;
  };

  return {
    read(chunk) {
      const bytes = Buffer.concat([carry, chunk]);
      const content: Buffer[] = [];
      let at = 0;
      for (;;) {
        const dotLine = bytes.indexOf('\r\n.', at);
        if (dotLine < 0) {
          // The last four bytes may be the beginning of an end that arrives in pieces.
          const safe = Math.max(at, bytes.length - 4);
          content.push(take(bytes.subarray(at, safe)));
          carry = bytes.subarray(safe);
          return { content };
        }
        if (dotLine + 5 > bytes.length && couldEnd(bytes.subarray(dotLine + 3))) {
          content.push(take(bytes.subarray(at, dotLine)));
          carry = bytes.subarray(dotLine);
          return { content };
        }
        content.push(take(bytes.subarray(at, dotLine + 2)));
        if (bytes[dotLine + 3] === 13 && bytes[dotLine + 4] === 10) {
          return { content, rest: bytes.subarray(dotLine + 5) };
        }
        at = dotLine + 3;
      }
    },
  };
}

/** Whether what follows CRLF-dot may still become the end of data. */
const couldEnd = (following: Buffer) =>
  following.length === 0 || (following.length === 1 && following[0] === 13);
