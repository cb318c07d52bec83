-- Mail from the request that asked for it to the provider's reply.
--
-- email, event and heartbeat belong to relay/client; message, message_part, recipient and submission
-- belong to the relay. An email is what an API client asked for; a message is bytes the relay took
-- responsibility for; outcomes live on recipients, because a provider answers for each of them.

-- In order of precedence: min(status) over its recipients is the status of an email.
-- relay/client/vocabulary.ts explains the words.
create type mail_status as enum (
  'uncertain', 'held', 'sending', 'deferred', 'queued', 'pending',
  'bounced', 'expired', 'cancelled', 'captured', 'sent'
);

create table email (
  id                 uuid primary key,
  kind               text not null,
  status             mail_status not null default 'pending',
  -- A cause slug and the same in words: why it is held, bounced, expired, cancelled or late.
  reason             text,
  reason_detail      text,

  api_key_id         uuid,
  customer_id        uuid,
  -- Set for mail from a client's email-config: entry_key is the caller's name for the entry.
  client_id          text,
  entry_key          text,

  from_address       text not null,
  from_name          text,
  reply_to           jsonb not null default '[]',
  -- [{"kind":"to"|"cc"|"bcc","address":…,"name":…|null}]
  recipients         jsonb not null,
  subject            text not null,
  text_body          text,
  html_body          text,
  headers            jsonb not null default '[]',
  -- Fixed at creation: every attempt, also a resend, carries the same one.
  message_id         text not null,

  -- When it should leave. time_zone and local_time remember how the caller said it.
  due_at             timestamptz not null default now(),
  time_zone          text,
  local_time         text,
  max_lateness       interval,
  on_uncertain       text,
  priority           smallint not null default 0,
  paused             boolean not null default false,

  -- The hand-over: the relay takes this mail only from someone who knows the token.
  token              bytea not null,
  queue_id           text collate "C" unique,
  hand_over_attempts integer not null default 0,
  -- Also the lease: whoever hands over pushes it into the future first.
  next_hand_over_at  timestamptz,

  -- Bumped with every change of content or time: the ETag of a scheduled mail.
  revision           integer not null default 1,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),
  accepted_at        timestamptz,
  finished_at        timestamptz,
  -- Bodies are erased after RETENTION_BODY; the row stays to tell what happened.
  erased_at          timestamptz,

  constraint kind_is_known
    check (kind in ('invitation', 'single', 'scheduled', 'rejection', 'test')),
  constraint uncertain_policy_is_known
    check (on_uncertain in ('resend', 'hold')),
  constraint an_email_has_recipients
    check (jsonb_typeof(recipients) = 'array' and jsonb_array_length(recipients) > 0),
  constraint subject_is_one_line
    check (subject !~ '[\r\n]'),
  constraint a_held_email_says_why
    check (status <> 'held' or reason is not null),
  constraint only_the_relay_has_seen_a_queue_id
    check ((queue_id is null) = (accepted_at is null)),
  constraint what_the_relay_never_took_is_not_on_its_way
    check (queue_id is not null or status in ('pending', 'held', 'expired', 'cancelled')),
  constraint what_the_relay_took_is_not_pending
    check (queue_id is null or status <> 'pending'),
  constraint only_what_waits_for_hand_over_has_a_time_for_it
    check ((next_hand_over_at is not null) = (status = 'pending')),
  constraint finished_means_final
    check ((finished_at is not null) = (status in ('bounced', 'expired', 'cancelled', 'captured', 'sent'))),
  constraint an_entry_belongs_to_a_client
    check (entry_key is null or client_id is not null)
);

-- The outbox: what the sweep looks at every second stays small, whatever the history.
create index email_waiting_for_hand_over on email (next_hand_over_at) where status = 'pending' and not paused;
create index email_by_status on email (status, id desc);
create index email_by_customer on email (customer_id, id desc) where customer_id is not null;
create index email_by_client on email (client_id, due_at) where client_id is not null;
create unique index one_live_email_per_entry on email (client_id, entry_key)
  where entry_key is not null and status <> 'cancelled';
create index email_finished on email (finished_at) where finished_at is not null;

create table email_attachment (
  email_id     uuid not null references email on delete cascade,
  ordinal      smallint not null,
  filename     text not null,
  content_type text not null,
  content_id   text,
  content      bytea not null,
  primary key (email_id, ordinal)
);
alter table email_attachment alter column content set storage external;

-- The timeline. Rows are only ever appended.
create table event (
  id        bigint generated always as identity primary key,
  at        timestamptz not null default now(),
  type      text not null,
  email_id  uuid,
  queue_id  text collate "C",
  recipient text,
  detail    jsonb not null default '{}',
  constraint an_event_is_about_a_mail check (email_id is not null or queue_id is not null)
);
create index event_of_email on event (email_id, id) where email_id is not null;
create index event_of_submitted_message on event (queue_id, id) where email_id is null;

-- Every process says that it lives, and what it found at its start. The database's clock decides who is late.
create table heartbeat (
  instance   uuid primary key,
  process    text not null,
  started_at timestamptz not null default now(),
  seen_at    timestamptz not null default now(),
  report     jsonb not null default '{}',
  constraint process_is_known check (process in ('api', 'relay', 'worker'))
);

-- What the relay answered 250 for. A row never changes: outcomes are on its recipients.
create table message (
  queue_id     text collate "C" primary key,
  email_id     uuid unique references email on delete cascade,
  -- Who handed it in: a submission credential, or the network for trusted clients.
  credential   text not null,
  sender       text not null, -- MAIL FROM; '' is the null sender of a bounce
  header_from  text not null,
  message_id   text not null,
  size         integer not null,
  priority     smallint not null,
  smtputf8     boolean not null default false,
  eight_bit    boolean not null default false,
  on_uncertain text,
  received_at  timestamptz not null default now(),
  constraint uncertain_policy_is_known check (on_uncertain in ('resend', 'hold'))
);

-- The bytes, in parts of at most 256 KB. No reference to message: parts of a large message are stored
-- while they arrive, before the row that makes the message ours; the worker removes parts nobody claimed.
create table message_part (
  queue_id text collate "C" not null,
  part     integer not null,
  content  bytea not null,
  primary key (queue_id, part)
) with (toast_tuple_target = 8160);
-- Mail hardly compresses twice, and compressing costs the accept path more than the disk it saves.
alter table message_part alter column content set storage external;

create table recipient (
  queue_id          text collate "C" not null references message on delete cascade,
  ordinal           smallint not null,
  email_id          uuid,
  address           text not null,
  status            mail_status not null,
  priority          smallint not null,
  attempts          integer not null default 0,
  next_attempt_at   timestamptz,

  -- The lease. Nothing is written for a claim but under its token and before lease_until.
  claim_token       uuid,
  claimed_by        uuid,
  lease_until       timestamptz,
  -- The dot mark: from here on the provider may have the data (RFC 1047).
  marked_at         timestamptz,
  resends           smallint not null default 0,

  reason            text,
  reason_detail     text,
  route             text,
  reply_code        smallint,
  enhanced_code     text,
  reply             text,
  provider_queue_id text,
  finished_at       timestamptz,

  primary key (queue_id, ordinal),
  constraint a_recipient_of_the_relay_is_never_pending
    check (status <> 'pending'),
  constraint waiting_recipients_have_a_next_attempt
    check (status not in ('queued', 'deferred') or next_attempt_at is not null),
  constraint only_waiting_or_uncertain_recipients_have_a_next_attempt
    check (next_attempt_at is null or status in ('queued', 'deferred', 'uncertain')),
  constraint sending_means_claimed
    check ((status = 'sending') = (claim_token is not null)
       and (status = 'sending') = (lease_until is not null)
       and (status = 'sending') = (claimed_by is not null)),
  constraint a_mark_means_data_may_be_out
    check (marked_at is null or status in ('sending', 'uncertain', 'held', 'sent', 'bounced', 'cancelled', 'expired')),
  constraint uncertain_means_marked
    check (status <> 'uncertain' or marked_at is not null),
  constraint a_held_recipient_says_why
    check (status <> 'held' or reason is not null),
  constraint finished_means_final
    check ((finished_at is not null) = (status in ('bounced', 'expired', 'cancelled', 'captured', 'sent')))
);

-- The queue's hot path: only waiting recipients, in the order they leave.
create index recipient_due on recipient (priority, next_attempt_at) where status in ('queued', 'deferred');
create index recipient_lease on recipient (lease_until) where status = 'sending';
create index recipient_uncertain on recipient (next_attempt_at) where status = 'uncertain';
create index recipient_held on recipient (reason) where status = 'held';
create index recipient_finished on recipient (finished_at) where finished_at is not null;

-- Submission is idempotent: the same key from the same credential answers with the same queue id.
-- A key is the client's X-Postern-Idempotency-Key, or a digest of envelope, Message-ID and bytes, which
-- counts for 15 minutes only (the client lost our 250).
create table submission (
  credential text not null,
  key        bytea not null,
  queue_id   text collate "C" not null,
  at         timestamptz not null default now(),
  lasts      interval not null,
  primary key (credential, key)
);
create index submission_at on submission (at);

-- An email shows what its recipients show, in the same transaction, whoever changes them.
-- First the locks, in id order so that two batches over the same mails cannot deadlock; then, in a second
-- statement, the look: it sees what the transaction that held the lock before has committed.
create function recipients_decide_the_email_status() returns trigger language plpgsql as $$
begin
  perform 1 from email e
    where e.id in (select c.email_id from changed c where c.email_id is not null)
    order by e.id for no key update;
  if not found then
    return null;
  end if;
  update email e
  set status = d.status,
      reason = d.reason,
      reason_detail = d.reason_detail,
      finished_at = case
        when d.status in ('bounced', 'expired', 'cancelled', 'captured', 'sent') then coalesce(e.finished_at, now())
      end,
      updated_at = now()
  from (select distinct c.queue_id, c.email_id from changed c where c.email_id is not null) touched
  cross join lateral (
    select r.status, r.reason, r.reason_detail
    from recipient r where r.queue_id = touched.queue_id order by r.status, r.ordinal limit 1
  ) d
  where e.id = touched.email_id
    and (e.status, e.reason, e.reason_detail) is distinct from (d.status, d.reason, d.reason_detail);
  return null;
end $$;

create trigger recipients_decide_the_email_status
  after update on recipient
  referencing new table as changed
  for each statement execute function recipients_decide_the_email_status();
