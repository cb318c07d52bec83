-- no transaction
-- The page of an email shows those that were made of it.
create index concurrently email_sent_again on email (again_of, id) where again_of is not null;
