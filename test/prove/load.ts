// The load of a run: applications that submit over SMTP and clients of the API.
import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from '../kit/stack.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { openRequests } from './ask.ts';
import type { Chance } from './chance.ts';
import { openSubmissions } from './submit.ts';

export type Senders = {
  readonly stack: Stack;
  readonly chance: Chance;
  readonly acknowledgements: Acknowledgements;
  /** The address all mail is from. */
  readonly sender: string;
  readonly submitters: number;
  readonly askers: number;
  /** Ends it at once: what nobody has answered by then stays unanswered. */
  readonly signal: AbortSignal;
};

/** Sends one mail; the number is the mail's own. Resolves when it has been acknowledged or refused. */
export type Send = (number: number) => Promise<void>;

export type LoadWishes = Senders & {
  readonly messages: number;
  /** Mails a second. */
  readonly rate: number;
};

/** Sends all mails at their rate, until `signal`; resolves when each has been acknowledged or refused. */
export async function load(wishes: LoadWishes): Promise<void> {
  const { messages, rate, signal } = wishes;
  const began = performance.now();
  let next = 0;
  await withSenders(wishes, async (send) => {
    for (let number = next++; number < messages && !signal.aborted; number = next++) {
      const waitMs = Math.max(0, began + (number / rate) * 1_000 - performance.now());
      await pause(waitMs, undefined, { signal }).catch(() => {});
      await send(number);
    }
  });
}

/** Runs `work` for every submitter and every asker at once. */
export async function withSenders(
  { stack, chance, acknowledgements, sender, submitters, askers, signal }: Senders,
  work: (send: Send) => Promise<void>,
): Promise<void> {
  const { relay, relays, apis } = stack;
  const common = { acknowledgements, signal };
  await Promise.all([
    ...Array.from({ length: submitters }, async (_, index) => {
      await using sessions = openSubmissions({
        ...common,
        ports: relays.map(({ port }) => port),
        ...relay.application,
        sender,
        chance: chance.branch(`submitter ${index}`),
      });
      await work(sessions.submit);
    }),
    ...Array.from({ length: askers }, async (_, index) => {
      const requests = openRequests({ ...common, apis, chance: chance.branch(`asker ${index}`) });
      await work(requests.ask);
      await requests.finished();
    }),
  ]);
}
