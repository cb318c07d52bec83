// An endpoint that was disabled because of its answers is an alert: whoever runs the application behind it hears of
// nothing more, and webhooks cannot say so. The worker disables it and rings; the relay alone knows where alerts go.
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { describeTrouble, takeDisabledWebhooks } from '../client/webhook/trouble.ts';
import type { Alert } from './alerts.ts';

/** Tells of each once, however many relays look. Never rejects. */
export async function tellOfDisabledWebhooks({
  database,
  log,
  alert,
  lane,
}: {
  database: Database;
  log: Log;
  alert: (alert: Alert) => void;
  /** The name of the first provider: an alert has one. */
  lane: string;
}): Promise<void> {
  try {
    for (const webhook of await takeDisabledWebhooks(database)) {
      const words = describeTrouble(webhook);
      alert({
        kind: 'webhook-disabled',
        lane,
        cause: `webhook-${webhook.disabledCause}`,
        stage: 'accepted',
        detail: webhook.id,
        words,
      });
    }
  } catch (error) {
    // The next ring, or the next start, looks again.
    if (!isUnavailable(error)) log.warn({ err: error }, 'Disabled webhooks could not be read');
  }
}
