-- Belongs to api/. One secret of this database, made once: links of one-click unsubscription (RFC 8058) are sealed under
-- it, and have to be understood for years.
create table unsubscribe_key (
  only_row boolean primary key default true check (only_row),
  key      bytea not null
);
insert into unsubscribe_key (key)
values (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
