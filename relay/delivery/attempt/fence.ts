// The last question before the final dot: is this mail still ours, and does the database say that it may be out?
import type { Fence } from '../../smtp/transaction.ts';
import type { ClaimedMail, ClaimedRecipient } from '../queue/claim.ts';
import type { Marked, Marks } from '../queue/marks.ts';

type Asking = {
  readonly mail: Pick<ClaimedMail, 'queueId' | 'token'>;
  readonly batch: readonly Pick<ClaimedRecipient, 'ordinal' | 'address'>[];
  readonly marks: Marks;
  /** How old the mark may be when the dot leaves. */
  readonly markMs: number;
  /** Aborts when this relay stops: no dot leaves any more. */
  readonly stopping: AbortSignal;
  /** The dot leaves now, under this mark. */
  passed(marked: Marked): void;
  /** The same clock that says when a mark was asked for, in milliseconds. */
  readonly now?: () => number;
};

export function fenceOf({
  mail: { queueId, token },
  batch,
  marks,
  markMs,
  stopping,
  passed,
  now = () => performance.now(),
}: Asking): Fence {
  const no = (why: string) => ({ pass: false, why }) as const;
  return async (accepted) => {
    if (stopping.aborted) return no('this relay is stopping');
    const ordinals = batch.filter(({ address }) => accepted.includes(address)).map(({ ordinal }) => ordinal);
    let marked: Marked | undefined;
    try {
      marked = await within(markMs, marks.mark({ queueId, token, ordinals }));
    } catch {
      return no('the database did not confirm the mark');
    }
    if (marked === undefined) return no('another relay has this mail by now');
    // A process that was frozen in between must not send what others have given up for uncertain.
    if (now() - marked.askedAt > markMs) return no('the mark is too old');
    if (stopping.aborted) return no('this relay is stopping');
    passed(marked);
    return { pass: true };
  };
}

/** Rejects when `work` takes longer: the answer may still come, but nobody may rely on it any more. */
function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
