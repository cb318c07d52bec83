// Passwords of people: derived slowly, one at a time.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

// OWASP's lowest recommendation for scrypt: about 60 ms, with 32 MB that one guess at a time may have.
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

const derive = promisify<string, string | Buffer, number, typeof cost, Buffer>(scrypt);

let last: Promise<unknown> = Promise.resolve();

/** One at a time, so that guessing takes neither the memory nor the processor from the mail. */
export function deriveInTurn(password: string, salt: string | Buffer): Promise<Buffer> {
  const derived = last.then(() => derive(password, salt, 32, cost));
  last = derived.catch(() => {});
  return derived;
}

export type HashedPassword = { readonly hash: Buffer; readonly salt: Buffer };

export async function hashPassword(password: string): Promise<HashedPassword> {
  const salt = randomBytes(16);
  return { hash: await deriveInTurn(password, salt), salt };
}

const nobodysSalt = randomBytes(16);

/** Takes as long for somebody who is not there. */
export async function isPassword(given: string, stored: HashedPassword | undefined): Promise<boolean> {
  const derived = await deriveInTurn(given, stored?.salt ?? nobodysSalt);
  return stored !== undefined && timingSafeEqual(derived, stored.hash);
}

// Without those that are mistaken for each other when they are read out.
const letters = 'abcdefghjkmnpqrstuvwxyz23456789';

/** Four groups of five characters: 99 bits. */
export function inventPassword(): string {
  const draw = () => letters[randomIndex()] as string;
  return Array.from({ length: 4 }, () => Array.from({ length: 5 }, draw).join('')).join('-');
}

/** Every index as likely as any other. */
function randomIndex(): number {
  for (;;) {
    const [octet = 255] = randomBytes(1);
    if (octet < 256 - (256 % letters.length)) return octet % letters.length;
  }
}

/** The shortest that a person may choose. */
export const shortestPassword = 12;
