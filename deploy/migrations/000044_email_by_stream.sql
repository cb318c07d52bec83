-- no transaction
create index concurrently email_by_stream on email (stream, id desc) where stream is not null;
