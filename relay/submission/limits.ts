// The limits of a key: its recipients are counted when a message has been read, just before the commit that takes it.
// What is not taken after all, or was taken before, is given back.
import type { Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { countMailOfKeyAtOnce, type OverLimit } from '../client/keys/usage.ts';
import type { SessionKey } from './keys.ts';
import { type Refusal, refuse } from './refusal.ts';

export type Limits = {
  /** Why the key sends nothing now; without asking the database. */
  refusalOf(key: SessionKey): Refusal | undefined;
  /** Counts the recipients, or says why they do not fit. Rejects when the database is away. */
  count(key: SessionKey, recipients: number): Promise<Refusal | undefined>;
  giveBack(key: SessionKey, recipients: number): Promise<void>;
};

/** How long a key that has used all is refused without asking; another relay may have given something back. */
const mostExhaustedMs = 60_000;

export function openLimits(q: Queryable, log: Log): Limits {
  return {
    refusalOf(key) {
      if (key.ended !== undefined) return refuse(421, '4.7.13', key.ended);
      const left = key.exhaustedUntil - performance.now();
      return left > 0 ? refuse(451, '4.7.1', `${shown(key)} has sent all that it may for now`) : undefined;
    },
    async count(key, recipients) {
      if (!key.isLimited) return undefined;
      const over = await countMailOfKeyAtOnce(q, key.id, recipients);
      if (!over) return undefined;
      if (over.used >= over.maximum) {
        key.exhaustedUntil = performance.now() + Math.min(over.seconds * 1_000, mostExhaustedMs);
      }
      return refusalFor(key, over, recipients);
    },
    async giveBack(key, recipients) {
      if (!key.isLimited) return;
      try {
        await countMailOfKeyAtOnce(q, key.id, -recipients);
      } catch (error) {
        log.debug({ err: error, event: 'count-not-given-back' }, 'A count of a key is too high');
      }
    },
  };
}

function refusalFor(
  key: SessionKey,
  { span, maximum, used, seconds }: OverLimit,
  recipients: number,
): Refusal {
  const may = `${shown(key)} may send to ${maximum} recipients ${span === 'hour' ? 'an hour' : 'a day'}`;
  // Waiting does not help.
  if (recipients > maximum) return refuse(550, '5.7.1', `This mail has ${recipients} recipients; ${may}`);
  return refuse(451, '4.7.1', `${may}, ${used} are used; try again in ${seconds} s`);
}

const shown = ({ name }: SessionKey) => `The key ${name.slice(0, 100)}`;
