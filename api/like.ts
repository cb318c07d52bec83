// The operand of LIKE and ILIKE for a text that somebody looks for.

/** Matches whatever has the text in it: `%` and `_` in it mean themselves. */
export const containing = (text: string): string => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
