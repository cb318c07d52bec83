-- no transaction
-- What a key has sent over SMTP: its credential is key:ID, and names of RELAY_USERS hold no colon.
create index concurrently message_by_key on message (credential, queue_id) where credential like 'key:%';
