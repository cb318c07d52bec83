-- The sending mailbox, in which delivery reports arrive (relay/mailbox).

-- Who reads it, and how it goes.
create table bounce_mailbox (
  -- USER HOST
  key           text primary key,
  held_by       uuid,
  lease_until   timestamptz,
  state         text not null default 'starting',
  cause         text,
  detail        text,
  since         timestamptz not null default now(),
  last_look_at  timestamptz,
  -- Failures in a row, and when the next try is due.
  failures      integer not null default 0,
  next_try_at   timestamptz,
  constraint state_is_known check (state in ('starting', 'reading', 'failing'))
);

-- How far it was read. A server that gives its mail new UIDs says so by a new UIDVALIDITY (RFC 9051 section 2.3.1.1).
create table bounce_folder (
  mailbox       text not null references bounce_mailbox on delete cascade,
  folder        text not null,
  uid_validity  bigint not null,
  last_uid      bigint not null,
  primary key (mailbox, folder)
);
