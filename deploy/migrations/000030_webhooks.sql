-- Who hears of what became of a mail (webhook), what they have to hear (webhook_delivery), and who is not written to
-- (suppression). All of it belongs to relay/client.

create table webhook (
  id              uuid primary key,
  url             text not null,
  -- Null: every event.
  events          text[],
  description     text,
  -- Only mail with one of these tags; [] is all mail. Events that are not about a mail have no tags and always come.
  tags            jsonb not null default '[]',
  state           text not null default 'enabled',
  disabled_cause  text,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  deleted_at      timestamptz,

  -- Since the first failure that no success has followed.
  failing_since   timestamptz,
  failures        integer not null default 0,
  -- It asked for a pause (Retry-After), or fails so often that one attempt at a time is enough.
  paused_until    timestamptz,
  -- Undelivered rows that were dropped, because there were too many or they were too old.
  dropped         bigint not null default 0,

  -- An endpoint that was switched off because it failed for days still collects, so that nothing is missing once it
  -- is switched on again. One that a person switched off, or that answered 410, does not.
  listens         boolean not null generated always as (
                    deleted_at is null and (state = 'enabled' or disabled_cause = 'failing')) stored,

  constraint state_is_known check (state in ('enabled', 'disabled')),
  constraint a_disabled_webhook_says_why check ((state = 'disabled') = (disabled_cause is not null)),
  constraint cause_is_known check (disabled_cause in ('by-hand', 'gone', 'failing')),
  constraint tags_are_a_list check (jsonb_typeof(tags) = 'array'),
  constraint it_wants_some_event check (cardinality(events) > 0)
);

-- Only the worker may read `secret` (deploy/grants.ts).
create table webhook_secret (
  webhook_id  uuid not null references webhook on delete cascade,
  secret      bytea not null,
  created_at  timestamptz not null default now(),
  -- The old one after a rotation: both sign until then.
  expires_at  timestamptz,
  primary key (webhook_id, created_at),
  constraint a_secret_has_between_24_and_64_bytes check (octet_length(secret) between 24 and 64)
);

-- One event for one endpoint. No reference to webhook: its check would lock the endpoint's row for every mail.
create table webhook_delivery (
  -- Of the event: alike at every endpoint, over retries and replays. Its order is that of time.
  id              uuid not null,
  webhook_id      uuid not null,
  type            text not null,
  at              timestamptz not null default now(),
  data            jsonb not null,
  email_id        uuid,
  queue_id        text collate "C",

  status          text not null default 'waiting',
  -- Also the lease: whoever delivers pushes it into the future first.
  next_attempt_at timestamptz default now(),
  attempts        integer not null default 0,
  -- Of the last attempt.
  attempted_at    timestamptz,
  answer_status   smallint,
  answer          text,
  error           text,
  duration_ms     integer,
  finished_at     timestamptz,

  primary key (id, webhook_id),
  constraint status_is_known check (status in ('waiting', 'delivered', 'failed')),
  constraint only_what_waits_has_a_next_attempt check ((next_attempt_at is not null) = (status = 'waiting'))
);
create index webhook_delivery_due on webhook_delivery (webhook_id, next_attempt_at) where status = 'waiting';
create index webhook_delivery_by_status on webhook_delivery (webhook_id, status, id);
create index webhook_delivery_of_email on webhook_delivery (email_id, id) where email_id is not null;
create index webhook_delivery_of_submitted on webhook_delivery (queue_id, id) where email_id is null and queue_id is not null;

-- Tells the order of the events of a recipient: it is drawn while the recipient's row is locked.
create sequence webhook_seq;

-- Of mail that was submitted over SMTP stands here what X-Postern-Tag said; of other mail, with the email.
alter table email add column tags jsonb not null default '[]';
alter table message add column tags jsonb not null default '[]';
-- Where in the conversation its last attempt ended.
alter table recipient add column stage text;

-- A UUID of version 7 (RFC 9562 section 5.7): a random one with the time in front.
create function new_webhook_event_id() returns uuid language sql volatile as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

-- Whether somebody should be woken: an endpoint listens, and nothing of it is due or under way. While something is,
-- the worker looks again anyway, and a NOTIFY would let every commit wait for the one before.
create function a_webhook_is_idle() returns boolean language sql stable
security definer set search_path to 'public', 'pg_temp' as $$
  select exists (
    select from webhook w where w.listens and not exists (
      select from webhook_delivery d
      where d.webhook_id = w.id and d.status = 'waiting' and d.next_attempt_at < now() + interval '30 seconds'))
$$;

-- One event, for every endpoint that wants it.
create function tell_webhooks(
  type text, data jsonb, tags jsonb default null, email_id uuid default null, queue_id text default null
) returns void language plpgsql security definer set search_path to 'public', 'pg_temp' as $$
declare
  event_id uuid := new_webhook_event_id();
  wake boolean;
begin
  if not exists (select from webhook where listens) then
    return;
  end if;
  wake := a_webhook_is_idle();
  insert into webhook_delivery (id, webhook_id, type, data, email_id, queue_id)
  select event_id, w.id, tell_webhooks.type, tell_webhooks.data, tell_webhooks.email_id, tell_webhooks.queue_id
  from webhook w
  where w.listens and (w.events is null or tell_webhooks.type = any(w.events))
    and (tell_webhooks.tags is null or w.tags = '[]' or exists (
      select from jsonb_array_elements(w.tags) wanted where tell_webhooks.tags @> jsonb_build_array(wanted)));
  if found and wake then
    perform pg_notify('postern_webhooks', '');
  end if;
end $$;

-- Many events about recipients, as the rows are now.
create function tell_webhooks_of_recipients(
  types text[], queue_ids text[], ordinals smallint[], after_sent boolean[]
) returns void language plpgsql security definer set search_path to 'public', 'pg_temp' as $$
declare
  wake boolean := a_webhook_is_idle();
begin
  with told as materialized (
    select new_webhook_event_id() as id, t.type, m.email_id, t.queue_id, coalesce(e.tags, m.tags) as tags,
      jsonb_build_object(
        'email_id', m.email_id, 'queue_id', t.queue_id, 'message_id', m.message_id, 'recipient', r.address,
        -- That a relay has it in hand is news to nobody.
        'status', case when r.status = 'sending' then 'queued' else r.status end,
        'cause', r.reason, 'title', c.title,
        'stage', case when r.status = 'sent' then 'accepted' else r.stage end,
        'code', r.reply_code, 'reply', r.reply, 'route', r.route, 'attempt', r.attempts,
        'tags', coalesce(e.tags, m.tags), 'customer_id', e.customer_id, 'client_id', e.client_id,
        'seq', nextval('webhook_seq'))
      || case when t.after_sent then '{"after_sent": true}'::jsonb else '{}' end as data
    from unnest(types, queue_ids, ordinals, after_sent) with ordinality
      as t (type, queue_id, ordinal, after_sent, position)
    join recipient r on r.queue_id = t.queue_id and r.ordinal = t.ordinal
    join message m on m.queue_id = t.queue_id
    left join email e on e.id = m.email_id
    left join cause c on c.slug = r.reason
    order by t.position
  )
  insert into webhook_delivery (id, webhook_id, type, data, email_id, queue_id)
  select told.id, w.id, told.type, told.data, told.email_id, told.queue_id
  from told join webhook w on w.listens and (w.events is null or told.type = any(w.events))
    and (w.tags = '[]' or exists (
      select from jsonb_array_elements(w.tags) wanted where told.tags @> jsonb_build_array(wanted)));
  if found and wake then
    perform pg_notify('postern_webhooks', '');
  end if;
end $$;

-- In triggers, so that no statement can forget it, of whatever release its process is. Without an endpoint it ends at
-- its first line.
create function new_recipients_are_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
begin
  if exists (select from webhook where listens) then
    perform tell_webhooks_of_recipients(
      array_agg('email.' || case when r.status = 'sending' then 'queued' else r.status::text end
                order by r.queue_id, r.ordinal),
      array_agg(r.queue_id order by r.queue_id, r.ordinal), array_agg(r.ordinal order by r.queue_id, r.ordinal),
      array_agg(false))
    from created r having count(*) > 0;
  end if;
  return null;
end $$;

create trigger new_recipients_are_told
  after insert on recipient
  referencing new table as created
  for each statement execute function new_recipients_are_told();

-- Being in a relay's hands is no event, nor is coming back from there untried: a lane that does not open would tell the
-- same mail every few seconds.
create function changed_recipients_are_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
begin
  if exists (select from webhook where listens) then
    perform tell_webhooks_of_recipients(
      array_agg('email.' || r.status::text order by r.queue_id, r.ordinal),
      array_agg(r.queue_id order by r.queue_id, r.ordinal), array_agg(r.ordinal order by r.queue_id, r.ordinal),
      array_agg(b.status = 'sent' order by r.queue_id, r.ordinal))
    from changed r join before b on b.queue_id = r.queue_id and b.ordinal = r.ordinal
    where r.status <> b.status and r.status <> 'sending' and not (b.status = 'sending' and r.status = 'queued')
    having count(*) > 0;
  end if;
  return null;
end $$;

create trigger changed_recipients_are_told
  after update on recipient
  referencing old table as before new table as changed
  for each statement execute function changed_recipients_are_told();

-- Mail that the relay does not have: one event for each address. By row, because a transition table would copy the
-- bodies of every mail.
create function an_email_that_stays_here_is_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
begin
  if exists (select from webhook where listens) then
    perform tell_webhooks('email.' || new.status::text, jsonb_build_object(
        'email_id', new.id, 'queue_id', null, 'message_id', new.message_id, 'recipient', a.address,
        'status', new.status, 'cause', new.reason, 'title', (select title from cause where slug = new.reason),
        'stage', null, 'code', null, 'reply', null, 'route', null, 'attempt', 0,
        'tags', new.tags, 'customer_id', new.customer_id, 'client_id', new.client_id, 'seq', nextval('webhook_seq')),
      new.tags, new.id)
    from (select distinct r ->> 'address' as address from jsonb_array_elements(new.recipients) r) a;
  end if;
  return null;
end $$;

create trigger an_email_that_begins_here_is_told
  after insert on email for each row
  when (new.queue_id is null and new.status in ('held', 'cancelled', 'expired'))
  execute function an_email_that_stays_here_is_told();
create trigger an_email_that_stays_here_is_told
  after update of status on email for each row
  when (new.queue_id is null and old.status is distinct from new.status and new.status in ('held', 'cancelled', 'expired'))
  execute function an_email_that_stays_here_is_told();

create function a_changed_lane_is_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
begin
  perform tell_webhooks(case when new.state = 'open' then 'lane.open' else 'lane.stopped' end, jsonb_build_object(
    'lane', new.name, 'state', new.state, 'cause', new.cause,
    'title', (select title from cause where slug = new.cause)));
  return null;
end $$;

create trigger a_changed_lane_is_told
  after update of state on lane for each row
  when (old.state is distinct from new.state)
  execute function a_changed_lane_is_told();

revoke execute on function tell_webhooks(text, jsonb, jsonb, uuid, text) from public;
revoke execute on function tell_webhooks_of_recipients(text[], text[], smallint[], boolean[]) from public;
