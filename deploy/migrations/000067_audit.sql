-- Who did what: acts of people in the dashboard and of admin keys, each written in the transaction of the act. Nothing here
-- is a name or an address: who and what are ids, an address is its keyed digest, and states are words of fixed lists,
-- numbers and times. Belongs to the api; the worker deletes what is too old.
create table audit_entry (
  id          uuid primary key,
  at          timestamptz not null default now(),
  actor_kind  text not null,
  actor_id    uuid,
  act         text not null,
  object_kind text,
  object_id   text,
  before      jsonb not null default '{}',
  after       jsonb not null default '{}',
  constraint an_actor_is_known check (actor_kind in ('person', 'admin', 'key', 'bootstrap', 'nobody')),
  constraint people_and_keys_have_ids check ((actor_kind in ('person', 'key')) = (actor_id is not null))
);
create index audit_entry_by_time on audit_entry (at);
create index audit_entry_by_actor on audit_entry (actor_kind, actor_id, id);
create index audit_entry_by_act on audit_entry (act, id);
create index audit_entry_by_object on audit_entry (object_id, id) where object_id is not null;

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.at < now() - interval '365 days' then
    return old;
  end if;
  raise exception 'audit_entry is append-only: an entry is never changed, and stays for 365 days'
    using errcode = 'insufficient_privilege', constraint = 'audit_is_append_only';
end $$;
create trigger audit_is_append_only before update or delete on audit_entry
  for each row execute function audit_is_append_only();
create trigger audit_is_never_emptied before truncate on audit_entry
  for each statement execute function audit_is_append_only();
