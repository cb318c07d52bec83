-- Replies that no rule knows by their words, for a person to look at: without addresses, hosts and ids. At most 200.
-- Written by delivery, read by relay/client.
create table unknown_reply (
  fingerprint bytea primary key,
  template    text not null,
  cause       text not null,
  seen        integer not null default 1,
  first_at    timestamptz not null default now(),
  last_at     timestamptz not null default now()
);
create index unknown_reply_last_at on unknown_reply (last_at);
