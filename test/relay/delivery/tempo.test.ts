import { expect, test } from 'vitest';
import type { Agenda } from '../../../relay/delivery/queue/agenda.ts';
import { openTempo } from '../../../relay/delivery/tempo.ts';

const nothing: Agenda = {
  mail: null,
  lease: null,
  uncertain: null,
  notice: null,
  probe: null,
  isRestored: false,
  isUnconfigured: false,
  hasHolds: false,
};

const usual = { isBusy: false, canSend: true };

function pauseAfter(agenda: Partial<Agenda>, now = usual): number {
  const tempo = openTempo({ pollMs: 500, quietMs: 2_500 });
  tempo.looked({ ...nothing, ...agenda }, now);
  return tempo.pauseMs();
}

test.each<[string, Partial<Agenda>, Partial<typeof usual>, number]>([
  ['nothing to do', {}, {}, 2_500],
  ['mail under way', {}, { isBusy: true }, 500],
  ['the next attempt is soon', { mail: 700, lease: 900 }, {}, 700],
  ['the next attempt is in an hour', { mail: 3_600_000 }, {}, 2_500],
  ['mail is due', { mail: -5 }, {}, 500],
  ['mail is due, but nothing is open', { mail: -5 }, { canSend: false }, 2_500],
  ['nothing is open, and its probe is soon', { mail: -5, probe: 1_200 }, { canSend: false }, 1_200],
  ['the lease of a relay that is gone runs out', { lease: 300 }, {}, 300],
  ['uncertain mail is to be sent again', { uncertain: 100 }, {}, 100],
  ['a notice is due', { notice: 0 }, {}, 500],
  ['something is due in this very moment', { mail: 0.2 }, {}, 5],
])('%s', (_, agenda, now, pause) => {
  expect(pauseAfter(agenda, { ...usual, ...now })).toBe(pause);
});

test('what stays due although nothing can be done about it is looked at ever less', () => {
  const tempo = openTempo({ pollMs: 500, quietMs: 2_500 });
  const stuck = { ...nothing, probe: -1 };
  for (let look = 1; look < 30; look++) {
    tempo.looked(stuck, usual);
    expect(tempo.pauseMs()).toBe(500);
  }
  tempo.looked(stuck, usual);
  expect(tempo.pauseMs()).toBe(2_500);
  // Work makes it attentive again.
  tempo.looked(stuck, { ...usual, isBusy: true });
  tempo.looked(stuck, usual);
  expect(tempo.pauseMs()).toBe(500);
});

test('a look that failed is followed soon', () => {
  const tempo = openTempo({ pollMs: 500, quietMs: 2_500 });
  tempo.looked(nothing, usual);
  tempo.failed();
  expect(tempo.pauseMs()).toBe(500);
});
