// Whether somebody knows ADMIN_PASSWORD.
import { timingSafeEqual } from 'node:crypto';
import { deriveInTurn } from '../people/password.ts';

// Not a secret: it only keeps this derivation apart from all others of the same password.
const salt = 'postern dashboard';

export type PasswordCheck = {
  /** Derived from the password: what it signs is worth nothing under another one. */
  readonly key: Promise<Buffer>;
  matches(given: string): Promise<boolean>;
};

export function openPasswordCheck(password: string): PasswordCheck {
  const key = deriveInTurn(password, salt);
  // Whoever waits for it hears of it; until then nobody has to.
  key.catch(() => {});
  return {
    key,
    async matches(given) {
      return timingSafeEqual(await deriveInTurn(given, salt), await key);
    },
  };
}
