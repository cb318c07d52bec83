// Acceptance: the one way for a message to become ours. Messages that arrive at the same time share a commit; each
// client hears its answer when that commit is on disk.
import { setTimeout as pause } from 'node:timers/promises';
import { isUnavailable, type Queryable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Offering } from '../policy/offer.ts';
import { commitGroup, findCommitted, type Outcome } from './commit-group.ts';
import { nextGroup, type Submission } from './group.ts';
import { databaseAway, diskFull, ourMistake, type Refusal } from './refusal.ts';

export type Acceptance = {
  /** Never rejects: what cannot be accepted comes back as the refusal the client is told. */
  accept(submission: Submission): Promise<Accepted | Refused>;
  /** Messages waiting for a commit, those in one included. */
  readonly waiting: number;
};

export type Accepted = {
  readonly outcome: 'accepted' | 'known';
  readonly queueId: string;
  readonly traceId?: string | undefined;
};
export type Refused = { readonly outcome: 'refused'; readonly refusal: Refusal };

/** Mail that has just become ours; `at` is of the database's clock. */
export type CommittedMail = { readonly queueId: string; readonly at: Date };

/** @param isWaiting some of it waits in the queue */
export type Committed = (mails: readonly CommittedMail[], isWaiting: boolean) => void;

type WaitingSubmission = {
  readonly submission: Submission;
  readonly answer: (result: Accepted | Refused) => void;
};

// Two commits in flight keep the disk busy while the next group gathers. The second one starts only when it is at
// least as large as the first: on a slow disk many small commits would wait for one another.
const commitsAtOnce = 2;
// How long a client waits while we find out what became of a commit whose answer was lost. RFC 5321 section 4.5.3.2.6
// gives us ten minutes, but a client that is told 451 soon tries again soon.
const inDoubtMs = 10_000;
const inDoubtPauseMs = 250;

/**
 * Long because its small functions share what waits for a commit and what is under way.
 *
 * @param handOff takes mail in the very commit that makes it ours
 * @param committed called after each commit that made new mail ours
 */
export function openAcceptance({
  database,
  log,
  handOff,
  committed,
}: {
  database: Queryable;
  log: Log;
  handOff: Offering;
  committed: Committed;
}): Acceptance {
  let line: WaitingSubmission[] = [];
  let busy = 0;
  let inCommit = 0;

  function start(): void {
    while (busy < commitsAtOnce && line.length > 0 && line.length >= inCommit) {
      const { group, rest } = nextGroup(line);
      line = rest;
      busy++;
      inCommit += group.length;
      void settle(group).finally(() => {
        busy--;
        inCommit -= group.length;
        start();
      });
    }
  }

  async function settle(group: readonly WaitingSubmission[]): Promise<void> {
    const offer = handOff(group.length);
    const submissions = group.map(({ submission }) => submission);
    let outcomes: Outcome[];
    try {
      outcomes = await commitGroup(database, submissions, offer);
    } catch (error) {
      // Whatever was claimed nevertheless goes on when its lease runs out.
      offer?.claimed([]);
      await settleFailed(group, error);
      return;
    }
    const accepted = outcomes.filter((each) => each.outcome === 'accepted');
    offer?.claimed(accepted.flatMap(({ handed }) => handed ?? []));
    if (accepted.length > 0) {
      committed(
        accepted,
        accepted.some(({ handed }) => handed === undefined),
      );
    }
    for (const [at, waiting] of group.entries()) tell(waiting, outcomes[at]);
  }

  function tell(waiting: WaitingSubmission, outcome: Outcome | undefined): void {
    if (outcome === undefined || outcome.outcome === 'again') line.push(waiting);
    else waiting.answer(outcome);
  }

  async function settleFailed(group: readonly WaitingSubmission[], error: unknown): Promise<void> {
    const code = sqlState(error);
    if (code === '53100') {
      log.error({ event: 'refused', messages: group.length, err: error }, 'The disk of the database is full');
      refuseAll(group, diskFull);
    } else if (isUnavailable(error)) {
      const committedIds = isInDoubt(error) ? await lookUp(group) : new Set<string>();
      log.error(
        {
          event: 'refused',
          messages: group.length - committedIds.size,
          committed: committedIds.size,
          err: error,
        },
        'PostgreSQL connection lost during a commit',
      );
      if (committedIds.size > 0) committed([], true);
      for (const { submission, answer } of group) {
        const { queueId } = submission;
        answer(
          committedIds.has(queueId)
            ? { outcome: 'accepted', queueId }
            : { outcome: 'refused', refusal: databaseAway },
        );
      }
    } else if (group.length > 1) {
      // One of them is at fault, or two groups waited for each other: alone, each one gets what it deserves.
      for (const waiting of group) await settle([waiting]);
    } else {
      const queueId = group[0]?.submission.queueId;
      log.error(
        { event: 'failed', queueId, err: error },
        'Message could not be stored; the client has to send it again',
      );
      refuseAll(group, ourMistake);
    }
  }

  /** Asks until the database answers, or until the clients have waited long enough. */
  async function lookUp(group: readonly WaitingSubmission[]): Promise<ReadonlySet<string>> {
    const queueIds = group.map(({ submission }) => submission.queueId);
    const giveUpAt = performance.now() + inDoubtMs;
    for (;;) {
      try {
        return await findCommitted(database, queueIds);
      } catch (error) {
        // Told 451, they come again. With a Message-ID of their own, or a key, that is the same mail; without both
        // nobody can tell it from a second one, and it may arrive twice.
        if (performance.now() > giveUpAt) {
          log.error(
            { event: 'in-doubt', queueIds, err: error },
            'The result of this commit is not known yet',
          );
          return new Set();
        }
        await pause(inDoubtPauseMs);
      }
    }
  }

  return {
    accept: (submission) =>
      new Promise((answer) => {
        line.push({ submission, answer });
        // Whatever else arrived in this turn of the event loop joins the group.
        if (busy < commitsAtOnce) setImmediate(start);
      }),
    get waiting() {
      return line.length + inCommit;
    },
  };
}

function refuseAll(group: readonly WaitingSubmission[], refusal: Refusal): void {
  for (const { answer } of group) answer({ outcome: 'refused', refusal });
}

function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}

/**
 * Whether the statement may have been committed although it failed: it was sent, and the answer was lost. Errors that
 * PostgreSQL itself reports are certain (a FATAL or an ERROR rolls back), and so is a connection that never was.
 */
function isInDoubt(error: unknown): boolean {
  const code = sqlState(error);
  if (code !== undefined && /^(?:53|57014|25)/.test(code)) return false;
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') return false;
  return !/timeout exceeded when trying to connect/.test((error as Error).message);
}
