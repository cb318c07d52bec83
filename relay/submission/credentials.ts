// Submission credentials: a name and a password each, compared without telling by the time it takes how much was right.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export type Credential = { readonly name: string; readonly password: string };

export type Credentials = {
  /** Whether the name is one of ours: it takes its own password and nothing else. */
  has(name: string): boolean;
  /** Whether this is one of ours. An unknown name takes as long as a wrong password. */
  verify(name: string, password: string): boolean;
};

export function openCredentials(credentials: readonly Credential[]): Credentials {
  // Equal lengths are what timingSafeEqual asks for; the key keeps digests of passwords worthless outside.
  const key = randomBytes(32);
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  const known = new Map(credentials.map(({ name, password }) => [name, digest(password)]));
  const nobody = randomBytes(32);
  return {
    has: (name) => known.has(name),
    verify(name, password) {
      const wanted = known.get(name);
      return timingSafeEqual(digest(password), wanted ?? nobody) && wanted !== undefined;
    },
  };
}
