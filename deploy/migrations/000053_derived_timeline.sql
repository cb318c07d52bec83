-- That a mail was accepted, and that the provider took it, follows from message and recipient: no rows of the timeline
-- repeat it (relay/client/email/timeline.ts). Null in rows of older releases, which have theirs.

-- What the timeline says of the acceptance besides the columns: who brought it, and what was changed in its header.
alter table message add column submitted jsonb;

-- The attempt that sent it: lane, host, port, TLS mode and durations, for the first recipient of the attempt; {} for the
-- others. When a delivery report comes later it keeps the reply of the 250 as well.
alter table recipient add column sent_by jsonb;
alter table recipient add constraint only_finished_mail_was_sent_by_an_attempt
  check (sent_by is null or finished_at is not null) not valid;
