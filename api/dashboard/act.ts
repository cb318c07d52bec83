// What a person does to mail, one by one or to all that a search finds. Every act is one of relay/client's fenced
// changes, so an act that comes too late changes nothing and says so.
import type { Database } from '../../deploy/database.ts';
import { cancelEmail } from '../../relay/client/outbox/cancel.ts';
import { editEmail } from '../../relay/client/outbox/edit.ts';
import { resolveEmail } from '../../relay/client/outbox/resolve.ts';
import { retryEmail } from '../../relay/client/outbox/retry.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { administrator } from './session.ts';

export const acts = [
  'retry',
  'cancel',
  'hold',
  'release',
  'send-now',
  'resolve-sent',
  'resolve-resend',
  'resolve-cancelled',
] as const;

export type Act = (typeof acts)[number];

export type ActResult = {
  readonly outcome: 'done' | 'too-late' | 'unknown';
  readonly status: Status | null;
};

const actor = administrator.id;

/** Does it to one email; what cannot be done any more is an answer, not an error. */
export async function act(database: Database, id: string, wanted: Act): Promise<ActResult> {
  switch (wanted) {
    case 'retry':
      return resultOf(await retryEmail(database, id, actor), 'retried');
    case 'cancel':
      return resultOf(await cancelEmail(database, id, actor), 'cancelled', 'already-cancelled');
    case 'resolve-sent':
      return resultOf(await resolveEmail(database, id, 'sent', actor), 'resolved');
    case 'resolve-resend':
      return resultOf(await resolveEmail(database, id, 'resend', actor), 'resolved');
    case 'resolve-cancelled':
      return resultOf(await resolveEmail(database, id, 'cancelled', actor), 'resolved');
    case 'hold':
      return edit(database, id, { paused: true });
    case 'release':
      return edit(database, id, { paused: false });
    case 'send-now':
      return edit(database, id, { dueAt: 'now', paused: false });
  }
}

function resultOf(
  result: { readonly outcome: string; readonly status?: Status },
  ...good: readonly string[]
): ActResult {
  if (result.outcome === 'unknown') return { outcome: 'unknown', status: null };
  return { outcome: good.includes(result.outcome) ? 'done' : 'too-late', status: result.status ?? null };
}

async function edit(
  database: Database,
  id: string,
  changes: Parameters<typeof editEmail>[2],
): Promise<ActResult> {
  const result = await database.transaction((tx) => editEmail(tx, id, changes, { actor }));
  if (result.outcome === 'unknown') return { outcome: 'unknown', status: null };
  return { outcome: result.outcome === 'updated' ? 'done' : 'too-late', status: result.email.status };
}
