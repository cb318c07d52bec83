// Telling people that mail is stuck, by ways that mail does not take: a line in the log, and a webhook.
import { createHmac } from 'node:crypto';
import type { Log } from '../../deploy/log.ts';
import type { Stage } from '../client/vocabulary.ts';
import { type Cause, catalogue } from '../verdict/catalogue.ts';
import { explain, type Surroundings } from '../verdict/explain.ts';

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

const patienceMs = 10_000;

/** How to fix a cause, in words; empty when there is nothing to do about it. */
export function fixFor(cause: string, surroundings: Pick<Surroundings, 'host' | 'platform'> = {}): string {
  if (!Object.hasOwn(catalogue, cause)) return '';
  const { fix, where } = explain(cause as Cause, surroundings);
  return where === null ? fix : `${fix} ${where}`;
}

/**
 * Opens the way for alerts. Sending never fails and never waits for the webhook; a webhook that does not take an
 * alert is mentioned in the log.
 *
 * The webhook gets `X-Postern-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY` with RELAY_PASSWORD.
 */
export function openAlerts({
  log,
  url,
  secret,
  surroundings = () => ({}),
  now = () => new Date(),
}: {
  log: Log;
  url?: string | undefined;
  secret: string;
  /** What the advice depends on, by the name of the provider. */
  surroundings?: (lane: string) => Pick<Surroundings, 'host' | 'platform'>;
  now?: () => Date;
}): (alert: Alert) => void {
  return (alert) => {
    const fix = fixFor(alert.cause, surroundings(alert.lane));
    const recovered = alert.kind === 'lane-open' || alert.kind === 'sender-free';
    log[recovered ? 'info' : 'error'](
      { event: 'alert', ...alert, fix },
      `Mail alert: ${alert.kind}: ${alert.cause}`,
    );
    if (url === undefined) return;
    const body = JSON.stringify({ ...alert, fix, at: now().toISOString() });
    const seconds = Math.floor(now().getTime() / 1_000);
    const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-postern-signature': `t=${seconds},v1=${signature}` },
      body,
      // An alert goes where the operator said, not where somebody sends it on to.
      redirect: 'error',
      signal: AbortSignal.timeout(patienceMs),
    })
      .then(({ ok, status }) => {
        if (!ok) log.warn({ event: 'alert-webhook', status }, 'The alert webhook did not take the alert');
      })
      .catch((error) =>
        log.warn({ event: 'alert-webhook', err: error }, 'The alert webhook could not be reached'),
      );
  };
}
