// Ids: UUIDs of version 7, so that rows created one after the other lie beside each other in the index
// and sorting by id is sorting by age (RFC 9562 section 5.7).
import { randomUUID } from 'node:crypto';

const counterLimit = 0x1000;

let latestMilliseconds = 0;
let counter = 0;

/**
 * Draws an id for the given instant (default: now). Ids of one process never go backwards, even
 * within a millisecond and when the clock is set back: a counter stands where RFC 9562 allows
 * further random bits (section 6.2, method 1).
 */
export function uuidv7(now: Date = new Date()): string {
  const milliseconds = now.getTime();
  const random = randomUUID();
  if (milliseconds > latestMilliseconds) {
    latestMilliseconds = milliseconds;
    // Starts in the lower half, so that there is room to count before the next millisecond.
    counter = Number.parseInt(random.slice(0, 3), 16) >> 1;
  } else if (++counter === counterLimit) {
    latestMilliseconds++;
    counter = 0;
  }

  const time = latestMilliseconds.toString(16).padStart(12, '0');
  // The tail of a version 4 id already carries the variant bits and 62 random ones.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${random.slice(19)}`;
}
