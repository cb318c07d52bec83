-- Logins of submitters: from where which login has passed (for 30 days), and how often it failed lately. Shared by all
-- relays. A key of login_failure is a digest of network and name, or of the network alone.

create table login_proof (
  credential   text not null,
  network      text not null,
  succeeded_at timestamptz not null default now(),
  primary key (credential, network)
);
create index login_proof_age on login_proof (succeeded_at);

create table login_failure (
  key      text primary key,
  failures integer not null,
  since    timestamptz not null default now()
);
create index login_failure_age on login_failure (since);
