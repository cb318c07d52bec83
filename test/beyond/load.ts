// A load of SMTP and HTTP on a stack, and what came of it: every yes is written down, and compared at the end with what
// the provider took and what Postern shows.
import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { openAcknowledgements } from '../prove/acknowledgements.ts';
import { chanceOf } from '../prove/chance.ts';
import { type Reckoning, reckon } from '../prove/ledger.ts';
import { withSenders } from '../prove/load.ts';
import { readRecords } from '../prove/records.ts';

export type Load = AsyncDisposable & {
  /** Everything that was answered with a yes so far. */
  readonly acknowledged: number;
  /** The recipients of that. */
  recipients(): ReadonlySet<string>;
  /** No new mail from now on; resolves when what was asked for is answered. */
  stop(): Promise<void>;
  /** What should not have been answered. */
  readonly complaints: readonly string[];
  reckon(): Promise<Reckoning>;
};

/** Of each submitter and each asker, between two mails. */
const pauseMs = 60;

export function startLoad(stack: Stack, seed: number): Load {
  const acknowledgements = openAcknowledgements();
  const noMore = new AbortController();
  const ending = new AbortController();
  let next = 0;
  const senders = {
    stack,
    acknowledgements,
    chance: chanceOf(seed),
    sender: stack.provider.user,
    submitters: 6,
    askers: 4,
    signal: ending.signal,
  };
  const running = withSenders(senders, async (send) => {
    while (!noMore.signal.aborted) {
      await send(next++);
      await pause(pauseMs);
    }
  });
  return {
    get acknowledged() {
      return acknowledgements.count;
    },
    recipients: () => new Set(acknowledgements.all.map(({ recipient }) => recipient)),
    async stop() {
      noMore.abort();
      await running;
    },
    complaints: acknowledgements.complaints,
    reckon: async () =>
      reckon({
        acknowledged: acknowledgements.all,
        taken: stack.provider.messages.flatMap(({ envelope, sha256 }) =>
          envelope.recipients
            .filter((recipient) => recipient.endsWith('@example.net'))
            .map((recipient) => ({ recipient, sha256 })),
        ),
        recorded: await readRecords(stack.database),
        refusedForGood: new Set(),
        unrecognisable: acknowledgements.unrecognisable,
      }),
    async [Symbol.asyncDispose]() {
      noMore.abort();
      ending.abort();
      await running;
    },
  };
}

/** Resolves when nothing more is going to happen by itself within minutes; else says what still waits. */
export async function comeToRest({ query }: Stack['database']): Promise<void> {
  let waiting: unknown[] = [];
  const isAtRest = async () => {
    ({ rows: waiting } = await query(
      `select 'recipient' as what, status::text, reason, count(*)::integer as count, min(next_attempt_at)::text as earliest,
              max(attempts)::integer as attempts
       from recipient where status in ('queued', 'sending', 'deferred') group by 1, 2, 3
       union all
       select 'email', status::text, reason, count(*), min(due_at)::text, null
       from email where status = 'pending' and not paused group by 1, 2, 3`,
    ));
    return waiting.length === 0;
  };
  const what = 'everything that can leave to leave';
  await until(isAtRest, { what, timeoutMs: 120_000 }).catch((error: Error) => {
    throw new Error(`${error.message}; still there: ${JSON.stringify(waiting)}`, { cause: error });
  });
}
