// A file in base64 (RFC 4648 section 4) that is decoded while it arrives.

const backslash = 0x5c;
const slash = 0x2f;
const padding = 0x3d;

const isDigit = new Uint8Array(256);
for (const digit of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')) {
  isDigit[digit] = 1;
}

export type OpenFile = {
  /** Takes digits from `at` on. Answers where it stopped: at the end of the chunk, or at what is no digit. */
  read(chunk: Buffer, at: number): number;
  /** The decoded file; undefined when what came is no complete base64. */
  end(): Buffer | undefined;
  /** What was read, for a string that turns out to be no file. */
  text(): string;
};

export function openFile(): OpenFile {
  const decoded: Buffer[] = [];
  // Digits that do not fill a group of four yet.
  let rest = '';
  let digits = 0;
  let paddings = 0;
  let isEscaped = false;

  function take(text: string): void {
    const all = rest + text;
    const whole = all.length - (all.length % 4);
    rest = all.slice(whole);
    if (whole > 0) decoded.push(Buffer.from(all.slice(0, whole), 'base64'));
    digits += text.length;
  }

  return {
    read(chunk, begin) {
      let at = begin;
      let escapes = 0;
      for (; at < chunk.length; at++) {
        const octet = chunk[at] as number;
        // Some writers of JSON escape every slash.
        if (isEscaped && octet !== slash) break;
        if (isDigit[octet] === 1 && paddings === 0) {
          isEscaped = false;
        } else if (octet === backslash && paddings === 0) {
          isEscaped = true;
          escapes++;
        } else if (octet === padding && paddings < 2 && !isEscaped) {
          paddings++;
        } else break;
      }
      const taken = chunk.subarray(begin, at);
      // In one go: piece by piece takes a hundred times as long where every digit is escaped.
      take((escapes > 0 ? withoutEscapes(taken) : taken).toString('latin1'));
      return at;
    },
    end() {
      if (digits % 4 !== 0 || isEscaped) return undefined;
      return decoded.length === 1 ? decoded[0] : Buffer.concat(decoded);
    },
    text: () => Buffer.concat(decoded).toString('base64') + rest + (isEscaped ? '\\' : ''),
  };
}

function withoutEscapes(digits: Buffer): Buffer {
  const bare = Buffer.allocUnsafe(digits.length);
  let length = 0;
  for (const octet of digits) if (octet !== backslash) bare[length++] = octet;
  return bare.subarray(0, length);
}
