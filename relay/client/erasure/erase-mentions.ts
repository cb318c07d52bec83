// What names a person without being written to them: mail to others, and whatever else the list of tables knows
// (personal.ts). In mail that the relay has, nothing can be changed before it is over.
import { randomUUID } from 'node:crypto';
import type { Queryable } from '../../../deploy/database.ts';
import { erasedAddress, type Person } from './person.ts';
import { mailTables } from './personal.ts';
import { inPage, listWithout, pagesOf, redactTable } from './redact.ts';

export type Mentions = {
  /** Attachments whose name or bytes tell the address. */
  readonly attachments: readonly { readonly emailId: string; readonly ordinal: number }[];
  /** Messages of other applications whose bytes do. */
  readonly messages: readonly string[];
};

/** Looks through all bytes that are kept; changes nothing. */
export async function findMentions(tx: Queryable, person: Person): Promise<Mentions> {
  return {
    attachments: await findAttachments(tx, person),
    messages: await findMessages(tx, person),
  };
}

/** Erases what can be changed now, and answers how many mails to others name the person and are on their way. */
export async function eraseMentions(
  tx: Queryable,
  person: Person,
  { attachments, messages }: Mentions,
): Promise<number> {
  await tx.query(
    `update recipient t set address = $2
     where lower(t.address) = any($1)
       and not exists (select from recipient r where r.queue_id = t.queue_id and r.finished_at is null)`,
    [person.spellings, erasedAddress],
  );
  await eraseXtext(tx, person);
  const changed = new Set(await eraseAttachments(tx, attachments));
  for (const [name, table] of Object.entries(mailTables)) {
    const keys = await redactTable(tx, person, name, table);
    if (name === 'email') for (const id of keys) changed.add(id);
  }
  for (const id of await eraseKeysAndAddresses(tx, person)) changed.add(id);
  await tx.query(
    `delete from message_part where queue_id in (
       select queue_id from email where id = any($1) and finished_at is not null)`,
    [[...changed]],
  );
  return (await eraseMessages(tx, person, messages)) + (await countOnTheirWay(tx, person));
}

/** What submitters said in xtext (RFC 3461 section 4), where `+` and `=` are written as +2B and +3D. */
async function eraseXtext(tx: Queryable, { pattern }: Person): Promise<void> {
  for (const [table, column] of [
    ['recipient', 'orcpt'],
    ['message', 'envid'],
  ] as const) {
    await tx.query(
      `update ${table} t set ${column} = null
       where t.${column} is not null and replace(replace(t.${column}, '+2B', '+'), '+3D', '=') ~* $1
         and not exists (select from recipient r where r.queue_id = t.queue_id and r.finished_at is null)`,
      [pattern],
    );
  }
}

/** The columns of an email that are neither words nor documents. */
async function eraseKeysAndAddresses(tx: Queryable, person: Person): Promise<string[]> {
  const { rows: forms } = await tx.query<{ client_id: string }>(
    'select client_id from client_email_config where client_id ~* $1 for update',
    [person.pattern],
  );
  for (const { client_id: clientId } of forms) {
    const erased = `erased-${randomUUID()}`;
    await tx.query('update client_email_config set client_id = $2 where client_id = $1', [clientId, erased]);
    await tx.query('update email set client_id = $2 where client_id = $1', [clientId, erased]);
  }
  const changed: string[] = [];
  for await (const { after, last } of pagesOf(tx, 'email', mailTables.email)) {
    const { rows } = await tx.query<{ id: string }>(
      `update email t set
         reply_to = ${listWithout('reply_to', '$5')},
         client_id = regexp_replace(t.client_id, $3, '\\1' || $6, 'gi'),
         entry_key = regexp_replace(t.entry_key, $3, '\\1' || $6, 'gi'),
         from_address = case when t.finished_at is null then t.from_address
           else regexp_replace(t.from_address, $3, $4, 'gi') end,
         message_id = case when t.finished_at is null then t.message_id
           else regexp_replace(t.message_id, $3, $4, 'gi') end,
         ${mailTables.email.also}
       where ${inPage(mailTables.email)} and ${mailTables.email.only}
         and (t.reply_to::text ~* $3 or t.client_id ~* $3 or t.entry_key ~* $3
           or t.finished_at is not null and (t.from_address ~* $3 or t.message_id ~* $3))
       returning t.id`,
      [
        after,
        last,
        person.pattern,
        String.raw`\1${erasedAddress}`,
        person.spellings,
        `erased-${randomUUID()}`,
      ],
    );
    changed.push(...rows.map(({ id }) => id));
  }
  return changed;
}

const pieceBytes = 256 * 1024;

async function findAttachments(tx: Queryable, person: Person): Promise<Mentions['attachments']> {
  const found: { emailId: string; ordinal: number }[] = [];
  for await (const { after, last } of pagesOf(tx, 'email_attachment', mailTables.email_attachment, 200)) {
    const { rows } = await tx.query<{ emailId: string; ordinal: number; named: boolean }>(
      // A name that ends in .txt would make another domain of the address, so here it is enough that it begins.
      `select t.email_id as "emailId", t.ordinal, exists (
         select from unnest($3::text[]) as spelling
         where strpos(lower(concat_ws(' ', t.filename, t.content_id)), spelling) > 0) as named
       from email_attachment t where ${inPage(mailTables.email_attachment)}`,
      [after, last, person.spellings],
    );
    for (const { emailId, ordinal, named } of rows) {
      if (named || (await isInAttachment(tx, person, [emailId, ordinal]))) found.push({ emailId, ordinal });
    }
  }
  return found;
}

async function isInAttachment(tx: Queryable, person: Person, key: readonly unknown[]): Promise<boolean> {
  let tail: Buffer = Buffer.alloc(0);
  for (let from = 1; ; from += pieceBytes) {
    const { rows } = await tx.query<{ piece: Buffer }>(
      'select substring(content from $3 for $4) as piece from email_attachment where email_id = $1 and ordinal = $2',
      [...key, from, pieceBytes],
    );
    const piece = rows[0]?.piece;
    if (!piece || piece.length === 0) return false;
    if (person.isIn(Buffer.concat([tail, piece]))) return true;
    tail = lastLines(piece);
  }
}

/** Of mail that is over or has not left; the mails they were of. */
async function eraseAttachments(tx: Queryable, found: Mentions['attachments']): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `delete from email_attachment a
     using unnest($1::uuid[], $2::int[]) as found (email_id, ordinal), email e
     where a.email_id = found.email_id and a.ordinal = found.ordinal and e.id = a.email_id
       and (e.finished_at is not null or e.queue_id is null)
     returning a.email_id as id`,
    [found.map(({ emailId }) => emailId), found.map(({ ordinal }) => ordinal)],
  );
  return rows.map(({ id }) => id);
}

async function findMessages(tx: Queryable, person: Person): Promise<string[]> {
  const found = new Set<string>();
  let before: { queueId: string; tail: Buffer } | undefined;
  for await (const { after, last } of pagesOf(tx, 'message_part', mailTables.message_part, 200)) {
    const { rows } = await tx.query<{ queue_id: string; part: number }>(
      `select t.queue_id, t.part from message_part t join message m on m.queue_id = t.queue_id
       where ${inPage(mailTables.message_part)} and m.email_id is null order by t.queue_id, t.part`,
      [after, last],
    );
    for (const { queue_id: queueId, part } of rows) {
      if (found.has(queueId)) continue;
      // One at a time: a part has up to 256 KB.
      const { rows: parts } = await tx.query<{ content: Buffer }>(
        'select content from message_source($1, $2)',
        [queueId, part],
      );
      const content = parts[0]?.content ?? Buffer.alloc(0);
      const bytes = before?.queueId === queueId ? Buffer.concat([before.tail, content]) : content;
      if (person.isIn(bytes)) found.add(queueId);
      before = { queueId, tail: lastLines(content) };
    }
  }
  return [...found];
}

/** Deletes the bytes of those that are over, and answers how many of the others are not to the person. */
async function eraseMessages(tx: Queryable, person: Person, queueIds: readonly string[]): Promise<number> {
  const { rows } = await tx.query<{ queue_id: string; over: boolean; to_person: boolean }>(
    `select queue_id, bool_and(finished_at is not null) as over, bool_or(lower(address) = any($2)) as to_person
     from recipient where queue_id = any($1) group by queue_id`,
    [queueIds, person.spellings],
  );
  await tx.query('delete from message_part where queue_id = any($1)', [
    rows.filter(({ over }) => over).map(({ queue_id }) => queue_id),
  ]);
  return rows.filter(({ over, to_person }) => !over && !to_person).length;
}

/** The end of a piece, from the beginning of a line: an address may go on in the next piece, and base64 counts by lines. */
function lastLines(piece: Buffer): Buffer {
  const tail = piece.subarray(-2_000);
  const lineEnd = tail.indexOf('\n');
  return lineEnd < 0 ? tail : tail.subarray(lineEnd + 1);
}

/** Emails to others that name the person and that the relay has, or that have the person as their sender. */
async function countOnTheirWay(tx: Queryable, person: Person): Promise<number> {
  let count = 0;
  for await (const { after, last } of pagesOf(tx, 'email', mailTables.email)) {
    const { rows } = await tx.query<{ emails: number }>(
      `select count(*)::integer as emails from email t
       where ${inPage(mailTables.email)} and t.finished_at is null
         and concat_ws(' ', t.from_address, t.from_name, t.reply_to, t.subject, t.text_body, t.html_body, t.headers)
           ~* $3
         and not exists (
           select from jsonb_array_elements(t.recipients) r where lower(r ->> 'address') = any($4))`,
      [after, last, person.pattern, person.spellings],
    );
    count += rows[0]?.emails ?? 0;
  }
  return count;
}
