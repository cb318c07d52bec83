// Knocking at the other processes: with IDLE=sleep they may be asleep and hear no NOTIFY. Whoever has something to do
// knocks at their health ports, so that they are awake when it is committed and hear the bell (deploy/bell.ts) as ever.
import { lookup } from 'node:dns/promises';
import { request } from 'node:http';
import type { Log } from './log.ts';

export type Door = { readonly name: string; readonly host: string; readonly port: number };

export type Knocker = Disposable & {
  /** Knocks, unless it did so a moment ago. */
  knock(): void;
  /** Whether everybody has answered the last time. False until they have. */
  readonly isAnswered: boolean;
};

const answerWithinMs = 3_000;
const againMs = 2_000;

/**
 * @param everyMs a small part of the time for which a knock keeps others awake
 * @param changed told when `isAnswered` is something else than before
 */
export function openKnocker(
  doors: readonly Door[],
  { everyMs, log, changed }: { everyMs: number; log: Log; changed: () => void },
): Knocker {
  let knockedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let isAnswered = false;
  let isKnocking = false;

  function knock(): void {
    if (isKnocking || timer !== undefined || performance.now() - knockedAt < everyMs) return;
    void knockAtAll();
  }

  async function knockAtAll(): Promise<void> {
    isKnocking = true;
    timer = undefined;
    knockedAt = performance.now();
    const failures = (await Promise.all(doors.map(knockAt))).filter((failure) => failure !== undefined);
    if (failures.length > 0 && isAnswered)
      log.warn({ event: 'knock', failures }, 'Another process does not answer');
    else if (failures.length > 0)
      log.debug({ event: 'knock', failures }, 'Another process does not answer yet');
    const isNews = isAnswered !== (failures.length === 0);
    isAnswered = failures.length === 0;
    isKnocking = false;
    if (isNews) changed();
    // It may have been told of something that only we know of.
    if (!isAnswered) timer = setTimeout(knockAtAll, againMs).unref();
  }

  knock();
  return {
    knock,
    get isAnswered() {
      return isAnswered;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}

/** At each process behind the name. Answers what went wrong. */
async function knockAt({ name, host, port }: Door): Promise<string | undefined> {
  try {
    const found = await lookup(host, { all: true });
    const answers = await Promise.allSettled(found.map(({ address }) => post(address, port)));
    // A name may stand for IPv4 and IPv6 of one process that listens on one of them.
    if (answers.some(({ status }) => status === 'fulfilled')) return undefined;
    const [first] = answers;
    return `${name}: ${first?.status === 'rejected' ? String(first.reason) : 'no address'}`;
  } catch (error) {
    return `${name}: ${String(error)}`;
  }
}

function post(address: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const asking = request(
    { host: address, port, method: 'POST', path: '/wake', agent: false, timeout: answerWithinMs },
    (response) => {
      response.resume();
      if (response.statusCode === 204) resolve();
      else reject(new Error(`HTTP ${response.statusCode}`));
    },
  );
  asking.on('timeout', () => asking.destroy(new Error('no answer')));
  asking.on('error', reject);
  asking.end();
  return promise;
}
