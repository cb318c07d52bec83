// Telling people that mail is stuck, by ways that mail does not take: a line in the log, a metric, and a webhook.
import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import type { Stage } from '../client/vocabulary.ts';
import { type FailurePlace, inBrief } from '../verdict/explain.ts';
import { post } from './post.ts';

export type Alert = {
  readonly kind: string;
  /** The provider it is about. */
  readonly lane: string;
  /** Why, as a slug; what it means and how to fix it is in the catalogue. */
  readonly cause: string;
  readonly stage: Stage;
  /** The provider's or the system's own words. */
  readonly detail: string;
  readonly sender?: string;
};

export type Alerts = AsyncDisposable & {
  /** Never fails and never waits. */
  raise(alert: Alert): void;
};

/** An alert on its way to the webhook: every attempt has the same id, so that a receiver can tell a repeat. */
type Posting = { readonly id: string; readonly body: string; readonly kind: string; readonly since: number };

export type TimeLimits = {
  readonly answerMs: number;
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  /** An alert that the webhook has not taken by then is given up. */
  readonly giveUpMs: number;
  /** What a stopping process spends on alerts that are still waiting. */
  readonly stopMs: number;
};

const usualTimeLimits: TimeLimits = {
  answerMs: 10_000,
  firstRetryMs: 5_000,
  longestRetryMs: 5 * 60_000,
  giveUpMs: 60 * 60_000,
  stopMs: 2_000,
};

/** Alerts that wait for the webhook at most; when there are more the oldest is given up. */
const mostWaiting = 100;

/** A reply of a provider can be long, and an alert is read on a telephone. */
const mostDetail = 1_000;

const goodNews = new Set(['lane-open', 'sender-free']);

/**
 * Opens the way for alerts. Alerts reach the webhook in their order, one at a time. One that is not taken is tried again
 * for an hour, also while others wait behind it.
 *
 * @param secret signs in the scheme of Standard Webhooks; without it there is no such signature
 * @param relayPassword signs the header of release 0.1: `X-Postern-Signature: t=SECONDS,v1=HEX`
 */
export function openAlerts({
  log,
  url,
  secret,
  relayPassword,
  metrics,
  place = () => ({}),
  now = () => new Date(),
  patience = usualTimeLimits,
}: {
  log: Log;
  url?: string | undefined;
  secret?: string | undefined;
  relayPassword: string;
  /** Without it nothing is counted. */
  metrics?: Metrics | undefined;
  /** What the advice depends on, by the name of the provider. */
  place?: (lane: string) => Pick<FailurePlace, 'host' | 'platform'>;
  now?: () => Date;
  patience?: TimeLimits;
}): Alerts {
  const count = metrics?.counter({
    name: 'postern_delivery_alerts_total',
    help: 'Faults that somebody was told about.',
    labels: ['kind', 'cause'],
  });
  const lose = metrics?.counter({
    name: 'postern_alerts_lost_total',
    help: 'Alerts that the webhook did not take within an hour, or that had to make room for newer ones.',
  });
  // Known from the start, so that the first one is an increase.
  lose?.({}, 0);
  const waiting: Posting[] = [];
  const stopping = new AbortController();
  let posting = Promise.resolve();
  let isPosting = false;

  function raise(alert: Alert): void {
    count?.({ kind: alert.kind, cause: alert.cause });
    const words = inBrief(alert.cause, place(alert.lane));
    const told = { ...alert, detail: alert.detail.slice(0, mostDetail), ...words };
    log[goodNews.has(alert.kind) ? 'info' : 'error'](
      { event: 'alert', ...told },
      `Mail alert: ${alert.kind}: ${words.title || alert.cause}`,
    );
    if (url === undefined) return;
    const at = now();
    const body = JSON.stringify({ ...told, at: at.toISOString() });
    waiting.push({ id: `alert_${randomUUID()}`, body, kind: alert.kind, since: performance.now() });
    if (waiting.length > mostWaiting) giveUp(waiting.shift(), 'too many wait');
    if (isPosting) return;
    isPosting = true;
    posting = postAll(url).finally(() => {
      isPosting = false;
    });
  }

  async function postAll(to: string): Promise<void> {
    let waitMs = patience.firstRetryMs;
    for (let next = waiting[0]; next; next = waiting[0]) {
      const why = await attempt(to, next, AbortSignal.timeout(patience.answerMs));
      // It may have had to make room meanwhile.
      if (waiting[0] !== next) continue;
      if (why === undefined) {
        waiting.shift();
        waitMs = patience.firstRetryMs;
      } else if (stopping.signal.aborted) {
        return;
      } else if (performance.now() - next.since > patience.giveUpMs) {
        giveUp(waiting.shift(), why);
      } else {
        log.warn({ event: 'alert-webhook', kind: next.kind, why }, 'The alert webhook did not take an alert');
        await pause(waitMs, undefined, { signal: stopping.signal }).catch(() => {});
        waitMs = Math.min(waitMs * 2, patience.longestRetryMs);
        if (stopping.signal.aborted) return;
      }
    }
  }

  function giveUp(lost: Posting | undefined, why: string): void {
    if (!lost) return;
    lose?.();
    log.error({ event: 'alert-lost', kind: lost.kind, why }, 'An alert did not reach the webhook');
  }

  /** @returns why the webhook did not take it; undefined when it did */
  async function attempt(
    to: string,
    { id, body }: Posting,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      const headers = { 'content-type': 'application/json', ...signatures(id, body) };
      const status = await post(to, { headers, body, signal });
      return status >= 200 && status <= 299 ? undefined : `it answered ${status}`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  function signatures(id: string, body: string): Record<string, string> {
    // Of this attempt: a receiver refuses what is older than five minutes.
    const seconds = Math.floor(now().getTime() / 1_000);
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

  return {
    raise,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      const deadline = AbortSignal.timeout(patience.stopMs);
      const late = new Promise((resolve) => deadline.addEventListener('abort', resolve, { once: true }));
      await Promise.race([posting, late]);
      if (url === undefined) return;
      for (const one of waiting.splice(0)) {
        const why = deadline.aborted ? 'this relay stopped' : await attempt(url, one, deadline);
        if (why !== undefined) giveUp(one, why);
      }
    },
  };
}

/** The bytes of the key: Standard Webhooks writes them in base64 behind `whsec_`. */
const keyOf = (secret: string) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
