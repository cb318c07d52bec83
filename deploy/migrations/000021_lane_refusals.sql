-- Refusals after MAIL that may be about us or about one mail only: whether they stop a credential is decided from what
-- other recipients were told, and from what the provider has taken since. Rows live for a day. Belongs to delivery.
create table lane_refusal (
  lane       text not null references lane on delete cascade,
  cause      text not null,
  -- A hash: nobody has to erase it when a person asks to be forgotten.
  recipient  bytea not null,
  queue_id   text not null,
  refused_at timestamptz not null default now(),
  primary key (lane, cause, recipient)
);
create index lane_refusal_refused_at on lane_refusal (refused_at);
