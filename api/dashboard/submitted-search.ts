// Finding mail that other applications submitted over SMTP: it has no row in email, and its words are in no index. By words,
// tag or status, so many of the newest are looked through; what waits is found however old it is, and so is what is asked
// for by its id.
import type { Queryable } from '../../deploy/database.ts';
import type { Status } from '../../relay/client/vocabulary.ts';
import { firstQueueId } from './place.ts';
import type { Edge, MailSearch } from './search.ts';

const lookedThrough = 5_000;
const countedUpTo = 100_000;

/** The statuses of recipients that are not over, each with an index of its own: one literal for each. */
const waiting: readonly Status[] = ['uncertain', 'held', 'sending', 'deferred', 'queued'];

/** What an email cannot be: nothing that came over SMTP has it. */
const isOnlyOfApi = ({ source, kind, customer, client, statuses }: MailSearch) =>
  source === 'api' ||
  kind !== undefined ||
  customer !== undefined ||
  client !== undefined ||
  (statuses?.length === 1 && statuses[0] === 'pending');

type Parameter = (value: unknown) => string;

/** The newest ids that match, newest first. */
export async function findSubmittedIds(
  q: Queryable,
  search: MailSearch,
  { limit, after }: Edge,
): Promise<string[]> {
  if (isOnlyOfApi(search)) return [];
  const values: unknown[] = [];
  const parameter: Parameter = (value) => `$${values.push(value)}`;
  const behind = after === undefined ? '' : ` and m.queue_id < ${parameter(after)}`;
  const { rows } = await q.query<{ id: string }>(
    `${found(search, parameter, behind)} order by id desc limit ${parameter(limit)}`,
    values,
  );
  return rows.map(({ id }) => id);
}

export async function countSubmitted(
  q: Queryable,
  search: MailSearch,
): Promise<{ count: number; countedUpTo: number }> {
  if (isOnlyOfApi(search)) return { count: 0, countedUpTo };
  const values: unknown[] = [];
  const parameter: Parameter = (value) => `$${values.push(value)}`;
  const { rows } = await q.query<{ found: number }>(
    `select count(*)::integer as found from (${found(search, parameter, '')} limit ${countedUpTo}) counted`,
    values,
  );
  return { count: rows[0]?.found ?? 0, countedUpTo };
}

/** What is told by the row alone is read in order; for the rest, candidates are looked at one by one. */
function found(search: MailSearch, parameter: Parameter, behind: string): string {
  const { text, statuses, tag, cause, stream } = search;
  if (!text?.trim() && !statuses?.length && !tag && !cause && !stream)
    return `select m.queue_id as id from message m where m.email_id is null${ofRow(search, parameter)}${behind}`;
  return `${candidates(search, parameter)}
    select queue_id as id from candidates m where true${behind}${matches(search, parameter)}`;
}

function ofRow({ from, before, key, tag, stream }: MailSearch, parameter: Parameter): string {
  return [
    from && ` and m.queue_id >= ${parameter(firstQueueId(from.getTime()))}`,
    before && ` and m.queue_id < ${parameter(firstQueueId(before.getTime()))}`,
    key && ` and m.credential = ${parameter(key)}`,
    stream && ` and m.stream = ${parameter(stream)}`,
    tag && ` and m.tags @> ${parameter(JSON.stringify([tag]))}::jsonb`,
  ]
    .filter(Boolean)
    .join('');
}

/** The newest in that time, those that are named by an id, and all that wait when those are asked for. */
function candidates(search: MailSearch, parameter: Parameter): string {
  const { statuses, text } = search;
  const conditions = ofRow(search, parameter);
  const columns = 'm.queue_id, m.credential, m.sender, m.header_from, m.message_id, m.subject';
  const wanted = waiting.filter((status) => statuses?.includes(status));
  const isAllWaiting = statuses?.length === wanted.length && wanted.length > 0;
  const newest = `(select ${columns} from message m where m.email_id is null${conditions} order by m.queue_id desc limit ${lookedThrough})`;
  const sets = [
    ...(isAllWaiting ? [] : [newest]),
    ...wanted.map(
      (status) => `(select ${columns} from message m where m.email_id is null${conditions} and m.queue_id in (
        select r.queue_id from recipient r where r.status = '${status}' and r.email_id is null limit ${lookedThrough}))`,
    ),
  ];
  if (text?.trim()) {
    const id = parameter(text.trim());
    sets.push(
      `(select ${columns} from message m where m.email_id is null${conditions} and m.queue_id = ${parameter(text.trim().toUpperCase())})`,
      `(select ${columns} from message m where m.email_id is null${conditions}
        and hashtextextended(m.message_id, 0) = hashtextextended(${id}, 0) and m.message_id = ${id})`,
    );
  }
  return `with candidates as materialized (${sets.join('\n union ')})`;
}

function matches({ statuses, text, cause }: MailSearch, parameter: Parameter): string {
  let conditions = '';
  if (cause)
    conditions += ` and (select r.reason from recipient r where r.queue_id = m.queue_id
      order by r.status, r.ordinal limit 1) = ${parameter(cause)}`;
  if (statuses?.length)
    conditions += ` and (select min(r.status) from recipient r where r.queue_id = m.queue_id) = any(${parameter(statuses)}::mail_status[])`;
  for (const word of (text ?? '').split(/\s+/).filter(Boolean).slice(0, 10)) {
    const like = parameter(`%${word.replaceAll(/[\\%_]/g, '\\$&')}%`);
    conditions += ` and (m.subject ilike ${like} or m.sender ilike ${like} or m.header_from ilike ${like}
      or m.message_id ilike ${like} or m.queue_id ilike ${like} or m.credential ilike ${like}
      or exists (select from api_key k where m.credential = 'key:' || k.id and k.name ilike ${like})
      or exists (select from recipient r where r.queue_id = m.queue_id and r.address ilike ${like}))`;
  }
  return conditions;
}
