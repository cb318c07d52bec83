// Any line a message may hold: every octet but NUL, CR and LF.
import fc from 'fast-check';

/** Without its CRLF; one character stands for one octet (latin1). */
export const textLine = (): fc.Arbitrary<string> =>
  fc
    .array(
      fc.integer({ min: 1, max: 255 }).filter((octet) => octet !== 10 && octet !== 13),
      { maxLength: 60 },
    )
    .map((octets) => String.fromCharCode(...octets));
