// When a mail is to leave, read from the fields of a request: what cannot be understood, or is past, is a fault.
import type { Queryable } from '../../deploy/database.ts';
import { readScheduledTime } from '../../relay/client/email/scheduled-time.ts';
import type { Fault } from '../problem.ts';
import type { Due } from './draft.ts';

type ScheduleFields = {
  readonly scheduled_datetime?: string | undefined;
  readonly time_zone?: string | undefined;
};

export type DueReading = { readonly due: Due } | { readonly faults: readonly Fault[] };

const graceMinutes = 5;

/** Reads the time without looking at a clock. */
export function readDue(
  { scheduled_datetime: text, time_zone: timeZone }: ScheduleFields,
  pointer = '#',
): DueReading {
  if (text === undefined) {
    if (timeZone === undefined) return { due: {} };
    return { faults: [faultOf(`${pointer}/time_zone`, 'needs scheduled_datetime beside it', timeZone)] };
  }
  const time = readScheduledTime(text, timeZone);
  if (time.outcome === 'not-understood') {
    return {
      faults: time.faults.map(({ of, detail }) =>
        of === 'zone'
          ? faultOf(`${pointer}/time_zone`, detail, timeZone)
          : faultOf(`${pointer}/scheduled_datetime`, detail, text),
      ),
    };
  }
  return { due: { dueAt: time.dueAt, timeZone: time.timeZone, localTime: time.localTime } };
}

/** Which of the times are more than five minutes past, by the database's clock: the only one that counts. */
export async function findPast(q: Queryable, times: readonly (Date | undefined)[]): Promise<boolean[]> {
  if (times.every((time) => time === undefined)) return times.map(() => false);
  const { rows } = await q.query<{ past: boolean | null }>(
    `select at < now() - make_interval(mins => $2) as past
     from unnest($1::timestamptz[]) with ordinality as given (at, position) order by position`,
    [times.map((time) => time ?? null), graceMinutes],
  );
  return rows.map(({ past }) => past === true);
}

export const pastFault = (text: string | undefined, pointer = '#'): Fault =>
  faultOf(`${pointer}/scheduled_datetime`, `is more than ${graceMinutes} minutes in the past`, text ?? null);

const faultOf = (pointer: string, detail: string, received: unknown): Fault => ({
  in: 'body',
  pointer,
  detail,
  received,
});
