-- Who asks for mail, and the people it is about: customers and their owners, invitations, onboarding
-- applications, API keys, and what makes a request safe to repeat. All of it belongs to the api.

create table customer (
  id             uuid primary key,
  name           text not null,
  email          text not null,
  status         text not null default 'invited',
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  activated_at   timestamptz,
  deactivated_at timestamptz,
  constraint status_is_known
    check (status in ('invited', 'active', 'inactive')),
  constraint an_active_customer_was_activated
    check (status <> 'active' or activated_at is not null),
  constraint an_invited_customer_was_never_activated
    check (status <> 'invited' or activated_at is null),
  constraint only_an_inactive_customer_was_deactivated
    check ((deactivated_at is not null) = (status = 'inactive')),
  constraint name_is_one_line
    check (name !~ '[\r\n]')
);
-- Addresses differ only in case for machines, never for people.
create unique index one_customer_per_address on customer (lower(email));
create index customer_by_status on customer (status, id desc);

create table owner (
  id           uuid primary key,
  customer_id  uuid not null references customer on delete cascade,
  name         text not null,
  email        text not null,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  activated_at timestamptz,
  constraint a_customer_has_one_owner unique (customer_id),
  constraint name_is_one_line check (name !~ '[\r\n]')
);
create index owner_by_address on owner (lower(email));

-- The token itself is only ever in the mail: 256 random bits, so that a plain digest of it keeps it secret.
create table invitation (
  id          uuid primary key,
  owner_id    uuid not null references owner on delete cascade,
  token_hash  bytea not null unique,
  -- No reference: the mail's row ends after RETENTION_ROWS, the invitation may not.
  email_id    uuid not null,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  accepted_at timestamptz,
  -- Sending again, deactivating and erasing end a token before its time.
  revoked_at  timestamptz,
  constraint an_accepted_invitation_was_not_revoked
    check (accepted_at is null or revoked_at is null),
  constraint a_token_hash_is_sha_256
    check (octet_length(token_hash) = 32)
);
create unique index one_live_invitation_per_owner on invitation (owner_id)
  where accepted_at is null and revoked_at is null;
create index invitation_by_owner on invitation (owner_id, id desc);

-- submitted ──▶ approved ──▶ archived; submitted ──▶ rejected ──▶ archived; rejected ──▶ approved;
-- submitted ──▶ archived. api/onboarding/application.ts draws it and names the verbs.
create table application (
  id            uuid primary key,
  status        text not null default 'submitted',
  company       text not null,
  contact_name  text not null,
  email         text not null,
  phone         text,
  website       text,
  message       text,
  note          text,
  reason        text,
  customer_id   uuid references customer on delete set null,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  decided_at    timestamptz,
  archived_at   timestamptz,
  constraint status_is_known
    check (status in ('submitted', 'approved', 'rejected', 'archived')),
  constraint an_approval_or_rejection_has_a_time
    check (status not in ('approved', 'rejected') or decided_at is not null),
  constraint a_submitted_application_is_undecided
    check (status <> 'submitted' or decided_at is null),
  constraint only_an_archived_application_was_archived
    check ((archived_at is not null) = (status = 'archived')),
  constraint only_a_decided_application_has_an_account
    check (customer_id is null or (decided_at is not null and status in ('approved', 'archived')))
);
create index application_by_status on application (status, id desc);
create index application_by_address on application (lower(email));
create unique index one_application_per_account on application (customer_id) where customer_id is not null;

create function an_application_moves_only_forward() returns trigger language plpgsql as $$
begin
  if old.status is distinct from new.status and (old.status, new.status) not in (
    ('submitted', 'approved'), ('submitted', 'rejected'), ('submitted', 'archived'),
    ('rejected', 'approved'), ('rejected', 'archived'), ('approved', 'archived')
  ) then
    raise exception 'an application that is % cannot become %', old.status, new.status
      using errcode = 'check_violation', constraint = 'an_application_moves_only_forward';
  end if;
  return new;
end $$;

create trigger an_application_moves_only_forward
  before update of status on application
  for each row execute function an_application_moves_only_forward();

-- What the mails say, where an administrator wants other words than ours.
create table template (
  kind       text primary key,
  subject    text not null,
  text       text not null,
  html       text not null,
  updated_at timestamptz not null default now(),
  constraint kind_is_known check (kind in ('invitation', 'rejection')),
  constraint subject_is_one_line check (subject !~ '[\r\n]')
);

create table api_key (
  id              uuid primary key,
  name            text not null,
  secret_hash     bytea not null unique,
  -- The last four characters: enough to tell keys apart in a list, too few to guess one.
  ending          text not null,
  scopes          text[] not null,
  rate_per_minute integer,
  created_at      timestamptz not null default now(),
  revoked_at      timestamptz,
  constraint scopes_are_known
    check (scopes <@ array['admin', 'send', 'read'] and cardinality(scopes) > 0),
  constraint a_rate_lets_something_pass
    check (rate_per_minute > 0),
  constraint a_secret_hash_is_sha_256
    check (octet_length(secret_hash) = 32)
);

-- A request that was answered, in the transaction that did what it asked for. A key is the caller's word
-- within one API key, method and path.
create table idempotency_key (
  principal   text not null,
  method      text not null,
  path        text not null,
  key         text not null,
  -- Of the body, so that the same key with another body is noticed.
  fingerprint bytea not null,
  status      smallint not null,
  -- Null when the answer carried a secret: that is said once.
  answer      text,
  created_at  timestamptz not null default now(),
  keep_until  timestamptz not null,
  primary key (principal, method, path, key)
);
create index idempotency_key_to_forget on idempotency_key (keep_until);

-- How much of a window has been given out, over all replicas. Losing it in a crash costs one window's
-- accuracy, logging it would cost every request a write ahead.
create unlogged table rate_window (
  subject    text not null,
  starts_at  timestamptz not null,
  given      integer not null,
  primary key (subject, starts_at)
);
