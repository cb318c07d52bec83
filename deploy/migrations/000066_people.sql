-- Who works with the dashboard besides the one who knows ADMIN_PASSWORD. Belongs to the api. Users are disabled and never
-- deleted: what they did stays theirs.
create table dashboard_user (
  id                  uuid primary key,
  name                text not null,
  role                text not null,
  -- scrypt, with a salt of its own. Whoever signs in by OpenID Connect has none.
  password_hash       bytea,
  password_salt       bytea,
  -- Somebody else knows it: it was made for the user.
  password_is_initial boolean not null default false,
  -- Who says so, and its name for the user, when that is not Postern.
  issuer              text,
  subject             text,
  created_at          timestamptz not null default now(),
  disabled_at         timestamptz,
  last_sign_in_at     timestamptz,
  constraint a_role_is_known check (role in ('view', 'operate', 'admin')),
  constraint a_user_signs_in_here_or_elsewhere check (
    (issuer is null) = (password_hash is not null)
    and (issuer is null) = (password_salt is not null)
    and (issuer is null) = (subject is null)
  )
);
create unique index a_name_signs_in_one_user on dashboard_user (lower(name)) where issuer is null;
create unique index a_subject_is_one_user on dashboard_user (issuer, subject) where issuer is not null;

-- Null: whoever knows ADMIN_PASSWORD. What a user may do is read with every request.
alter table dashboard_session add column user_id uuid references dashboard_user;
create index dashboard_session_by_user on dashboard_session (user_id) where user_id is not null;
