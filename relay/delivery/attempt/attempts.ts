// The mails that are under way in this process.

import type { ClaimedMail } from '../../policy/claimed-mail.ts';
import type { Background } from '../background.ts';
import type { Lane } from '../lanes/lane.ts';
import { type Agent, type Attempt, deliver } from './agent.ts';

export type Attempts = {
  /** Begins an attempt on a free connection of the lane. */
  start(agent: Agent, lane: Lane, mail: ClaimedMail): void;
  /** The claims of what is under way. */
  tokens(): string[];
  /** How long a connection is busy with one mail, lately, in milliseconds. */
  readonly usualMs: number;
  /** Cuts off what has not reached the dot: it goes back unharmed. */
  interrupt(): void;
  /** Cuts off everything: what has no final reply by now is uncertain. */
  abandon(): void;
};

/** @param freed called when a connection can take the next mail */
export function openAttempts({ follow }: Background, freed: () => void): Attempts {
  const underWay = new Set<Attempt>();
  let usualMs = 100;
  return {
    start(agent, lane, mail) {
      const attempt: Attempt = { mail, dotIsOut: false, session: undefined };
      underWay.add(attempt);
      lane.start();
      const startedAt = performance.now();
      let isFree = false;
      const free = () => {
        if (isFree) return;
        isFree = true;
        usualMs += (performance.now() - startedAt - usualMs) / 16;
        lane.finish();
        freed();
      };
      follow(deliver(agent, lane, attempt, free).finally(() => underWay.delete(attempt)));
    },
    tokens: () => [...underWay].map(({ mail }) => mail.token),
    get usualMs() {
      return usualMs;
    },
    interrupt() {
      for (const { dotIsOut, session } of underWay) if (!dotIsOut) session?.destroy();
    },
    abandon() {
      for (const { session } of underWay) session?.destroy();
    },
  };
}
