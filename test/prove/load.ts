// The load of a run: applications that submit over SMTP and clients of the API, all at one rate.
import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from '../kit/stack.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { openRequests } from './ask.ts';
import type { Chance } from './chance.ts';
import { openSubmissions } from './submit.ts';

export type LoadWishes = {
  readonly stack: Stack;
  readonly chance: Chance;
  readonly acknowledgements: Acknowledgements;
  /** The address all mail is from. */
  readonly sender: string;
  readonly messages: number;
  /** Mails a second. */
  readonly rate: number;
  readonly submitters: number;
  readonly askers: number;
  /** Ends it at once: what nobody has answered by then stays unanswered. */
  readonly signal: AbortSignal;
};

/** Sends all mails at their rate, until `signal`; resolves when each has been acknowledged or refused. */
export async function load(wishes: LoadWishes): Promise<void> {
  const { stack, chance, acknowledgements, sender, messages, rate, signal } = wishes;
  const { relay, relays, apis } = stack;
  const began = performance.now();
  let next = 0;
  const run = async (send: (number: number) => Promise<void>) => {
    for (let number = next++; number < messages && !signal.aborted; number = next++) {
      const waitMs = Math.max(0, began + (number / rate) * 1_000 - performance.now());
      await pause(waitMs, undefined, { signal }).catch(() => {});
      await send(number);
    }
  };
  const common = { acknowledgements, signal };
  await Promise.all([
    ...Array.from({ length: wishes.submitters }, async (_, index) => {
      await using sessions = openSubmissions({
        ...common,
        ports: relays.map(({ port }) => port),
        ...relay.application,
        sender,
        chance: chance.branch(`submitter ${index}`),
      });
      await run(sessions.submit);
    }),
    ...Array.from({ length: wishes.askers }, async (_, index) => {
      const requests = openRequests({ ...common, apis, chance: chance.branch(`asker ${index}`) });
      await run(requests.ask);
      await requests.finished();
    }),
  ]);
}
