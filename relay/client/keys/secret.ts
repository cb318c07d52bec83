// The secret of an API key: 256 random bits behind a prefix by which secret scanners and people recognise it. One round
// of SHA-256 keeps it at rest: nobody guesses 256 bits.
import { createHash, randomBytes } from 'node:crypto';

export const newSecret = (): string => `postern_${randomBytes(32).toString('base64url')}`;

export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Whether it could be one: what is not is refused without asking the database. */
export const isSecret = (text: string): boolean => /^postern_[\w-]{43}$/.test(text);

/** The last four characters: enough to tell keys apart in a list, too few to guess one. */
export const endingOf = (secret: string): string => secret.slice(-4);
