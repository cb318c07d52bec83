// Queue ids: short enough to be read out on the telephone, sorted by time so that new rows lie together in the index.
import { randomBytes } from 'node:crypto';

// Crockford's base 32: no i, l, o or u, so nothing is mistaken for a digit and no words appear by accident.
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const timeDigits = 9;
const randomDigits = 7;

/** 16 characters: 9 for the time in ms (enough until the year 3084), 7 at random (35 bits). */
export function newQueueId(now: Date = new Date()): string {
  let time = '';
  for (let rest = now.getTime(), n = 0; n < timeDigits; n++, rest = Math.floor(rest / 32)) {
    time = digits[rest % 32] + time;
  }
  let random = '';
  for (const byte of drawn()) random += digits[byte % 32];
  return time + random;
}

// Randomness is drawn for many ids at once: asking for it costs more than all the rest of an id.
let pool = Buffer.alloc(0);

function drawn(): Buffer {
  if (pool.length < randomDigits) pool = randomBytes(randomDigits * 256);
  const bytes = pool.subarray(0, randomDigits);
  pool = pool.subarray(randomDigits);
  return bytes;
}

/** RFC 5321 section 4.5.3.1.1. */
const longestLocalPart = 64;

/** The sender that a provider hears with BOUNCE_VERP: `local+QUEUEID@domain`. Itself where it would be too long. */
export function taggedSender(sender: string, queueId: string): string {
  const at = sender.lastIndexOf('@');
  const local = sender.slice(0, at);
  const isPlain = at > 0 && !local.startsWith('"') && local.length + 1 + queueId.length <= longestLocalPart;
  return isPlain ? `${local}+${queueId}${sender.slice(at)}` : sender;
}

/** The queue id in such an address; servers may have changed its case. */
export function queueIdIn(address: string): string | undefined {
  return /\+([0-9A-HJKMNP-TV-Z]{16})@[^@\s<>]+/i.exec(address)?.[1]?.toUpperCase();
}
