// What a person does to mail, one by one or to all that a search finds. Every act is one of relay/client's fenced
// changes, so an act that comes too late changes nothing and says so.
import type { Database, Queryable } from '../../deploy/database.ts';
import {
  cancelEmailWithin,
  cancelSubmittedWithin,
  submittedStatus,
} from '../../relay/client/outbox/cancel.ts';
import { editEmail } from '../../relay/client/outbox/edit.ts';
import {
  type Resolution,
  resolveEmailWithin,
  resolveSubmittedWithin,
} from '../../relay/client/outbox/resolve.ts';
import { retryEmailWithin, retrySubmittedWithin } from '../../relay/client/outbox/retry.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { namedPerson } from '../audit/actor.ts';
import { differenceOf, readState } from '../audit/state.ts';
import { writeEntry } from '../audit/write.ts';
import { actorOfPerson, type Person } from '../people/role.ts';
import { isEmailId } from './place.ts';

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

type Wanted = { readonly act: Act; readonly actor: string };

/** As the audit list names them. */
const names: Readonly<Record<Act, string>> = {
  retry: 'retry-email',
  cancel: 'cancel-email',
  hold: 'hold-email',
  release: 'release-email',
  'send-now': 'send-email-now',
  'resolve-sent': 'resolve-email',
  'resolve-resend': 'resolve-email',
  'resolve-cancelled': 'resolve-email',
};

/** Does it to one mail, of the api or of SMTP; what cannot be done any more is an answer, not an error. */
export function act(database: Database, id: string, wanted: Act, person: Person): Promise<ActResult> {
  const kind = isEmailId(id) ? 'email' : 'message';
  const asked = { act: wanted, actor: actorOfPerson(person) };
  return database.transaction(async (tx) => {
    const before = await readState(tx, kind, id);
    const result = await (kind === 'email' ? actOnEmail(tx, id, asked) : actOnSubmitted(tx, id, asked));
    if (result.outcome !== 'done') return result;
    await writeEntry(tx, {
      actor: namedPerson(person),
      act: names[wanted],
      object: { kind, id },
      ...differenceOf(before, await readState(tx, kind, id)),
    });
    return result;
  });
}

async function actOnEmail(tx: Queryable, id: string, { act: wanted, actor }: Wanted): Promise<ActResult> {
  switch (wanted) {
    case 'retry':
      return resultOf(await retryEmailWithin(tx, id, actor), 'retried');
    case 'cancel':
      return resultOf(await cancelEmailWithin(tx, id, actor), 'cancelled', 'already-cancelled');
    case 'hold':
      return edit(tx, id, { paused: true }, actor);
    case 'release':
      return edit(tx, id, { paused: false }, actor);
    case 'send-now':
      return edit(tx, id, { dueAt: 'now', paused: false }, actor);
    default:
      return resultOf(await resolveEmailWithin(tx, id, resolutions[wanted], actor), 'resolved');
  }
}

const resolutions: Readonly<Record<`resolve-${Resolution}`, Resolution>> = {
  'resolve-sent': 'sent',
  'resolve-resend': 'resend',
  'resolve-cancelled': 'cancelled',
};

async function actOnSubmitted(
  tx: Queryable,
  queueId: string,
  { act: wanted, actor }: Wanted,
): Promise<ActResult> {
  switch (wanted) {
    case 'retry':
      return resultOf(await retrySubmittedWithin(tx, queueId, actor), 'retried');
    case 'cancel':
      return resultOf(await cancelSubmittedWithin(tx, queueId, actor), 'cancelled', 'already-cancelled');
    case 'hold':
    case 'release':
    case 'send-now': {
      // The relay took it to send it; nothing of it waits for a time.
      const status = await submittedStatus(tx, queueId);
      return status === undefined ? { outcome: 'unknown', status: null } : { outcome: 'too-late', status };
    }
    default:
      return resultOf(await resolveSubmittedWithin(tx, queueId, resolutions[wanted], actor), 'resolved');
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
  tx: Queryable,
  id: string,
  changes: Parameters<typeof editEmail>[2],
  actor: string,
): Promise<ActResult> {
  const result = await editEmail(tx, id, changes, { actor });
  if (result.outcome === 'unknown') return { outcome: 'unknown', status: null };
  return { outcome: result.outcome === 'updated' ? 'done' : 'too-late', status: result.email.status };
}
