// What an audit entry says of a thing: words of fixed lists, numbers and times, and never a name, an address, a secret or
// what a mail says.
import type { Queryable } from '../../deploy/database.ts';

export const objectKinds = [
  'email',
  'message',
  'form',
  'customer',
  'application',
  'template',
  'webhook',
  'suppression',
  'recipient',
  'domain',
  'key',
  'person',
] as const;

/** `message`: mail that came over SMTP. `recipient` and `suppression`: an address. `form`: the mail of a client. */
export type ObjectKind = (typeof objectKinds)[number];

export type State = Readonly<Record<string, unknown>>;

const email = `select status, reason, due_at, paused, revision from email where id = $1::uuid`;
const message = `select min(status) as status from recipient where queue_id = $1`;
const form = `select enabled, jsonb_array_length(recipients) as recipients,
    (select count(*) from email e where e.client_id = c.client_id and e.status = 'pending') as pending
  from client_email_config c where client_id = $1`;
const customer = `select status from customer where id = $1::uuid`;
const application = `select status from application where id = $1::uuid`;
const template = `select updated_at from template where kind = $1`;
const webhook = `select state, disabled_cause, events, deleted_at from webhook where id = $1::uuid`;
const suppression = `select true as listed, reason, expires_at from suppression
  where digest = suppression_digest($1) order by stream limit 1`;
const key = `select scopes, rate_per_minute, cardinality(senders) as senders, per_hour, per_day, expires_at, revoked_at,
    old_secret_until
  from api_key where id = $1::uuid`;
const person = `select role, disabled_at, password_is_initial from dashboard_user where id = $1::uuid`;

/** Nothing when it is not there. */
export async function readState(tx: Queryable, kind: ObjectKind, id: string | undefined): Promise<State> {
  if (id === undefined) return {};
  switch (kind) {
    case 'email':
      return first(await tx.query<State>(email, [id]));
    case 'message':
      return first(await tx.query<State>(message, [id]));
    case 'form':
      return first(await tx.query<State>(form, [id]));
    case 'customer':
      return first(await tx.query<State>(customer, [id]));
    case 'application':
      return first(await tx.query<State>(application, [id]));
    case 'template':
      return first(await tx.query<State>(template, [id]));
    case 'webhook':
      return first(await tx.query<State>(webhook, [id]));
    case 'suppression':
      return first(await tx.query<State>(suppression, [id]));
    case 'key':
      return first(await tx.query<State>(key, [id]));
    case 'person':
      return first(await tx.query<State>(person, [id]));
    default:
      return {};
  }
}

const first = ({ rows }: { rows: readonly State[] }): State => rows[0] ?? {};

/** Only what became different, so that an entry is read at a glance. */
export function differenceOf(before: State, after: State): { before: State; after: State } {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name] ?? null) !== JSON.stringify(after[name] ?? null),
  );
  const of = (state: State) =>
    Object.fromEntries(names.flatMap((name) => (state[name] == null ? [] : [[name, state[name]]])));
  return { before: of(before), after: of(after) };
}
