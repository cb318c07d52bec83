-- A mail to oneself that is read back: how the receiver judged SPF, DKIM and DMARC, and into which folder it came. The
-- relay writes; others read, and ask for one.
create table canary (
  -- Stands in its subject, so that it is known again.
  token        text primary key,
  domain       text not null,
  sender       text not null,
  recipient    text not null,
  queue_id     text not null,
  queued_at    timestamptz not null default now(),
  -- When the mailbox had it, by the mailbox's clock.
  returned_at  timestamptz,
  folder       text,
  is_junk      boolean,
  result       text,
  findings     jsonb not null default '[]',
  -- Of the signatures of its domain.
  selectors    text[] not null default '{}',
  constraint result_is_known check (result in ('pass', 'note', 'warn', 'fail', 'unknown', 'not-applicable')),
  constraint what_returned_has_a_result check ((returned_at is null) = (result is null))
);
create index canary_by_domain on canary (domain, queued_at desc);
create index canary_by_time on canary (queued_at);

-- Somebody asks for one; null when none is due.
alter table sender_domain add column canary_asked_at timestamptz;
create index sender_domain_asks_for_canary on sender_domain (canary_asked_at) where canary_asked_at is not null;
