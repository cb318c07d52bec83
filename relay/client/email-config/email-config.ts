// A client's scheduled mail as one form. Saving it is a reconciliation by key, not cancel-all-and-make-again: what
// did not change is kept with its ids, and what has left is never touched. Saving ten times changes nothing.
import { ring } from '../../../deploy/bell.ts';
import type { Database, Queryable } from '../../../deploy/database.ts';
import type { Address, Email, Recipient } from '../email/email.ts';
import { insertEmails } from '../email/insert.ts';
import { type EmailRow, emailColumns, toEmail } from '../email/row.ts';
import type { Tag } from '../email/tag.ts';
import { cancelEmailWithin } from '../outbox/cancel.ts';
import { type EmailChanges, editEmail, isEditable } from '../outbox/edit.ts';
import type { Status } from '../vocabulary.ts';

export type EmailConfig = {
  readonly enabled: boolean;
  readonly recipients: readonly Address[];
  readonly fromName?: string | undefined;
  readonly replyTo?: readonly Address[] | undefined;
  readonly timeZone?: string | undefined;
  /** Of all its mails. */
  readonly tags?: readonly Tag[] | undefined;
  readonly stream?: string | undefined;
};

/** One mail of the form; `key` is the client's own name for it. */
export type ConfigEntry = {
  readonly key: string;
  readonly subject: string;
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  readonly dueAt: Date;
  readonly timeZone?: string | undefined;
  readonly localTime?: string | undefined;
};

export type SavedConfig = {
  readonly config: EmailConfig;
  readonly scheduled: { kept: number; updated: number; created: number; cancelled: number };
  /** Entries that could not be changed or removed, because they were sent or are being sent. */
  readonly warnings: readonly { readonly key: string; readonly reason: 'locked'; readonly status: Status }[];
  /** What was done to each entry, those that the form no longer holds included. */
  readonly changes: readonly { readonly key: string; readonly change: EntryChange }[];
  readonly emails: readonly Email[];
};

export type EntryChange = 'kept' | 'updated' | 'created' | 'cancelled' | 'locked';

export type SaveResult =
  | ({
      readonly outcome: 'saved';
      /** Of new entries, and those that old ones got. */
      readonly newRecipients: number;
    } & SavedConfig)
  /** Entries that are new or changed and due more than five minutes ago, by their position; nothing was saved. */
  | { readonly outcome: 'in-the-past'; readonly entries: readonly number[] }
  /** Nothing was saved. */
  | { readonly outcome: 'of-another-key' };

/** Who saves: the form belongs to the first key that does, and `admin` may change every form. */
export type Saver = { readonly apiKeyId: string | undefined; readonly isAdmin: boolean };

const graceMs = 5 * 60 * 1000;

/**
 * Saves the form in one transaction. Two saves at once wait for each other, and both answers are true. Keys are
 * unique among the entries.
 *
 * @param from the configured sender; undefined while none is known (`EmailDraft.from`)
 */
export function saveEmailConfig(
  database: Database,
  save: {
    readonly clientId: string;
    readonly config: EmailConfig;
    readonly entries: readonly ConfigEntry[];
    readonly from: Address | undefined;
    readonly actor: string;
    readonly saver: Saver;
    readonly traceparent?: string | undefined;
  },
): Promise<SaveResult> {
  return database.transaction((tx) => saveEmailConfigWithin(tx, save));
}

/** The same inside the caller's transaction, which must end in a commit or give up all of it. */
export async function saveEmailConfigWithin(
  tx: Queryable,
  { clientId, config, entries, from, actor, saver, traceparent }: Parameters<typeof saveEmailConfig>[1],
): Promise<SaveResult> {
  await lockConfig(tx, clientId);
  const owner = await findOwner(tx, clientId);
  if (owner !== undefined && owner !== saver.apiKeyId && !saver.isAdmin) return { outcome: 'of-another-key' };
  const apiKeyId = owner ?? saver.apiKeyId;
  const existing = await readEntries(tx, clientId, { lock: true });
  const wanted = entries.map((entry) => ({ ...entry, ...sharedOf(config, from) }));
  const plan = planReconciliation(existing, wanted);

  const changed = new Set([...plan.create, ...plan.update.map(({ entry }) => entry)].map(({ key }) => key));
  const tooLate = (await readNow(tx)).getTime() - graceMs;
  const past = entries.flatMap(({ key, dueAt }, i) =>
    changed.has(key) && dueAt.getTime() < tooLate ? [i] : [],
  );
  if (past.length > 0) return { outcome: 'in-the-past', entries: past };

  await storeConfig(tx, clientId, { ...config, apiKeyId });
  if (owner === undefined && apiKeyId !== undefined) await adoptEntries(tx, clientId, apiKeyId);
  const warnings = plan.locked.map(({ email }) => ({
    key: keyOf(email),
    reason: 'locked' as const,
    status: email.status,
  }));

  let cancelled = 0;
  for (const email of plan.cancel) {
    const result = await cancelEmailWithin(tx, email.id, actor);
    if (result.outcome === 'cancelled') cancelled++;
    else if (result.outcome === 'too-late') {
      warnings.push({ key: keyOf(email), reason: 'locked', status: result.status });
    }
  }
  for (const { email, entry } of plan.update) {
    const changes: EmailChanges = {
      ...contentOf(entry),
      dueAt: entry.dueAt,
      timeZone: entry.timeZone ?? null,
      localTime: entry.localTime ?? null,
      paused: !config.enabled,
    };
    await editEmail(tx, email.id, changes, { actor });
  }
  await insertEmails(
    tx,
    plan.create.map((entry) => ({
      kind: 'scheduled',
      ...contentOf(entry),
      text: entry.text,
      html: entry.html,
      dueAt: entry.dueAt,
      timeZone: entry.timeZone,
      localTime: entry.localTime,
      clientId,
      entryKey: entry.key,
      apiKeyId,
      paused: !config.enabled,
      traceparent,
    })),
  );
  await (config.enabled ? resume(tx, clientId, actor) : pause(tx, clientId, actor));

  return {
    outcome: 'saved',
    config,
    scheduled: {
      kept: plan.keep.length + plan.locked.length,
      updated: plan.update.length,
      created: plan.create.length,
      cancelled,
    },
    newRecipients: countNewRecipients(plan, config),
    warnings,
    changes: changesOf(plan, warnings),
    emails: await readEntries(tx, clientId),
  };
}

function changesOf(
  { keep, update, create, cancel }: Plan,
  warnings: SavedConfig['warnings'],
): SavedConfig['changes'] {
  const locked = warnings.map(({ key }) => key);
  const isLocked = new Set(locked);
  const named = (keys: readonly string[], change: EntryChange) => keys.map((key) => ({ key, change }));
  return [
    ...named(keep.map(keyOf), 'kept'),
    ...named(
      update.map(({ entry }) => entry.key),
      'updated',
    ),
    ...named(
      create.map(({ key }) => key),
      'created',
    ),
    ...named(
      cancel.map(keyOf).filter((key) => !isLocked.has(key)),
      'cancelled',
    ),
    ...named(locked, 'locked'),
  ];
}

function countNewRecipients(
  { create, update }: Pick<ReturnType<typeof planReconciliation>, 'create' | 'update'>,
  { recipients }: EmailConfig,
): number {
  const grown = update.map(({ email }) => Math.max(0, recipients.length - email.recipients.length));
  return grown.reduce((sum, more) => sum + more, create.length * recipients.length);
}

/**
 * Pauses all of a client's form, or lets it go on, without a word about its entries. Answers how many mails that
 * concerned and how many of them are too late now; undefined when there is no form.
 */
export async function setEnabledWithin(
  tx: Queryable,
  clientId: string,
  enabled: boolean,
  actor: string,
): Promise<{ readonly changed: number; readonly missed: number } | undefined> {
  await lockConfig(tx, clientId);
  const { rowCount } = await tx.query(
    'update client_email_config set enabled = $2, updated_at = now() where client_id = $1',
    [clientId, enabled],
  );
  if (rowCount === 0) return undefined;
  return enabled ? resume(tx, clientId, actor) : pause(tx, clientId, actor);
}

/** The form as it was saved last, with what became of its mails; undefined when there is none. */
export async function readEmailConfig(
  q: Queryable,
  clientId: string,
): Promise<{ config: EmailConfig; apiKeyId: string | null; emails: Email[] } | undefined> {
  const { rows } = await q.query<ConfigRow>(
    `select enabled, recipients, from_name, reply_to, time_zone, tags, stream, api_key_id
     from client_email_config where client_id = $1`,
    [clientId],
  );
  return (
    rows[0] && {
      config: toConfig(rows[0]),
      apiKeyId: rows[0].api_key_id,
      emails: await readEntries(q, clientId),
    }
  );
}

type Shared = {
  readonly from: Address | undefined;
  readonly recipients: readonly Recipient[];
  readonly replyTo: readonly Address[];
  readonly tags: readonly Tag[];
  readonly stream: string | null;
};
type WantedEntry = ConfigEntry & Shared;

/** What all entries of a form have in common. */
const sharedOf = (
  { recipients, fromName, replyTo = [], tags = [], stream }: EmailConfig,
  from: Address | undefined,
): Shared => ({
  from: from && { address: from.address, ...(fromName === undefined ? nameOf(from) : { name: fromName }) },
  recipients: recipients.map((recipient) => ({
    kind: 'to',
    address: recipient.address,
    ...nameOf(recipient),
  })),
  replyTo: replyTo.map((address) => ({ address: address.address, ...nameOf(address) })),
  tags,
  stream: stream ?? null,
});

const nameOf = ({ name }: Address) => (name === undefined ? {} : { name });

const contentOf = ({ from, recipients, replyTo, subject, text, html, tags, stream }: WantedEntry) => ({
  from,
  recipients,
  replyTo,
  subject,
  text: text ?? null,
  html: html ?? null,
  tags,
  stream,
});

type Plan = {
  readonly keep: readonly Email[];
  readonly update: readonly { readonly email: Email; readonly entry: WantedEntry }[];
  readonly create: readonly WantedEntry[];
  readonly cancel: readonly Email[];
  /** Changed, but no longer at home. */
  readonly locked: readonly { readonly email: Email; readonly entry: WantedEntry }[];
};

/** What to do so that the entries become what the form says. Pure: no clock, no database. */
function planReconciliation(existing: readonly Email[], wanted: readonly WantedEntry[]): Plan {
  const byKey = new Map(existing.map((email) => [keyOf(email), email]));
  const pairs = wanted.flatMap((entry) => {
    const email = byKey.get(entry.key);
    return email ? [{ email, entry }] : [];
  });
  const differing = pairs.filter(({ email, entry }) => differs(email, entry));
  const keys = new Set(wanted.map(({ key }) => key));
  return {
    keep: pairs.filter((pair) => !differing.includes(pair)).map(({ email }) => email),
    update: differing.filter(({ email }) => isEditable(email)),
    create: wanted.filter(({ key }) => !byKey.has(key)),
    // What is over already needs no cancelling, and what the relay has may still be stopped.
    cancel: existing.filter((email) => !keys.has(keyOf(email)) && email.finishedAt === null),
    locked: differing.filter(({ email }) => !isEditable(email)),
  };
}

function differs(email: Email, entry: WantedEntry): boolean {
  const { from } = entry;
  return (
    email.dueAt.getTime() !== entry.dueAt.getTime() ||
    email.subject !== entry.subject ||
    // Erased bodies cannot be compared, and are those of mail that is over.
    (email.erasedAt === null &&
      (email.text !== (entry.text ?? null) || email.html !== (entry.html ?? null))) ||
    saysOtherTime(email, entry) ||
    !sameAddresses(email.recipients, entry.recipients) ||
    !sameAddresses(email.replyTo, entry.replyTo) ||
    // For mail that has left, today's sender, tags and stream are no reason to speak of a change.
    (isEditable(email) &&
      (email.stream !== entry.stream ||
        !sameTags(email.tags, entry.tags) ||
        (from !== undefined && !sameAddresses(email.from ? [email.from] : [], [from]))))
  );
}

/** Mail of a version that did not remember the zone beside an offset is not changed by the same words. */
const saysOtherTime = (email: Email, entry: WantedEntry) =>
  email.timeZone !== null &&
  (email.timeZone !== (entry.timeZone ?? null) || email.localTime !== (entry.localTime ?? null));

const sameAddresses = (one: readonly Address[], other: readonly Address[]) =>
  one.length === other.length &&
  one.every(({ address, name }, i) => address === other[i]?.address && name === other[i]?.name);

const sameTags = (one: readonly Tag[], other: readonly Tag[]) =>
  one.length === other.length &&
  one.every(({ name, value }, i) => name === other[i]?.name && value === other[i]?.value);

const keyOf = ({ entryKey }: Email) => entryKey ?? '';

/** Not the row itself: before the first save there is none, and two first saves must wait for each other as well. */
async function lockConfig(tx: Queryable, clientId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('client_email_config ' || $1, 0))`, [
    clientId,
  ]);
}

/** The key the form belongs to. That of a revoked key waits for another, or nobody but `admin` could change it again. */
async function findOwner(tx: Queryable, clientId: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>(
    `select k.id from client_email_config c join api_key k on k.id = c.api_key_id
     where c.client_id = $1 and k.revoked_at is null`,
    [clientId],
  );
  return rows[0]?.id;
}

/** With the form go its mails that have not left; what has left stays with whoever sent it. */
async function adoptEntries(tx: Queryable, clientId: string, apiKeyId: string): Promise<void> {
  await tx.query(
    `update email set api_key_id = $2
     where client_id = $1 and entry_key is not null and queue_id is null
       and status in ('pending', 'held', 'expired') and api_key_id is distinct from $2`,
    [clientId, apiKeyId],
  );
}

async function storeConfig(
  tx: Queryable,
  clientId: string,
  config: EmailConfig & { readonly apiKeyId: string | undefined },
): Promise<void> {
  await tx.query(
    `insert into client_email_config (client_id, enabled, recipients, from_name, reply_to, time_zone, api_key_id, tags, stream)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (client_id) do update set
       api_key_id = excluded.api_key_id,
       enabled = excluded.enabled, recipients = excluded.recipients, from_name = excluded.from_name,
       reply_to = excluded.reply_to, time_zone = excluded.time_zone, tags = excluded.tags, stream = excluded.stream, updated_at = now()`,
    [
      clientId,
      config.enabled,
      JSON.stringify(config.recipients),
      config.fromName ?? null,
      JSON.stringify(config.replyTo ?? []),
      config.timeZone ?? null,
      config.apiKeyId ?? null,
      JSON.stringify(config.tags ?? []),
      config.stream ?? null,
    ],
  );
}

/**
 * The entries of a form, soonest first, without those that were cancelled. With `lock`, those that are still at home
 * stay there until the transaction ends; the others are left to the relay, which locks in another order.
 */
async function readEntries(q: Queryable, clientId: string, { lock = false } = {}): Promise<Email[]> {
  if (lock) {
    await q.query(
      `select from email
       where client_id = $1 and entry_key is not null and status <> 'cancelled' and queue_id is null
       order by id for no key update`,
      [clientId],
    );
  }
  const { rows } = await q.query<EmailRow>(
    `select ${emailColumns} from email e
     where client_id = $1 and entry_key is not null and status <> 'cancelled'
     order by due_at, id`,
    [clientId],
  );
  return rows.map(toEmail);
}

type Switched = { readonly changed: number; readonly missed: number };

async function pause(tx: Queryable, clientId: string, actor: string): Promise<Switched> {
  const { rowCount } = await tx.query(
    `with paused as (
       update email set paused = true, updated_at = now()
       where client_id = $1 and entry_key is not null and queue_id is null and status in ('pending', 'held')
         and not paused
       returning id
     )
     insert into event (type, email_id, detail) select 'paused', id, $2 from paused`,
    [clientId, JSON.stringify({ actor })],
  );
  return { changed: rowCount, missed: 0 };
}

/** What is still ahead goes on. What should have left during the pause does not leave now. */
async function resume(tx: Queryable, clientId: string, actor: string): Promise<Switched> {
  const { rows } = await tx.query<{ type: string }>(
    `with resumed as (
       update email set
         paused = false,
         status = case when due_at > now() then status else 'expired' end,
         reason = case when due_at > now() then reason else 'missed-while-paused' end,
         reason_detail = case when due_at > now() then reason_detail else 'Its time passed while it was paused.' end,
         next_hand_over_at = case when due_at > now() then next_hand_over_at end,
         finished_at = case when due_at > now() then null else now() end,
         updated_at = now()
       where client_id = $1 and entry_key is not null and queue_id is null and status in ('pending', 'held')
         and paused
       returning id, status
     )
     insert into event (type, email_id, detail)
     select case status when 'expired' then 'expired' else 'resumed' end, id, $2 from resumed returning type`,
    [clientId, JSON.stringify({ actor })],
  );
  if (rows.length > 0) await ring(tx, 'worker');
  return { changed: rows.length, missed: rows.filter(({ type }) => type === 'expired').length };
}

async function readNow(tx: Queryable): Promise<Date> {
  const { rows } = await tx.query<{ now: Date }>('select now() as now');
  return rows[0]?.now ?? new Date();
}

type AddressRow = { address: string; name?: string | null };
type ConfigRow = {
  enabled: boolean;
  recipients: AddressRow[];
  from_name: string | null;
  reply_to: AddressRow[];
  time_zone: string | null;
  tags: Tag[];
  stream: string | null;
  api_key_id: string | null;
};

const toConfig = (row: ConfigRow): EmailConfig => ({
  enabled: row.enabled,
  recipients: row.recipients.map(toAddress),
  fromName: row.from_name ?? undefined,
  replyTo: row.reply_to.map(toAddress),
  timeZone: row.time_zone ?? undefined,
  tags: row.tags,
  stream: row.stream ?? undefined,
});

const toAddress = ({ address, name }: AddressRow): Address => (name ? { address, name } : { address });
