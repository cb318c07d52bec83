// The last question before the final dot: is this mail still ours, and does the database say that it may be out?

import type { ClaimedMail, ClaimedRecipient } from '../../policy/claimed-mail.ts';
import type { Fence } from '../../smtp/transaction.ts';
import type { Marked, Marks } from '../queue/marks.ts';

type Asking = {
  readonly mail: Pick<ClaimedMail, 'queueId' | 'token'>;
  readonly batch: readonly Pick<ClaimedRecipient, 'ordinal' | 'address'>[];
  readonly marks: Marks;
  /** How old the mark may be when the dot leaves. */
  readonly markMs: number;
  /**
   * The mark is asked for together with MAIL, for all recipients: other mail waits for this connection. Those who are
   * refused then are settled with the result. After a crash all of them are uncertain, so it is never further ahead.
   */
  readonly isEarly: boolean;
  /** Aborts when this relay stops: no dot leaves any more. */
  readonly stopping: AbortSignal;
  /** The database says that data may be out. */
  marked(marked: Marked): void;
  /** The dot leaves now. */
  passed(): void;
  /** The same clock that says when a mark was asked for, in milliseconds. */
  readonly now?: () => number;
};

export function fenceOf({
  mail: { queueId, token },
  batch,
  marks,
  markMs,
  isEarly,
  stopping,
  marked: tell,
  passed,
  now = () => performance.now(),
}: Asking): Fence {
  const no = (why: string) => ({ pass: false, why }) as const;
  let early: Promise<Marked | undefined> | undefined;

  async function mark(ordinals: readonly number[]): Promise<Marked | undefined> {
    const marked = await within(markMs, marks.mark({ queueId, token, ordinals }));
    if (marked) tell(marked);
    return marked;
  }

  const isFresh = (marked: Marked) => now() - marked.askedAt <= markMs;

  return {
    approach() {
      if (!isEarly || stopping.aborted) return;
      early = mark(batch.map(({ ordinal }) => ordinal));
      early.catch(() => {});
    },
    async pass(accepted) {
      if (stopping.aborted) return no('this relay is stopping');
      const ordinals = batch
        .filter(({ address }) => accepted.includes(address))
        .map(({ ordinal }) => ordinal);
      let marked: Marked | undefined;
      try {
        marked = await (early ?? mark(ordinals));
        // The provider took its time with the recipients.
        if (early && marked && !isFresh(marked)) marked = await mark(ordinals);
      } catch {
        return no('the database did not confirm the mark');
      }
      if (marked === undefined) return no('another relay has this mail by now');
      // A process that was frozen in between must not send what others have given up for uncertain.
      if (!isFresh(marked)) return no('the mark is too old');
      if (stopping.aborted) return no('this relay is stopping');
      passed();
      return { pass: true };
    },
  };
}

/** Rejects when `work` takes longer: the answer may still come, but nobody may rely on it any more. */
function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
