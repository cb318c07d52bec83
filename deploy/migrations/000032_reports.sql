-- What became of mail after the provider had taken it, as delivery reports in the sending mailbox tell.

-- When a report said that the recipient bounced; finished_at stays the time of the provider's 250.
alter table recipient add column bounced_at timestamptz;
alter table recipient add constraint only_what_bounced_has_a_report_of_it
  check (bounced_at is null or status = 'bounced') not valid;

create index recipient_bounced_after_sending on recipient (bounced_at) where bounced_at is not null;
-- Whether the same address bounced before.
create index recipient_bounced_before on recipient (lower(address), bounced_at) where bounced_at is not null;

-- Some providers put a Message-ID of their own in the place of ours, and tell it only in their 250. The names that others
-- give are found by our own ids, and need no index.
create index recipient_renamed on recipient using hash (provider_queue_id)
  where provider_queue_id like '%@%' or provider_queue_id like '%-000000';

-- Mail of the API carries its id in its Message-ID; that of other applications is found by this. A hash takes a fifth
-- of what the text would, for every mail.
create index submitted_message_by_id on message using hash (message_id) where email_id is null;

-- Every report that was read, by its bytes: it counts once, wherever and however often it lies in the mailbox.
create table bounce_report (
  digest   bytea primary key,
  read_at  timestamptz not null default now(),
  outcome  text not null,
  constraint a_digest_is_sha_256 check (octet_length(digest) = 32),
  constraint outcome_is_known check (outcome in ('matched', 'unmatched', 'unreadable'))
);
create index bounce_report_by_time on bounce_report (read_at);
