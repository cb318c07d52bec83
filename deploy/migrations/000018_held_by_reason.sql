-- no transaction
-- Held mail of one reason, the oldest first: what was held is released in batches.
create index concurrently recipient_held_by_reason on recipient (reason, queue_id, ordinal) where status = 'held';
