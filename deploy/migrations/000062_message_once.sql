-- no transaction
-- Submitted mail by its Message-ID, as reports name it, and once for each digest.
create unique index concurrently submitted_message_once on message (hashtextextended(message_id, 0), digest) where email_id is null;
-- Submitted mail has no email and needs no entry.
create unique index concurrently one_message_per_email on message (email_id) where email_id is not null;
