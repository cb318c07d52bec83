// What each process may do in the database: the least it needs, in one list. `migrate` makes the database agree with
// it, in the transaction of every migration; what is not in the list is taken away.
import type { Queryable } from './database.ts';
import { type RoleName, roleOf } from './roles.ts';

/**
 * Privileges by table, such as `select update(status, reason) delete`. `all but` names columns that are left out. To
 * lock a row `for update`, a role needs the privilege to update one of its columns.
 */
type Grants = Readonly<
  Record<RoleName, { tables: Readonly<Record<string, string>>; functions: readonly string[] }>
>;

const everything = 'select insert update delete';

export const grants: Grants = {
  postern_api: {
    tables: {
      postern_migration: 'select',
      // Who asks for mail, and what they see of it.
      customer: everything,
      owner: everything,
      invitation: everything,
      application: everything,
      template: everything,
      api_key: 'select insert update',
      key_usage: 'select',
      idempotency_key: everything,
      rate_window: everything,
      dashboard_session: everything,
      dashboard_user: 'select insert update',
      // Nobody changes what was written there.
      audit_entry: 'select insert',
      mail_minute: everything,
      mail_hour: everything,
      search_document: everything,
      // Through relay/client.
      email: 'select insert update',
      email_attachment: 'select insert delete',
      client_email_config: everything,
      // Updated when a person is erased, as columns below are.
      event: 'select insert update(recipient, detail)',
      heartbeat: 'select insert update',
      doctor_run: everything,
      sender_domain: 'select update(next_check_at, canary_asked_at)',
      canary: 'select',
      bounce_mailbox: 'select(key, state, cause, detail, since, last_look_at)',
      bounce_report: 'select(read_at, outcome, why)',
      cause: 'select',
      database_identity: 'select',
      message: 'select update(sender, header_from, message_id, subject, envid, submitted)',
      // What a provider said, where it names a person who is erased; and whoever tries a mail again asks for a probe.
      lane: 'select(key, detail, state, since, probed_at, next_probe_at) update(detail, next_probe_at)',
      sender_hold:
        'select(lane, sender, cause, causes, detail, lifted_at) update(detail, next_probe_at, asked_for)',
      connection_slot: 'select(lane, lease_until)',
      sign_in: 'select(lane, reply) update(reply)',
      // Not the bytes: those of one mail come from message_source().
      message_part: 'select(queue_id, part) delete',
      refusal: 'select update(credential, sender, reply)',
      unknown_reply: 'select update(template)',
      recipient: 'select update',
      webhook: 'select insert update',
      // A secret goes in and never comes out again: the worker alone reads it.
      webhook_secret: 'select(webhook_id, created_at, expires_at) insert update(expires_at) delete',
      suppression: everything,
      unsubscribe_key: 'select',
      webhook_delivery:
        'select insert update(status, next_attempt_at, attempts, finished_at, data, answer, error)',
    },
    functions: [
      'message_source(text,integer)',
      'submit_again(text,text,text,bytea,integer,text,text)',
      'suppression_digest(text)',
      'count_mail_of_key(uuid,integer)',
      'keys_were_used(uuid[])',
    ],
  },
  postern_relay: {
    tables: {
      postern_migration: 'select',
      message: 'select insert update(digest)',
      message_part: 'select insert delete',
      recipient: 'select insert update',
      submission: 'select insert update',
      notice_owed: everything,
      refusal: everything,
      login_proof: everything,
      login_failure: everything,
      lane: everything,
      route: everything,
      sender_hold: everything,
      sign_in: everything,
      lane_refusal: everything,
      oauth2_grant: everything,
      unknown_reply: everything,
      connection_slot: everything,
      lane_replica: everything,
      lane_usage: everything,
      lane_closure: everything,
      open_clock: 'select insert update',
      database_identity: 'select insert update',
      cause: everything,
      bounce_report: 'select insert update(withheld)',
      bounce_mailbox: 'select insert update',
      bounce_folder: 'select insert update',
      doctor_run: 'select update',
      sender_domain: everything,
      canary: everything,
      heartbeat: 'select insert update',
      event: 'select insert',
      // Which are disabled or fail: for alerts and the doctor. Neither where they are nor their secrets.
      webhook:
        'select(id, description, state, disabled_cause, failing_since, deleted_at, told_at) update(told_at)',
      // Whether there is any; who is on it tells suppression_of(), and suppress_recipient() adds its own recipients.
      suppression: 'select(reason)',
      // Its status follows the recipients; what it says is the business of others.
      email:
        'select(all but text_body, html_body, headers, from_name, reply_to, subject) ' +
        'update(status, reason, reason_detail, finished_at, updated_at, accepted_at, queue_id, next_hand_over_at)',
    },
    functions: [
      'tell_webhooks_of_recipients(text[],text[],smallint[],boolean[])',
      'suppression_of(text,text)',
      // Of a key only what belongs to the secret that a client has told.
      'submission_keys(bytea[])',
      'count_mail_of_key(uuid,integer)',
      'keys_were_used(uuid[])',
      'suppress_recipient(text,smallint,text[],text,text,text,text,boolean,integer)',
    ],
  },
  postern_worker: {
    tables: {
      postern_migration: 'select',
      email: 'select update delete',
      email_attachment: 'select delete',
      event: 'select insert delete',
      heartbeat: 'select insert update delete',
      database_identity: 'select',
      // Housekeeping: it deletes what is over, and reads none of it.
      message: 'select update(priority) delete',
      message_part: 'select(queue_id, part, stored_at) delete',
      recipient: 'select',
      submission: 'select delete',
      bounce_report: 'select(digest, read_at) delete',
      refusal: 'select(key, last_at) delete',
      login_failure: 'select(key, since) delete',
      login_proof: 'select(succeeded_at) delete',
      idempotency_key: 'select(principal, method, path, key, keep_until) delete',
      invitation: 'select(id, accepted_at, expires_at) delete',
      audit_entry: 'select(id, at) delete',
      webhook:
        'select update(state, disabled_cause, failing_since, failures, paused_until, dropped, updated_at) delete',
      webhook_secret: 'select delete',
      suppression: 'select(id, expires_at) delete',
      webhook_delivery:
        'select update(status, next_attempt_at, attempts, attempted_at, answer_status, answer, error, duration_ms, ' +
        'finished_at) delete',
      // Changed by triggers when mail is changed or deleted.
      search_document: 'select(email_id) update(words) delete',
    },
    functions: [],
  },
};

/** graphile-worker's own schema, whatever it holds: the worker uses it, and only the owner changes it. */
const jobSchema = 'graphile_worker';
const jobRole = roleOf.worker;

/** `ROLE|KIND|OBJECT|COLUMN|PRIVILEGE` */
type Key = string;

type Column = { relation: string; column: string };

/** Makes the database agree with the list, as far as its tables exist. Changes nothing where it agrees already. */
export async function applyGrants(owner: Queryable): Promise<void> {
  const { rows: columns } = await owner.query<Column>(
    `select format('%s.%s', n.nspname, c.relname) as relation, a.attname as column
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where n.nspname in ('public', $1) and c.relkind in ('r', 'p', 'v') and a.attnum > 0 and not a.attisdropped`,
    [jobSchema],
  );
  const { rows: functions } = await owner.query<{ signature: string }>(
    `select p.oid::regprocedure::text as signature from pg_proc p
     where p.pronamespace = 'public'::regnamespace`,
  );
  const wanted = wantedKeys(columns, new Set(functions.map(({ signature }) => signature)));
  const actual = new Set((await readKeys(owner)).map(({ key }) => key));
  for (const statement of statementsFor([...actual.difference(wanted)], 'revoke'))
    await owner.query(statement);
  for (const statement of statementsFor([...wanted.difference(actual)], 'grant'))
    await owner.query(statement);
  await letWorkerThrough(owner);
  // PostgreSQL 15 and newer begin without it; a server that was upgraded may still have it.
  const { rows } = await owner.query<{ open: boolean }>(
    `select has_schema_privilege('public', 'public', 'create') as open`,
  );
  if (rows[0]?.open) await owner.query('revoke create on schema public from public');
}

function wantedKeys(columns: readonly Column[], functions: ReadonlySet<string>): Set<Key> {
  const keys = new Set<Key>();
  const byRelation = Map.groupBy(columns, ({ relation }) => relation);
  for (const [role, { tables, functions: names }] of Object.entries(grants)) {
    keys.add(`${role}|schema|public||USAGE`);
    for (const [table, privileges] of Object.entries(tables)) {
      const all = byRelation.get(`public.${table}`)?.map(({ column }) => column);
      if (!all) continue;
      for (const [, privilege = '', list] of privileges.matchAll(/(\w+)(?:\(([^)]*)\))?/g)) {
        for (const column of list === undefined ? [''] : chosen(list, all))
          keys.add(`${role}|table|public.${table}|${column}|${privilege.toUpperCase()}`);
      }
    }
    for (const name of names) if (functions.has(name)) keys.add(`${role}|function|public.${name}||EXECUTE`);
  }
  const jobTables = [...byRelation.keys()].filter((relation) => relation.startsWith(`${jobSchema}.`));
  if (jobTables.length > 0) keys.add(`${jobRole}|schema|${jobSchema}||USAGE`);
  for (const relation of jobTables) {
    for (const privilege of everything.toUpperCase().split(' '))
      keys.add(`${jobRole}|table|${relation}||${privilege}`);
  }
  return keys;
}

function chosen(list: string, all: readonly string[]): string[] {
  const names = list.replace(/^all but /, '').split(', ');
  return list.startsWith('all but ')
    ? all.filter((column) => !names.includes(column))
    : names.filter((column) => all.includes(column));
}

/** What the roles have now. */
export async function readKeys(q: Queryable): Promise<{ key: Key }[]> {
  const { rows } = await q.query<{ key: Key }>(
    `with acl as (
       select 'schema' as kind, nspname::text as object, '' as column, nspacl as acl
       from pg_namespace where nspname in ('public', $2)
       union all
       select 'table', format('%s.%s', n.nspname, c.relname), '', c.relacl
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('public', $2) and c.relkind in ('r', 'p', 'v')
       union all
       select 'table', format('%s.%s', n.nspname, c.relname), a.attname, a.attacl
       from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('public', $2) and a.attacl is not null and not a.attisdropped
       union all
       select 'function', 'public.' || p.oid::regprocedure, '', p.proacl
       from pg_proc p where p.pronamespace = 'public'::regnamespace
     )
     select concat_ws('|', r.rolname, kind, object, "column", privilege_type) as key
     from acl, aclexplode(acl) as entry join pg_roles r on r.oid = entry.grantee
     where r.rolname = any($1) order by 1`,
    [Object.keys(grants), jobSchema],
  );
  return rows;
}

/** One statement for all columns of a table that have the privilege in common. */
function statementsFor(keys: readonly Key[], verb: 'grant' | 'revoke'): string[] {
  const alike = Map.groupBy(keys, (key) => {
    const [role, kind, object, column, privilege] = key.split('|');
    return [role, kind, object, column === '' ? '' : 'columns', privilege].join('|');
  });
  return [...alike.values()].map((group) => {
    const [role, kind, object, , privilege] = (group[0] as Key).split('|');
    const columns = group.map((key) => key.split('|')[3]).filter((column) => column !== '');
    const on = columns.length > 0 ? `${privilege} (${columns.join(', ')})` : privilege;
    return `${verb} ${on} on ${kind} ${object} ${verb === 'grant' ? 'to' : 'from'} ${role}`;
  });
}

/** graphile-worker's tables have row-level security and no policy: without one, only their owner sees rows. */
async function letWorkerThrough(owner: Queryable): Promise<void> {
  const { rows } = await owner.query<{ relation: string }>(
    `select format('%s.%s', n.nspname, c.relname) as relation
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relrowsecurity
       and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = $2)`,
    [jobSchema, jobRole],
  );
  for (const { relation } of rows) {
    await owner.query(`create policy ${jobRole} on ${relation} to ${jobRole} using (true) with check (true)`);
  }
}
