// The one list of mail: what the api was asked for and what came over SMTP, newest first.
import type { Queryable } from '../../deploy/database.ts';
import type { EmailKind, Status } from '../../relay/client/vocabulary.ts';
import { behind, inOrder, isEmailId } from './place.ts';
import { countEmails, type Edge, findIds, type MailSearch } from './search.ts';
import { countSubmitted, findSubmittedIds } from './submitted-search.ts';

export type FoundMail = {
  readonly id: string;
  readonly source: 'api' | 'smtp';
  readonly kind: EmailKind | null;
  readonly status: Status;
  readonly reason: string | null;
  /** Null for submitted mail from before subjects were kept. */
  readonly subject: string | null;
  readonly from: string;
  readonly recipients: readonly { readonly address: string; readonly name: string | null }[];
  /** All of them, also those that are not among `recipients`. */
  readonly recipient_count: number;
  readonly created_at: Date;
  readonly due_at: Date | null;
  readonly finished_at: Date | null;
  readonly paused: boolean;
  readonly credential: string | null;
  readonly tags: readonly { readonly name: string; readonly value: string }[];
  readonly stream: string | null;
};

/** An account of RELAY_USERS makes no mail of the api. */
const isOnlySubmitted = ({ source, key }: MailSearch) =>
  source === 'smtp' || (key !== undefined && !isEmailId(key));

/** The relay keeps mail of a key under a name of its own (relay/submission/keys.ts). */
const asSubmitted = (search: MailSearch): MailSearch =>
  search.key !== undefined && isEmailId(search.key) ? { ...search, key: `key:${search.key}` } : search;

/** The newest that match, at most `limit`. */
export async function findMailIds(
  q: Queryable,
  search: MailSearch,
  { limit, after }: Edge,
): Promise<string[]> {
  const edges = after === undefined ? undefined : behind(after);
  const [emails, submitted] = await Promise.all([
    isOnlySubmitted(search) ? [] : findIds(q, search, { limit, after: edges?.email }),
    findSubmittedIds(q, asSubmitted(search), { limit, after: edges?.submitted }),
  ]);
  return [...emails, ...submitted].sort(inOrder).slice(0, limit);
}

export async function findMail(q: Queryable, search: MailSearch, edge: Edge): Promise<FoundMail[]> {
  return readMail(q, await findMailIds(q, search, edge));
}

async function readMail(q: Queryable, ids: readonly string[]): Promise<FoundMail[]> {
  const [emails, submitted] = await Promise.all([
    readEmails(q, ids.filter(isEmailId)),
    readSubmitted(
      q,
      ids.filter((id) => !isEmailId(id)),
    ),
  ]);
  return [...emails, ...submitted].sort((one, other) => inOrder(one.id, other.id));
}

async function readEmails(q: Queryable, ids: readonly string[]): Promise<FoundMail[]> {
  if (ids.length === 0) return [];
  const { rows } = await q.query<FoundMail>({
    name: 'found-emails',
    text: `select id, 'api' as source, kind, status, reason, subject, from_address as "from", recipients,
             jsonb_array_length(recipients) as recipient_count, created_at, due_at, finished_at, paused,
             null as credential, tags, stream
           from email where id = any($1)`,
    values: [ids],
  });
  return rows;
}

// The worst of its recipients says what a message is, as for an email (section 6 of the design).
async function readSubmitted(q: Queryable, ids: readonly string[]): Promise<FoundMail[]> {
  if (ids.length === 0) return [];
  const { rows } = await q.query<FoundMail>({
    name: 'found-submitted',
    text: `select m.queue_id as id, 'smtp' as source, null as kind, coalesce(worst.status, 'sent') as status, worst.reason,
             m.subject, coalesce(nullif(m.header_from, ''), m.sender) as "from",
             coalesce(to_who.recipients, '[]') as recipients, coalesce(to_who.count, 0) as recipient_count,
             m.received_at as created_at, null as due_at,
             case when worst.finished_at is not null then worst.finished_at end as finished_at, false as paused,
             coalesce((select k.name from api_key k where m.credential = 'key:' || k.id), m.credential) as credential, m.tags, m.stream
           from message m
           left join lateral (
             select r.status, r.reason, r.finished_at from recipient r where r.queue_id = m.queue_id
             order by r.status, r.ordinal limit 1
           ) worst on true
           left join lateral (
             select jsonb_agg(jsonb_build_object('address', r.address, 'name', null) order by r.ordinal)
                      filter (where r.ordinal < 3) as recipients,
                    count(*)::integer as count
             from recipient r where r.queue_id = m.queue_id
           ) to_who on true
           where m.queue_id = any($1)`,
    values: [ids],
  });
  return rows;
}

/** How many match, and how far it was counted: as many means "at least". */
export async function countMail(
  q: Queryable,
  search: MailSearch,
): Promise<{ count: number; countedUpTo: number }> {
  const none = { count: 0, countedUpTo: Number.MAX_SAFE_INTEGER };
  const [emails, submitted] = await Promise.all([
    isOnlySubmitted(search) ? none : countEmails(q, search),
    countSubmitted(q, asSubmitted(search)),
  ]);
  const count = emails.count + submitted.count;
  const isMore = emails.count >= emails.countedUpTo || submitted.count >= submitted.countedUpTo;
  return { count, countedUpTo: isMore ? count : Number.MAX_SAFE_INTEGER };
}
