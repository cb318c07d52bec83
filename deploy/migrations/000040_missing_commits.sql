-- While relays find out whether a standby took over with every commit: from when to when commits are missing, and which
-- relays have not said yet what they know. The times stay, for the doctor.
alter table database_identity
  add column missing_since timestamptz,
  add column missing_until timestamptz,
  add column asked         uuid[],
  add constraint relays_are_asked_while_mail_waits_for_it check (asked is null or restored_at is not null);
