// The provider of a run, in a process of its own: behaves well, badly and terribly by turns, and keeps the only true
// account of what it took. Talks to the ledger over the channel that fork() opens.
import { setTimeout as pause } from 'node:timers/promises';
import {
  acceptThen,
  delay,
  drop,
  type Moment,
  partial,
  type Reaction,
  reset,
  type Stage,
  startProvider,
} from '../kit/provider.ts';
import { chanceOf } from './chance.ts';
import type { Taken } from './ledger.ts';

/** What the ledger asks, and what it is told. */
export type ToProvider = 'behave' | 'tell';
export type FromProvider =
  | { readonly kind: 'ready'; readonly environment: Record<string, string> }
  | {
      readonly kind: 'account';
      readonly taken: Taken[];
      readonly refusedForGood: string[];
      readonly mishaps: number;
      /** The most connections at once, of all and of those that carried mail, and how many of these were too many. */
      readonly peakConnections: number;
      readonly mostCarrying: number;
      readonly overLimit: number;
    };

const [, , seed, limit, mood] = process.argv;
const chance = chanceOf(Number(seed));
const provider = await startProvider({ keepBytes: 4_096 });
const refusedForGood = new Set<string>();
let mishaps = 0;
let overLimit = 0;
let mostCarrying = 0;
let calm = mood === 'calm';

// Of those that carry mail: what looks whether a route works (the relay's own doctor at its start, probes) comes on top.
const carrying = new Set<number>();
provider.on(
  'mail',
  () => {
    overLimit++;
    return '421 4.7.0 Too many connections from your account';
  },
  {
    when: ({ connection }) => {
      carrying.add(connection);
      for (const { id, closedAt } of provider.connections) if (closedAt !== undefined) carrying.delete(id);
      mostCarrying = Math.max(mostCarrying, carrying.size);
      return carrying.size > Number(limit);
    },
  },
);

/** Out of a thousand moments at a stage, in how many this happens. */
type Mishap = { readonly stage: Stage; readonly perMille: number; readonly reaction: () => Reaction };

const refuse =
  (reply: string): Reaction =>
  (moment: Moment) => {
    for (const recipient of moment.recipient ? [moment.recipient] : moment.envelope.recipients)
      refusedForGood.add(recipient);
    return reply;
  };
const always = (reaction: Reaction) => () => reaction;

const usual: readonly Mishap[] = [
  { stage: 'connect', perMille: 10, reaction: always(drop) },
  { stage: 'tls', perMille: 10, reaction: always(reset) },
  {
    stage: 'greeting',
    perMille: 10,
    reaction: always('421 4.3.2 mail.example.net is busy, try again later'),
  },
  { stage: 'greeting', perMille: 10, reaction: () => delay(chance.between(500, 5_000)) },
  { stage: 'ehlo', perMille: 5, reaction: always(drop) },
  { stage: 'auth', perMille: 5, reaction: always(drop) },
  { stage: 'mail', perMille: 4, reaction: always('451 4.3.0 Temporary failure, try again') },
  { stage: 'mail', perMille: 4, reaction: always(drop) },
  { stage: 'rcpt', perMille: 8, reaction: always('450 4.2.0 Greylisted, try again') },
  { stage: 'rcpt', perMille: 3, reaction: () => refuse('550 5.1.1 No such user here') },
  { stage: 'rcpt', perMille: 2, reaction: always(reset) },
  { stage: 'data', perMille: 3, reaction: always('451 4.3.0 Queue file write error') },
  { stage: 'data', perMille: 3, reaction: always(drop) },
  { stage: 'body', perMille: 4, reaction: always(reset) },
  { stage: 'body', perMille: 4, reaction: always(drop) },
  { stage: 'dot', perMille: 4, reaction: always('451 4.3.0 Temporary failure after the data') },
  { stage: 'dot', perMille: 1, reaction: () => refuse('554 5.7.1 Message looks like spam') },
  { stage: 'dot', perMille: 3, reaction: always(drop) },
  { stage: 'dot', perMille: 3, reaction: always(acceptThen(drop)) },
  { stage: 'dot', perMille: 3, reaction: always(acceptThen(reset)) },
  { stage: 'dot', perMille: 2, reaction: always(acceptThen(partial('25'))) },
  { stage: 'dot', perMille: 2, reaction: always(partial('250 2.0.0 Ok')) },
  {
    stage: 'dot',
    perMille: 6,
    reaction: () => acceptThen(delay(chance.between(500, 8_000), '250 2.0.0 Ok, late')),
  },
  { stage: 'dot', perMille: 4, reaction: () => acceptThen(delay(chance.between(500, 8_000), drop)) },
  { stage: 'rset', perMille: 20, reaction: always(drop) },
];

for (const { stage, perMille, reaction } of calm ? [] : usual) {
  provider.on(
    stage,
    (moment) => {
      mishaps++;
      const chosen = reaction();
      return typeof chosen === 'function' ? chosen(moment) : chosen;
    },
    { when: () => chance.happens(perMille / 1_000) },
  );
}

/** Now and then something happens to the provider as a whole. */
const blows: readonly (() => Promise<void>)[] = [
  async () => provider.hangUp(),
  () => closed('implicit'),
  () => closed('starttls'),
  () => closed(),
  // Takes everything and says nothing: the worst there is, because SMTP cannot tell it from a failure.
  async () => {
    const rule = provider.on('dot', acceptThen(drop));
    await pause(chance.between(200, 1_500));
    rule.remove();
  },
];

async function closed(mode?: 'implicit' | 'starttls'): Promise<void> {
  await provider.shut(mode);
  await pause(chance.between(500, 5_000));
  await provider.open(mode);
}

async function misbehave(): Promise<void> {
  while (!calm) {
    await pause(chance.between(3_000, 10_000));
    if (calm) return;
    mishaps++;
    await chance.pick(blows)();
  }
}

const tell = (told: FromProvider) => process.send?.(told);
process.on('message', (asked: ToProvider) => {
  if (asked === 'behave') {
    calm = true;
    provider.behave();
    return;
  }
  const taken = provider.messages.flatMap(({ envelope, sha256 }) =>
    envelope.recipients.map((recipient) => ({ recipient, sha256 })),
  );
  tell({
    kind: 'account',
    taken,
    refusedForGood: [...refusedForGood],
    mishaps,
    peakConnections: provider.peakConnections,
    mostCarrying,
    overLimit,
  });
});
// The ledger is gone: nobody will ask any more.
process.on('disconnect', () => process.exit());

tell({ kind: 'ready', environment: provider.environment() });
await misbehave();
