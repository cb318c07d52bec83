-- no transaction
-- The page of a mail shows those that were made of it.
create index concurrently message_sent_again on message (again_of, queue_id) where again_of is not null;
