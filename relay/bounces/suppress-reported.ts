// Putting addresses onto the suppression list for what a report says, in the transaction that writes the report down.
import type { Queryable } from '../../deploy/database.ts';
import { spellingsFor } from '../client/suppression/suppression.ts';
import type { Effect } from './match.ts';
import { mayBeFault, type Suppression, suppressionFor } from './suppression.ts';

/** Whoever can write into the mailbox can invent reports: in an hour they stop mail to so many addresses, not to all. */
const hourlyLimit = 50;

export type Suppressed = {
  readonly added: readonly Suppression[];
  /** What the limit kept off the list; `isNews` when nothing else was within the hour. */
  readonly withheld: number;
  readonly isNews: boolean;
};

/** @param effects those that came true */
export async function suppressReported(
  tx: Queryable,
  digest: Buffer,
  effects: readonly Effect[],
): Promise<Suppressed> {
  const suspects = effects.filter(
    (effect) => mayBeFault(effect) !== undefined || effect.event === 'complained',
  );
  if (suspects.length === 0) return { added: [], withheld: 0, isNews: false };
  const given = suspects.map(({ mail, recipient, reported }) => ({
    queueId: mail.queueId,
    ordinal: recipient.ordinal,
    spellings: spellingsFor(recipient.address),
    cause: reported.cause,
    reply: reported.reply || null,
  }));
  const earlier = await lookForEarlier(tx, given);
  const reasons = suspects.map((effect, index) =>
    suppressionFor(effect, earlier[index] ?? { bouncedBefore: undefined, now: new Date(0) }),
  );
  const wanted = given.flatMap((each, index) => {
    const reason = reasons[index];
    return reason === undefined ? [] : [{ ...each, reason }];
  });
  if (wanted.length === 0) return { added: [], withheld: 0, isNews: false };
  return suppress(tx, digest, wanted);
}

type Given = {
  readonly queueId: string;
  readonly ordinal: number;
  readonly spellings: readonly string[];
  readonly cause: string | null;
  readonly reply: string | null;
};

async function lookForEarlier(
  tx: Queryable,
  given: readonly Given[],
): Promise<{ bouncedBefore: Date | undefined; now: Date }[]> {
  const { rows } = await tx.query<{ at: Date | null; now: Date }>(
    `select bounced_before(g."queueId", g.spellings) as at, now() as now
     from rows from (jsonb_to_recordset($1) as ("queueId" text, spellings text[])) with ordinality as g
     order by g.ordinality`,
    [JSON.stringify(given)],
  );
  return rows.map(({ at, now }) => ({ bouncedBefore: at ?? undefined, now }));
}

async function suppress(
  tx: Queryable,
  digest: Buffer,
  wanted: readonly (Given & { reason: Suppression })[],
): Promise<Suppressed> {
  const { rows } = await tx.query<{ reason: Suppression; outcome: string }>(
    `select g.reason, suppress_recipient(
       g."queueId", g.ordinal, g.spellings, g.reason, g.cause, g.reply, 'report', false, $2) as outcome
     from (select * from jsonb_to_recordset($1) as g (
       "queueId" text, ordinal smallint, spellings text[], reason text, cause text, reply text)
       order by g.spellings) g`,
    [JSON.stringify(wanted), hourlyLimit],
  );
  const added = rows.filter(({ outcome }) => outcome === 'added').map(({ reason }) => reason);
  const withheld = rows.filter(({ outcome }) => outcome === 'too-many').length;
  return { added, withheld, isNews: withheld > 0 && (await isFirstWithheld(tx, digest, withheld)) };
}

async function isFirstWithheld(tx: Queryable, digest: Buffer, withheld: number): Promise<boolean> {
  const { rows } = await tx.query<{ first: boolean }>(
    `update bounce_report set withheld = $2 where digest = $1
     returning not exists (
       select from bounce_report other
       where other.withheld > 0 and other.read_at > now() - interval '1 hour' and other.digest <> $1) as first`,
    [digest, withheld],
  );
  return rows[0]?.first ?? false;
}
