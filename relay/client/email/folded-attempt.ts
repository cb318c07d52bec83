// An attempt at whose end everybody was sent has no row of its own: the first `sent` row carries what that row would say
// besides. Pure.
import type { TimelineEvent } from '../vocabulary.ts';

/** What an attempt says that the `sent` of its recipients does not. */
export type FoldedAttempt = {
  readonly lane: string;
  readonly host: string;
  readonly port: number;
  readonly tlsMode: string;
  readonly timings: object;
};

type Row = Pick<TimelineEvent, 'type' | 'recipient' | 'detail'>;

/** The timeline with a row for each attempt, as it was stored before and as everybody reads it. */
export function unfold<Event extends Row>(rows: readonly Event[]): Event[] {
  return rows.flatMap((row) => {
    const { attempt, ...detail } = row.detail as { attempt?: FoldedAttempt; [more: string]: unknown };
    if (row.type !== 'sent' || attempt === undefined) return [row];
    const { lane, timings, ...where } = attempt;
    const { route, code, enhanced = null, reply } = detail;
    const whole = { lane, route, ...where, stage: 'accepted', code, enhanced, reply, timings };
    return [
      { ...row, type: 'attempt', recipient: null, detail: whole },
      { ...row, detail },
    ];
  });
}
