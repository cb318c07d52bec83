// How a secret is shown: never itself, only its shape and a fingerprint that people can compare with the laptop's.
import { scryptSync } from 'node:crypto';

// Fixed, because two machines must come to the same four digits. Four digits of a slow function tell
// "same or different" to people and next to nothing to somebody who guesses.
const salt = 'postern';
const bytes = 2;

const known = new Map<string, string>();

/** Four hexadecimal digits of scrypt (about 50 ms the first time, remembered afterwards). */
export function fingerprint(secret: string): string {
  let print = known.get(secret);
  if (print === undefined) {
    print = scryptSync(secret, salt, bytes).toString('hex');
    known.set(secret, print);
  }
  return print;
}

/** A command that computes the same on any machine with Node; it reads the secret from the terminal, not from its arguments. */
export function fingerprintCommand(): string {
  return `node -e 'let s="";process.stdin.on("data",d=>s+=d).on("end",()=>console.log(require("crypto").scryptSync(s.replace(/\\r?\\n$/,""),"${salt}",${bytes}).toString("hex")))'`;
}

/** Describes a value without revealing it: `12 characters, from a letter to a quote`, and a secret's fingerprint. */
export function shapeOf(value: string, { secret = false }: { secret?: boolean } = {}): string {
  const characters = [...value];
  if (characters.length === 0) return 'set, but empty';
  if (value.trim() === '') return `set, but blank: ${count(characters.length)}`;
  const ends = `from ${classOf(characters[0])} to ${classOf(characters.at(-1))}`;
  return `${count(characters.length)}, ${ends}${secret ? `, fingerprint ${fingerprint(value)}` : ''}`;
}

function count(length: number): string {
  return length === 1 ? '1 character' : `${length} characters`;
}

function classOf(character = ''): string {
  if (/\p{L}/u.test(character)) return 'a letter';
  if (/\d/.test(character)) return 'a digit';
  if (/["'`“”‘’]/.test(character)) return 'a quote';
  if (character === '\n' || character === '\r') return 'a line break';
  if (/\s/.test(character)) return 'a space';
  if (/[;,${}<>]/.test(character)) return character;
  return 'a symbol';
}
