// Mail in quantity, and the one question after every fault: did all that was promised arrive, and arrive once?
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { until } from '../kit/until.ts';
import type { ComposeStack } from './compose.ts';

export type Load = {
  /** Mail that was answered with 202, by its recipient: what must arrive. */
  readonly accepted: ReadonlyMap<string, string>;
  /** What was answered with something else, or not at all: the client knows that it has to ask again. */
  readonly refused: string[];
  /** Resolves when all of it was asked for. */
  readonly finished: Promise<void>;
  /** Resolves when `count` more were accepted, or were answered at all. */
  more(count: number, what?: 'accepted' | 'answered'): Promise<void>;
  /** Ends a load without a number. */
  stop(): Promise<void>;
};

/**
 * Asks for mail, each to a recipient of its own: `mails` of them, or `perSecond` until it is stopped.
 *
 * @param patienceMs how long a client waits for its answer; what it gave up on nobody has promised it
 */
export function startLoad(
  stack: ComposeStack,
  {
    mails = Number.POSITIVE_INFINITY,
    perSecond,
    everyOther,
    name = 'person',
    patienceMs,
  }: {
    mails?: number;
    perSecond?: number;
    everyOther?: 'scheduled';
    name?: string;
    patienceMs?: number | undefined;
  } = {},
): Load {
  const accepted = new Map<string, string>();
  const refused: string[] = [];
  let isStopped = false;

  async function send(number: number): Promise<void> {
    const to = `${name}-${number}@example.com`;
    const isScheduled = everyOther === 'scheduled' && number % 2 === 1;
    const answer = await stack
      .ask(
        'POST',
        '/api/v1/emails',
        {
          to: [to],
          subject: `Mail ${number}`,
          text: `For ${to} only.`,
          ...(isScheduled ? { scheduled_datetime: new Date(Date.now() + 3_000).toISOString() } : {}),
        },
        patienceMs,
      )
      .catch((error: Error) => ({ status: 0, body: error.message }));
    if (answer.status === 202) accepted.set(to, answer.body.id);
    else refused.push(`${to}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`);
  }

  async function run(): Promise<void> {
    const pending = new Set<Promise<void>>();
    for (let number = 0; number < mails && !isStopped; number++) {
      const sending: Promise<void> = send(number).finally(() => pending.delete(sending));
      pending.add(sending);
      if (perSecond) await pause(1_000 / perSecond);
      else if (pending.size >= 10) await Promise.race(pending);
    }
    await Promise.all(pending);
  }

  const finished = run();
  return {
    accepted,
    refused,
    finished,
    async more(count, what = 'accepted') {
      const seen = () => accepted.size + (what === 'answered' ? refused.length : 0);
      const wanted = seen() + count;
      await until(() => seen() >= wanted, {
        what: `${count} more mails to be ${what}`,
        timeoutMs: 60_000,
      }).catch((error: Error) => {
        throw new Error(`${error.message}\nrefused:\n${refused.slice(-5).join('\n')}`);
      });
    },
    async stop() {
      isStopped = true;
      await finished;
    },
  };
}

/** Of a mail whose answer was lost SMTP cannot tell (RFC 1047). There are as many as there were connections. */
const mostUncertain = 5;

/**
 * Waits until the provider has every mail, and holds what it has against what was promised: nothing is lost, and
 * nothing came twice. Mail that was at its final dot when something broke may do either, but then it says so.
 */
export async function expectAllOnce(stack: ComposeStack, accepted: Load['accepted']): Promise<void> {
  const missing = new Set(accepted.keys());
  const uncertain = new Set<string>();
  await until(
    async () => {
      for (const { recipients } of await stack.mails()) for (const each of recipients) missing.delete(each);
      // Asked once the rest is there: each question is a request of its own.
      if (missing.size > mostUncertain) return false;
      for (const recipient of missing) {
        const { body } = await stack.ask('GET', `/api/v1/emails/${accepted.get(recipient)}`);
        if (body.status === 'uncertain' && missing.delete(recipient)) uncertain.add(recipient);
      }
      return missing.size === 0;
    },
    { timeoutMs: 90_000, what: `${accepted.size} mails to arrive` },
  ).catch(async (error: Error) => {
    const [first = ''] = missing;
    const timeline = await stack.ask('GET', `/api/v1/emails/${accepted.get(first)}/events`);
    throw new Error(
      `${error.message}\n${missing.size} missing: ${[...missing].join(', ')}\nthe first: ${JSON.stringify(timeline.body)}`,
    );
  });

  const arrivals = Map.groupBy(
    (await stack.mails()).flatMap(({ recipients }) => recipients),
    (recipient) => recipient,
  );
  expect([...accepted.keys()].filter((recipient) => (arrivals.get(recipient)?.length ?? 0) > 1)).toEqual([]);
}
