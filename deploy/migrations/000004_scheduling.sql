-- Clients' forms of scheduled mail. Belongs to relay/client, as the emails made from it do.

create table client_email_config (
  client_id  text primary key,
  enabled    boolean not null,
  -- [{"address":…,"name":…|null}], for all of its emails
  recipients jsonb not null,
  from_name  text,
  reply_to   jsonb not null default '[]',
  time_zone  text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint a_config_has_recipients
    check (jsonb_typeof(recipients) = 'array' and jsonb_array_length(recipients) > 0),
  constraint from_name_is_one_line
    check (from_name !~ '[\r\n]')
);

-- The list of what will be sent, soonest first, for everybody together.
create index scheduled_email_by_due_time on email (due_at, id) where kind = 'scheduled';
-- What retention erases next.
create index email_with_a_body on email (finished_at) where finished_at is not null and erased_at is null;
-- Mail that waits for a From address, asked for by every beat of every worker.
create index email_without_sender on email (id)
  where status = 'held' and reason = 'not-configured' and queue_id is null and from_address = '';
