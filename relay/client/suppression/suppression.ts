// The list of those who are not written to. Every address is looked up by a digest under a key of the database, so that
// an entry can outlast the erasure of its person.
import { domainToASCII, domainToUnicode } from 'node:url';
import type { Queryable } from '../../../deploy/database.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';

export const suppressionReasons = ['manual', 'bounce', 'complaint', 'unsubscribe'] as const;

export type SuppressionReason = (typeof suppressionReasons)[number];

/** How it came onto the list: over the API, from a file, by a reply of the provider, by a report in the mailbox. */
export const suppressionSources = ['api', 'import', 'reply', 'report'] as const;

export type Suppression = {
  readonly id: string;
  readonly address: string;
  /** Null when it is for all mail. */
  readonly stream: string | null;
  readonly reason: SuppressionReason;
  readonly source: (typeof suppressionSources)[number];
  readonly cause: string | null;
  readonly sourceEmailId: string | null;
  readonly sourceQueueId: string | null;
  readonly reply: string | null;
  readonly note: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
};

const columns = `s.id, s.address, nullif(s.stream, '') as stream, s.reason, s.source, s.cause,
  s.source_email_id as "sourceEmailId", s.source_queue_id as "sourceQueueId", s.reply, s.note,
  s.created_at as "createdAt", s.expires_at as "expiresAt"`;

/** Only the letters of ASCII, and those of the domain, have no case (RFC 5321 section 2.4). */
function spellingsOf(address: string): { readonly ascii: string; readonly unicode: string | null } {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at).replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
  const domain = address.slice(at + 1);
  // What is no name, such as [192.0.2.1], stays as it is.
  const ascii = `${local}@${domainToASCII(domain) || domain.toLowerCase()}`;
  const unicode = `${local}@${domainToUnicode(domain) || domain.toLowerCase()}`;
  return { ascii, unicode: unicode === ascii ? null : unicode };
}

/** The first one with its domain in ASCII, the second in letters of its language, where it has some. */
export function spellingsFor(address: string): string[] {
  const { ascii, unicode } = spellingsOf(address);
  return unicode === null ? [ascii] : [ascii, unicode];
}

export type SuppressionDraft = {
  readonly address: string;
  readonly reason: SuppressionReason;
  /** Of mail of this stream only. */
  readonly stream?: string | null | undefined;
  /** The mail that was the reason. */
  readonly sourceEmailId?: string | undefined;
  readonly note?: string | null | undefined;
  readonly expiresAt?: Date | null | undefined;
};

/** What stands already stays as it is, unless it is over or its person was erased. */
export async function addSuppression(
  tx: Queryable,
  { address, reason, stream = null, sourceEmailId, note = null, expiresAt = null }: SuppressionDraft,
): Promise<{ suppression: Suppression; isNew: boolean }> {
  const { ascii, unicode } = spellingsOf(address);
  await tx.query(
    `delete from suppression
     where digest = suppression_digest($1) and stream = coalesce($2, '') and expires_at <= now()`,
    [ascii, stream],
  );
  const { rows } = await tx.query<Suppression & { isNew: boolean }>(
    `insert into suppression as s (id, address, digest, digest_unicode, reason, note, expires_at, stream, source_email_id)
     values ($1, $2, suppression_digest($3), case when $4::text is not null then suppression_digest($4) end, $5, $6, $7,
       coalesce($8, ''), $9)
     on conflict (digest, stream) do update set address = coalesce(s.address, excluded.address)
     returning ${columns}, s.id = $1 as "isNew"`,
    [uuidv7(), address, ascii, unicode, reason, note, expiresAt, stream, sourceEmailId ?? null],
  );
  const [row] = rows;
  if (!row) throw new Error('The insert of a suppression returned no row');
  const { isNew, ...suppression } = row;
  return { suppression, isNew };
}

const stillStands = '(s.expires_at is null or s.expires_at > now())';

export type Filters = {
  readonly reasons?: readonly string[] | undefined;
  readonly stream?: string | undefined;
  readonly sources?: readonly string[] | undefined;
};

type Page = Filters & { readonly limit: number; readonly after?: string | undefined };

/** Those whose person was erased are on no list that somebody reads. */
const isShown = `${stillStands} and s.address is not null and ($2::text[] is null or s.reason = any($2))
  and ($3::text is null or s.stream = $3) and ($4::text[] is null or s.source = any($4))`;

/** Newest first, one more than asked for where there is one. */
export async function listSuppressions(q: Queryable, page: Page): Promise<Suppression[]> {
  const { rows } = await q.query<Suppression>(
    `select ${columns} from suppression s where ($1::uuid is null or s.id < $1) and ${isShown}
     order by s.id desc limit $5`,
    [page.after ?? null, page.reasons ?? null, page.stream ?? null, page.sources ?? null, page.limit + 1],
  );
  return rows;
}

export async function oldestSuppressions(q: Queryable, page: Page): Promise<Suppression[]> {
  const { rows } = await q.query<Suppression>(
    `select ${columns} from suppression s where ($1::uuid is null or s.id > $1) and ${isShown}
     order by s.id limit $5`,
    [page.after ?? null, page.reasons ?? null, page.stream ?? null, page.sources ?? null, page.limit],
  );
  return rows;
}

/** Without a stream the one for all mail, or else one of a stream. */
export async function findSuppression(
  q: Queryable,
  address: string,
  stream?: string,
): Promise<Suppression | undefined> {
  const { rows } = await q.query<Suppression>(
    `select ${columns} from suppression s where s.digest = suppression_digest($1) and ${stillStands}
       and ($2::text is null or s.stream = $2)
     order by s.stream limit 1`,
    [spellingsOf(address).ascii, stream ?? null],
  );
  // Whoever names an erased person knows the address.
  return rows[0] && { ...rows[0], address: rows[0].address ?? address };
}

/** Without a stream the one for all mail. False when it was not on the list. */
export async function removeSuppression(tx: Queryable, address: string, stream = ''): Promise<boolean> {
  const { rowCount } = await tx.query(
    `delete from suppression s where s.digest = suppression_digest($1) and ${stillStands} and s.stream = $2`,
    [spellingsOf(address).ascii, stream],
  );
  return rowCount > 0;
}

/** An erased person stays on the list, without the address. */
export async function forgetSuppressed(tx: Queryable, spellings: readonly string[]): Promise<void> {
  await tx.query(
    `update suppression set address = null, reply = null, note = null, source_email_id = null, source_queue_id = null
     where digest in (select suppression_digest(spelling) from unnest($1::text[]) as spelling) and address is not null`,
    [spellings],
  );
}

/** What is over by its own date goes. Answers how many. */
export async function forgetExpiredSuppressions(q: Queryable): Promise<number> {
  const { rowCount } = await q.query(
    `delete from suppression where id in (
       select id from suppression where expires_at < now() order by expires_at limit 500)`,
  );
  return rowCount;
}
