-- The ways out. A lane is one credential at one provider; what one relay learns about it, all relays obey.
-- All tables belong to relay/delivery.

-- Claims look at each priority in turn (relay/delivery/claim.ts); one outside of this range would never leave.
alter table recipient add constraint priority_is_between_0_and_9 check (priority between 0 and 9);

-- The head of the queue is rewritten all the time: vacuum often, so that claims do not wade through the dead.
alter table recipient set (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
);

create table lane (
  -- Provider, host, user and fingerprint of the password: a changed password is a new lane, open and unproven,
  -- while a relay that still holds the old one keeps seeing the old lane.
  key            text primary key,
  name           text not null,
  state          text not null default 'open',
  -- Why it is not open: a cause slug, and the provider's or the system's own words.
  cause          text,
  detail         text,
  since          timestamptz not null default now(),
  next_probe_at  timestamptz,
  probe_failures integer not null default 0,
  -- The last time the provider took this credential.
  proven_at      timestamptz,
  -- One AUTH at a time, whoever asks: too many failures lock accounts.
  auth_by        uuid,
  auth_until     timestamptz,
  constraint lane_state_is_known check (state in ('open', 'paused', 'stopped', 'unreachable')),
  constraint a_lane_that_is_not_open_says_why check ((state = 'open') = (cause is null)),
  constraint only_a_lane_that_is_not_open_is_probed check ((state = 'open') = (next_probe_at is null))
);

create table route (
  lane              text not null references lane on delete cascade,
  name              text not null,
  state             text not null default 'good',
  cause             text,
  since             timestamptz not null default now(),
  next_probe_at     timestamptz,
  good_probes       smallint not null default 0,
  -- How long it must behave before it is trusted again; doubled when it relapses.
  hold_down_seconds double precision not null default 300,
  -- Final replies that never came, one after the other.
  uncertain_in_a_row smallint not null default 0,
  primary key (lane, name),
  constraint route_state_is_known check (state in ('good', 'bad', 'stopped')),
  constraint a_route_that_is_not_good_says_why check ((state = 'good') = (cause is null)),
  constraint only_a_route_that_is_not_good_is_probed check ((state = 'good') = (next_probe_at is null))
);

-- A sender whom the provider does not let this credential use. Only that sender's mail is held.
create table sender_hold (
  lane           text not null references lane on delete cascade,
  sender         text not null,
  cause          text not null,
  detail         text not null,
  since          timestamptz not null default now(),
  next_probe_at  timestamptz not null,
  probe_failures integer not null default 0,
  primary key (lane, sender)
);

-- Connections to a provider are counted per credential, not per relay.
create table connection_slot (
  lane        text not null references lane on delete cascade,
  slot        smallint not null,
  instance    uuid not null,
  lease_until timestamptz not null,
  primary key (lane, slot)
);

create table lane_replica (
  instance uuid primary key,
  busy     boolean not null,
  seen_at  timestamptz not null default now()
);

-- Recipients handed to a provider, by the minute: what hourly and daily limits are measured with.
create table lane_usage (
  lane       text not null references lane on delete cascade,
  minute     timestamptz not null,
  recipients integer not null,
  primary key (lane, minute)
);

-- QUEUE_LIFETIME counts only time in which a lane was open; the gaps are written down here.
create table open_clock (
  only_row     boolean primary key default true check (only_row),
  last_open_at timestamptz not null default now()
);
insert into open_clock default values;
create table lane_closure (
  from_at  timestamptz primary key,
  until_at timestamptz not null
);

-- Which database this is: a restored backup knows nothing of the mail that was sent after it was taken.
create table database_identity (
  only_row          boolean primary key default true check (only_row),
  system_identifier text not null,
  timeline          integer not null
);
