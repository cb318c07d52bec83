// Looks again which database this is whenever sessions to it were opened anew, before any mail is claimed over them: a
// server that took over, or a backup that was restored under a running relay, can only be met by a new session.
import type { DeliveryContext } from './context.ts';
import { checkIdentity, type IdentityLook, type ServerIdentity } from './queue/identity.ts';
import { type Told, tellWhatIsKnown } from './queue/missing-commits.ts';
import type { Recollection } from './queue/recollection.ts';
import { type MissingCommits, restored } from './queue/restored.ts';

export type IdentityWatch = {
  /** Whether this is the database that it was. False when commits are missing: what was claimed meanwhile is not sent. */
  confirm(): Promise<boolean>;
  /** No session was opened since the last look. */
  readonly isConfirmed: boolean;
  /** This relay has said that it lives. @param previousSeenAt what the database knew of that before */
  beaten(beat: {
    readonly seenAt: Date;
    readonly previousSeenAt: Date | null;
    readonly replicas: readonly { readonly instance: string }[];
  }): Promise<void>;
  /** A standby took over, and relays are asked what they know. */
  readonly isAsking: boolean;
};

/** Rows of relays that say nothing for two days are removed (lanes/share.ts); one that sleeps says nothing for a day. */
const rowsLastMs = 47 * 60 * 60_000;

export function watchIdentity(context: DeliveryContext, recollection: Recollection): IdentityWatch {
  const { database, instance } = context;
  /** When this relay last said that it lives, as PostgreSQL acknowledged it. */
  let acknowledged: Date | undefined;
  let acknowledgedAt = performance.now();
  let server: ServerIdentity | undefined;
  let known: readonly string[] = [];
  let checkedSessions = -1;
  let isAsking = false;

  function isMissing({ seenAt, previousSeenAt }: { seenAt: Date; previousSeenAt: Date | null }): boolean {
    if (acknowledged === undefined) return false;
    if (previousSeenAt !== null) return previousSeenAt < acknowledged;
    return seenAt.getTime() - acknowledged.getTime() < rowsLastMs;
  }

  /** @returns false when commits are missing */
  async function look(ownSeenAt?: Date | null): Promise<boolean> {
    const found = await checkIdentity(database, {
      instance,
      known,
      // The database may have forgotten by now that this relay ever lived.
      knowledge: {
        acknowledged: performance.now() - acknowledgedAt < rowsLastMs ? acknowledged : undefined,
        server,
      },
      ...(ownSeenAt !== undefined && { ownSeenAt }),
    });
    const { judgement, current } = found;
    if (judgement.kind === 'restored') acknowledged = undefined;
    const told = found.isAskingUs ? await tell(found) : undefined;
    isAsking = found.isAsking;
    server = current;
    announce(context, found);
    return judgement.kind !== 'restored' && told?.missing === undefined;
  }

  async function tell({ judgement, isNews }: IdentityLook): Promise<Told> {
    const since = ('since' in judgement ? judgement.since : null) ?? acknowledged ?? new Date(0);
    const told = await tellWhatIsKnown(database, {
      instance,
      recollection,
      since,
      missingAt: judgement.kind === 'missing' ? acknowledged : undefined,
    });
    // Compared once: the next sign of life is about the new primary.
    acknowledged = undefined;
    if (told.missing) logTold(context, told, isNews);
    return told;
  }

  return {
    get isAsking() {
      return isAsking;
    },
    async confirm() {
      // Before the look, which may open a session itself: then it is looked at once more.
      const sessions = database.sessionsOpened;
      if (sessions === checkedSessions && !isAsking) return true;
      const isWhole = await look();
      checkedSessions = sessions;
      return isWhole;
    },
    get isConfirmed() {
      return database.sessionsOpened === checkedSessions;
    },
    async beaten(beat) {
      // With the relays that were there before: the new primary may have lost the signs of life of the last seconds.
      if (isMissing(beat)) await look(beat.previousSeenAt);
      known = beat.replicas.map((replica) => replica.instance);
      acknowledged = beat.seenAt;
      acknowledgedAt = performance.now();
    },
  };
}

function announce({ alert, log }: DeliveryContext, { judgement, isNews }: IdentityLook): void {
  if (!isNews) return;
  if (judgement.kind === 'promoted')
    log.warn({ event: 'database-promoted' }, 'A standby of PostgreSQL took over');
  if (judgement.kind !== 'restored') return;
  const { missingSeconds } = judgement;
  const missing =
    missingSeconds === null
      ? 'The database was restored or replaced'
      : `Commits of the last ${missingSeconds} s may be missing in this database`;
  const detail = `${missing}. All unfinished mail is held until somebody releases it.`;
  alert({ kind: 'database-restored', lane: '', cause: restored, stage: 'config', detail });
}

/** More ids than this in one line of the log help nobody. */
const mostIds = 100;

function logTold({ log }: DeliveryContext, told: Told, isNews: boolean): void {
  const { writtenAgain, lost, lostAfterSending, missing } = told;
  log.error(
    {
      event: 'commits-missing',
      first: isNews,
      since: missing?.since,
      until: missing?.until,
      seconds: missing && secondsOf(missing),
      resultsWrittenAgain: writtenAgain,
      mailsMissing: lost.length,
      mailsMissingThatWereSent: lostAfterSending,
      queueIds: lost.slice(0, mostIds),
    },
    'A standby of PostgreSQL took over without the last commits; this relay has written again what it knows',
  );
}

const secondsOf = ({ since, until }: { since: Date; until: Date }) =>
  Math.max(0, (until.getTime() - since.getTime()) / 1_000);

/** The relays have said what they know. */
export function announceMissing(
  { alert }: DeliveryContext,
  { since, until }: MissingCommits,
  isHeld: boolean,
): void {
  const window = since
    ? `Commits of ${secondsOf({ since, until }).toFixed(1)} s are missing in this database, from ${since.toISOString()} to ${until.toISOString()}`
    : `Commits before ${until.toISOString()} are missing in this database`;
  const mail = isHeld
    ? 'A relay that sent mail then is gone: unfinished mail that was due by then is held until somebody releases it.'
    : 'The relays wrote the results again that they know, nothing else is held.';
  const detail = `${window}: a standby took over without them. ${mail} Mail that was accepted in that time, and changes by the API, may be lost; the log of the relays names the mail that they know of.`;
  alert({ kind: 'database-restored', lane: '', cause: restored, stage: 'config', detail });
}
