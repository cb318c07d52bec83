-- no transaction
create index concurrently email_by_tag on email using gin (tags jsonb_path_ops) where tags <> '[]';
