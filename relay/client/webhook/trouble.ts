// Endpoints that need a person: disabled by what they answered, or failing for a while.
import type { Queryable } from '../../../deploy/database.ts';

export type TroubledWebhook = {
  readonly id: string;
  readonly description: string | null;
  /** Null while it is enabled, and fails. */
  readonly disabledCause: 'gone' | 'failing' | null;
  readonly failingSince: Date | null;
};

/** An application that starts again is no trouble. */
const patience = '10 minutes';

const columns = `id, description, disabled_cause as "disabledCause", failing_since as "failingSince"`;

export async function readTroubledWebhooks(q: Queryable): Promise<TroubledWebhook[]> {
  const { rows } = await q.query<TroubledWebhook>(
    `select ${columns} from webhook
     where deleted_at is null
       and (disabled_cause in ('gone', 'failing') or (state = 'enabled' and failing_since < now() - interval '${patience}'))
     order by id`,
  );
  return rows;
}

/** Those that were disabled and that nobody was told of: each is answered to one caller only. */
export async function takeDisabledWebhooks(q: Queryable): Promise<TroubledWebhook[]> {
  const { rows } = await q.query<TroubledWebhook>(
    `update webhook set told_at = now()
     where deleted_at is null and disabled_cause in ('gone', 'failing') and told_at is null
     returning ${columns}`,
  );
  return rows;
}

const nameOf = ({ id, description }: TroubledWebhook) => (description ? `${id} (${description})` : id);

/** What it is, and what to do, each as a sentence. */
export function describeTrouble(webhook: TroubledWebhook): { title: string; fix: string } {
  const { id, disabledCause, failingSince } = webhook;
  const since = failingSince ? ` since ${failingSince.toISOString().slice(0, 16).replace('T', ' ')} UTC` : '';
  if (disabledCause === null) {
    return {
      title: `The webhook ${nameOf(webhook)} has failed${since}. Its events are kept and tried again.`,
      fix: `GET /api/v1/webhooks/${id}/deliveries shows what it answered. After three days it is disabled.`,
    };
  }
  const enable = `PATCH /api/v1/webhooks/${id} with {"enabled": true} enables it.`;
  return disabledCause === 'gone'
    ? {
        title: `The webhook ${nameOf(webhook)} is disabled: it answered 410 (Gone). No events are written for it.`,
        fix: `Delete it, or correct the receiver. ${enable}`,
      }
    : {
        title: `The webhook ${nameOf(webhook)} is disabled: no attempt has succeeded${since}. It still collects events.`,
        fix: `Correct the receiver, within 14 days of the first event that is waiting. ${enable}`,
      };
}
