// When to look at the database again: soon while mail is under way, when the next thing is due, and else at leisure.
// Pure but for the time of the last look: times are monotonic milliseconds.
import type { Agenda } from './queue/agenda.ts';
import type { Timeouts } from './timeouts.ts';

export type Tempo = {
  looked(agenda: Agenda, now: { readonly isBusy: boolean; readonly canSend: boolean }): void;
  /** The look came to nothing. */
  failed(): void;
  pauseMs(): number;
};

/** What is due but cannot be done yet is asked for often only for so many looks. */
const patientAfter = 30;

/** A look in the very millisecond finds nothing due yet. */
const atLeastMs = 5;

export function openTempo({ pollMs, quietMs }: Pick<Timeouts, 'pollMs' | 'quietMs'>): Tempo {
  let pause = pollMs;
  let inVain = 0;
  return {
    looked(agenda, { isBusy, canSend }) {
      const next = Math.min(
        ...[canSend ? agenda.mail : null, agenda.lease, agenda.uncertain, agenda.notice, agenda.probe].map(
          (ms) => ms ?? Number.POSITIVE_INFINITY,
        ),
      );
      const isDue = next <= 0;
      inVain = isDue && !isBusy ? inVain + 1 : 0;
      if (isBusy || (isDue && inVain < patientAfter)) pause = pollMs;
      else pause = isDue ? quietMs : Math.max(atLeastMs, Math.min(next, quietMs));
    },
    failed() {
      pause = pollMs;
    },
    pauseMs: () => pause,
  };
}
