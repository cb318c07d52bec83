// Fields of a header, of a block of a delivery status (RFC 3464 §2.1.1) or of a complaint (RFC 5965 §2): all have the
// same form. A Map, because names come from outside (`__proto__` is one, too).

/** Lower-case name to its values in order, unfolded. */
export type Fields = ReadonlyMap<string, readonly string[]>;

const fieldLimit = 300;
const valueLimit = 4096;

/** Reads until the text ends; lines that are no field are left out. */
export function readFields(text: string): Fields {
  const fields = new Map<string, string[]>();
  let current: string[] | undefined;
  let count = 0;
  for (const line of text.split(/\r?\n/)) {
    if (/^[ \t]/.test(line) && current !== undefined) {
      const last = current.length - 1;
      if ((current[last] ?? '').length < valueLimit)
        current[last] = `${current[last]} ${line.trim()}`.slice(0, valueLimit);
      continue;
    }
    const [, name, value] = /^([!-9;-~]{1,80})[ \t]*:[ \t]*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || ++count > fieldLimit) {
      current = undefined;
      continue;
    }
    const key = name.toLowerCase();
    current = fields.get(key) ?? [];
    current.push(value.slice(0, valueLimit).trim());
    fields.set(key, current);
  }
  return fields;
}

/** The first value; empty when there is none. */
export const fieldOf = (fields: Fields, name: string): string => fields.get(name)?.[0] ?? '';

/** Blocks of fields with empty lines between them, empty blocks left out. */
export const readBlocks = (text: string): Fields[] =>
  text
    .split(/\r?\n(?:[ \t]*\r?\n)+/)
    .map(readFields)
    .filter((fields) => fields.size > 0);
