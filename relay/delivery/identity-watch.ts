// Looks again which database this is whenever sessions to it were opened anew, before any mail is claimed over them: a
// server that took over, or a backup that was restored under a running relay, can only be met by a new session.
import type { DeliveryContext } from './context.ts';
import { checkIdentity, type IdentityJudgement, recordMissing } from './queue/identity.ts';
import { restored } from './queue/restored.ts';

export type IdentityWatch = {
  /** Whether this is the database that it was. False when commits are missing: what was claimed meanwhile is not sent. */
  confirm(): Promise<boolean>;
  /** No session was opened since the last look. */
  readonly isConfirmed: boolean;
  /** This relay has said that it lives. @param previousSeenAt what the database knew of that before */
  beaten(beat: { readonly seenAt: Date; readonly previousSeenAt: Date | null }): Promise<void>;
};

/** Rows of relays that say nothing for an hour are removed (lanes/share.ts). */
const rowsLastMs = 50 * 60_000;

export function watchIdentity(context: DeliveryContext): IdentityWatch {
  const { database, instance } = context;
  /** When this relay last said that it lives, as PostgreSQL acknowledged it. */
  let acknowledged: Date | undefined;
  let checkedSessions = -1;

  function isMissing({ seenAt, previousSeenAt }: { seenAt: Date; previousSeenAt: Date | null }): boolean {
    if (acknowledged === undefined) return false;
    if (previousSeenAt !== null) return previousSeenAt < acknowledged;
    return seenAt.getTime() - acknowledged.getTime() < rowsLastMs;
  }

  return {
    async confirm() {
      // Before the look, which may open a session itself: then it is looked at once more.
      const sessions = database.sessionsOpened;
      if (sessions === checkedSessions) return true;
      const judgement = await checkIdentity(database, { instance, acknowledged });
      checkedSessions = sessions;
      if (judgement.kind === 'restored') acknowledged = undefined;
      if (judgement.isNews) announce(context, judgement);
      return judgement.kind !== 'restored';
    },
    get isConfirmed() {
      return database.sessionsOpened === checkedSessions;
    },
    async beaten(beat) {
      const missing = isMissing(beat);
      const since = acknowledged;
      acknowledged = beat.seenAt;
      if (!missing || since === undefined) return;
      const judgement = await recordMissing(database, { since, known: beat.previousSeenAt });
      if (judgement.isNews) announce(context, judgement);
    },
  };
}

function announce({ alert, log }: DeliveryContext, judgement: IdentityJudgement): void {
  if (judgement.kind === 'promoted')
    log.warn({ event: 'database-promoted' }, 'A standby of PostgreSQL took over; no commit is missing');
  if (judgement.kind !== 'restored') return;
  const { missingSeconds } = judgement;
  const missing =
    missingSeconds === null
      ? 'The database was restored or replaced'
      : `Commits of the last ${missingSeconds} s may be missing in this database`;
  const detail = `${missing}. All unfinished mail is held until somebody releases it.`;
  alert({ kind: 'database-restored', lane: '', cause: restored, stage: 'config', detail });
}
