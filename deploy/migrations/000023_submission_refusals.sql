-- What was refused to submitters, for the dashboard. The same refusal of the same client within an hour is one row. The
-- relay keeps the newest 10,000.
create table refusal (
  key        text primary key, -- a digest of client, credential, stage, reason and hour
  client     text not null,    -- an address; of IPv6 the /64
  credential text not null,    -- or the name that was tried; '' for none
  stage      text not null,
  reason     text not null,
  sender     text not null,
  reply      text not null,
  count      integer not null,
  first_at   timestamptz not null default now(),
  last_at    timestamptz not null default now()
);
create index refusal_newest on refusal (last_at);
