// Whether somebody knows ADMIN_PASSWORD: compared slowly, and one guess at a time.
import { scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

// OWASP's lowest recommendation for scrypt: about 60 ms, with 32 MB that one guess at a time may have.
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
// Not a secret: it only keeps this derivation apart from all others of the same password.
const salt = 'postern dashboard';

const derive = promisify<string, string, number, typeof cost, Buffer>(scrypt);

export type PasswordCheck = {
  /** Derived from the password: what it signs is worth nothing under another one. */
  readonly key: Promise<Buffer>;
  matches(given: string): Promise<boolean>;
};

export function openPasswordCheck(password: string): PasswordCheck {
  const key = derive(password, salt, 32, cost);
  // Whoever waits for it hears of it; until then nobody has to.
  key.catch(() => {});
  // One at a time, so that guessing takes neither the memory nor the processor from the mail.
  let last: Promise<unknown> = key;
  return {
    key,
    async matches(given) {
      const derived = last.then(() => derive(given, salt, 32, cost));
      last = derived.catch(() => {});
      return timingSafeEqual(await derived, await key);
    },
  };
}
