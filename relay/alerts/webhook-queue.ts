// The alerts that wait for the webhook: posted in their order, one at a time, signed, and tried again for an hour.
import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../deploy/log.ts';
import { post } from './post.ts';

/** An alert on its way to the webhook: every attempt has the same id, so that a receiver can tell a repeat. */
type Posting = { readonly id: string; readonly body: string; readonly kind: string; readonly since: number };

export type WebhookWaits = {
  readonly answerMs: number;
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  /** An alert that the webhook has not taken by then is given up. */
  readonly giveUpMs: number;
  /** What a stopping process spends on alerts that are still waiting. */
  readonly stopMs: number;
};

export const usualWaits: WebhookWaits = {
  answerMs: 10_000,
  firstRetryMs: 5_000,
  longestRetryMs: 5 * 60_000,
  giveUpMs: 60 * 60_000,
  stopMs: 2_000,
};

/** Alerts that wait for the webhook at most; when there are more the oldest is given up. */
const mostWaiting = 100;

export type WebhookQueue = AsyncDisposable & {
  /** Never fails and never waits. */
  add(kind: string, body: string): void;
};

type Opening = {
  readonly log: Log;
  readonly url: string;
  readonly secret: string | undefined;
  readonly relayPassword: string;
  readonly now: () => Date;
  readonly waits: WebhookWaits;
  /** Called for each alert that did not reach the webhook. */
  readonly lost: () => void;
};

// Long because its small functions share what waits and what is under way.
export function openWebhookQueue({
  log,
  url,
  secret,
  relayPassword,
  now,
  waits,
  lost,
}: Opening): WebhookQueue {
  const waiting: Posting[] = [];
  const stopping = new AbortController();
  let posting = Promise.resolve();
  let isPosting = false;

  async function postAll(): Promise<void> {
    let waitMs = waits.firstRetryMs;
    for (let next = waiting[0]; next; next = waiting[0]) {
      const why = await attempt(next, AbortSignal.timeout(waits.answerMs));
      // It may have had to make room meanwhile.
      if (waiting[0] !== next) continue;
      if (why === undefined) {
        waiting.shift();
        waitMs = waits.firstRetryMs;
      } else if (stopping.signal.aborted) {
        return;
      } else if (performance.now() - next.since > waits.giveUpMs) {
        giveUp(waiting.shift(), why);
      } else {
        log.warn(
          { event: 'alert-webhook', kind: next.kind, why },
          'The alert webhook did not accept an alert',
        );
        await pause(waitMs, undefined, { signal: stopping.signal }).catch(() => {});
        waitMs = Math.min(waitMs * 2, waits.longestRetryMs);
        if (stopping.signal.aborted) return;
      }
    }
  }

  function giveUp(one: Posting | undefined, why: string): void {
    if (!one) return;
    lost();
    log.error({ event: 'alert-lost', kind: one.kind, why }, 'An alert did not reach the webhook');
  }

  /** @returns why the webhook did not take it; undefined when it did */
  async function attempt({ id, body }: Posting, signal: AbortSignal): Promise<string | undefined> {
    try {
      const headers = {
        'content-type': 'application/json',
        ...signatures({ secret, relayPassword }, { id, body, at: now() }),
      };
      const status = await post(url, { headers, body, signal });
      return status >= 200 && status <= 299 ? undefined : `it answered ${status}`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  return {
    add(kind, body) {
      waiting.push({ id: `alert_${randomUUID()}`, body, kind, since: performance.now() });
      if (waiting.length > mostWaiting) giveUp(waiting.shift(), 'too many wait');
      if (isPosting) return;
      isPosting = true;
      posting = postAll().finally(() => {
        isPosting = false;
      });
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      const deadline = AbortSignal.timeout(waits.stopMs);
      const late = new Promise((resolve) => deadline.addEventListener('abort', resolve, { once: true }));
      await Promise.race([posting, late]);
      for (const one of waiting.splice(0)) {
        const why = deadline.aborted ? 'this relay stopped' : await attempt(one, deadline);
        if (why !== undefined) giveUp(one, why);
      }
    },
  };
}

function signatures(
  { secret, relayPassword }: Pick<Opening, 'secret' | 'relayPassword'>,
  { id, body, at }: { id: string; body: string; at: Date },
): Record<string, string> {
  // Of this attempt: a receiver refuses what is older than five minutes.
  const seconds = Math.floor(at.getTime() / 1_000);
  const old = createHmac('sha256', relayPassword).update(`${seconds}.${body}`).digest('hex');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    ...(secret !== undefined && {
      'webhook-signature': `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${seconds}.${body}`).digest('base64')}`,
    }),
    'x-postern-signature': `t=${seconds},v1=${old}`,
  };
}

/** The bytes of the key: Standard Webhooks writes them in base64 behind `whsec_`. */
const keyOf = (secret: string) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
