-- Of the envelope and the bytes that came with an X-Postern-Idempotency-Key: the same key with others is refused. Rows of
-- earlier releases have none and match by their key alone; where the key is itself such a digest there is none either.
alter table submission add column digest bytea;
