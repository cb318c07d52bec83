-- The last AUTH that an examination spent on a credential (relay/doctor/budget.ts), so that asking again and again what
-- is wrong with a password does not lock the account. Belongs to relay/doctor.
create table sign_in (
  lane   text primary key references lane on delete cascade,
  at     timestamptz not null default now(),
  worked boolean not null,
  -- What the provider said when it refused.
  reply  text,
  constraint a_refusal_says_what_was_said check (worked or reply is not null)
);
