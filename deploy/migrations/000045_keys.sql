-- Keys that know their senders, their limits and their end; a key is also a password of submission over SMTP.

alter table api_key
  -- Addresses and *@domain; null: whoever the relay allows.
  add column senders          text[],
  -- What their mail is tagged with.
  add column tags             jsonb not null default '[]',
  -- Recipients in an hour of the clock and in a day of UTC.
  add column per_hour         integer,
  add column per_day          integer,
  add column expires_at       timestamptz,
  -- Written at most once a minute.
  add column last_used_at     timestamptz,
  -- The secret before the last rotation, and how long it is still taken.
  add column old_secret_hash  bytea,
  add column old_secret_until timestamptz,
  add constraint limits_let_something_pass check (per_hour > 0 and per_day > 0),
  add constraint a_key_with_senders_has_some check (cardinality(senders) > 0),
  add constraint tags_are_a_list check (jsonb_typeof(tags) = 'array'),
  add constraint an_old_secret_hash_is_sha_256 check (octet_length(old_secret_hash) = 32),
  add constraint an_old_secret_ends check ((old_secret_hash is null) = (old_secret_until is null));
create unique index api_key_by_old_secret on api_key (old_secret_hash) where old_secret_hash is not null;

-- What each key with a limit has used of its hour and its day: one row for a key, whatever it sends.
create table key_usage (
  key_id    uuid primary key references api_key on delete cascade,
  hour      timestamptz not null,
  hour_used integer not null,
  day       timestamptz not null,
  day_used  integer not null
);

-- Counts recipients against the limits of a key; a negative number gives them back. No `span` when they fit; else the
-- one that does not, and the seconds until it begins anew. Nothing is counted then.
create function count_mail_of_key(
  wanted uuid, recipients integer, out span text, out maximum integer, out used integer, out seconds integer)
language plpgsql security definer set search_path to 'public', 'pg_temp' as $$
declare
  k record;
  u key_usage;
  this_hour timestamptz := date_trunc('hour', clock_timestamp(), 'UTC');
  this_day timestamptz := date_trunc('day', clock_timestamp(), 'UTC');
begin
  select a.per_hour, a.per_day into k from api_key a where a.id = wanted and (a.per_hour > 0 or a.per_day > 0);
  if not found then
    return;
  end if;
  select * into u from key_usage where key_id = wanted for no key update;
  if not found then
    insert into key_usage values (wanted, this_hour, 0, this_day, 0) on conflict do nothing;
    select * into u from key_usage where key_id = wanted for no key update;
  end if;
  -- Who had to wait for the row may find it in the next hour already.
  if u.hour < this_hour then
    u.hour := this_hour;
    u.hour_used := 0;
  end if;
  if u.day < this_day then
    u.day := this_day;
    u.day_used := 0;
  end if;
  if recipients > 0 and u.day_used + recipients > k.per_day then
    span := 'day';
    maximum := k.per_day;
    used := u.day_used;
    seconds := greatest(1, ceil(extract(epoch from u.day + interval '1 day' - clock_timestamp())));
  elsif recipients > 0 and u.hour_used + recipients > k.per_hour then
    span := 'hour';
    maximum := k.per_hour;
    used := u.hour_used;
    seconds := greatest(1, ceil(extract(epoch from u.hour + interval '1 hour' - clock_timestamp())));
  else
    update key_usage set
      hour = u.hour, hour_used = greatest(0, u.hour_used + recipients),
      day = u.day, day_used = greatest(0, u.day_used + recipients)
    where key_id = wanted;
  end if;
end $$;
revoke execute on function count_mail_of_key(uuid, integer) from public;

-- Notes the use of keys. One that is being changed at this moment is left out: nobody waits for it.
create function keys_were_used(wanted uuid[]) returns void
language sql security definer set search_path to 'public', 'pg_temp' as $$
  update api_key k set last_used_at = now()
  from (
    select a.id from api_key a
    where a.id = any(wanted) and (a.last_used_at is null or a.last_used_at < now() - interval '50 seconds')
    order by a.id for no key update skip locked
  ) due
  where k.id = due.id
$$;
revoke execute on function keys_were_used(uuid[]) from public;

-- What the relay may know of keys: those whose secret somebody has told it, and of them no digest but the one asked for.
create function submission_keys(
  wanted bytea[], out secret_hash bytea, out id uuid, out name text, out scopes text[], out state text,
  out senders text[], out tags jsonb, out is_limited boolean, out seconds_left double precision)
returns setof record
language sql stable security definer set search_path to 'public', 'pg_temp' as $$
  select found.hash, k.id, k.name, k.scopes,
    case
      when k.revoked_at is not null then 'revoked'
      when k.expires_at <= now() then 'expired'
      when found.is_old and k.old_secret_until <= now() then 'replaced'
      else 'valid'
    end,
    k.senders, k.tags, k.per_hour is not null or k.per_day is not null,
    extract(epoch from least(k.expires_at, case when found.is_old then k.old_secret_until end) - now())::float8
  from (
    select w.hash, a.id, false as is_old from unnest(wanted) w (hash) join api_key a on a.secret_hash = w.hash
    union all
    select w.hash, a.id, true from unnest(wanted) w (hash) join api_key a on a.old_secret_hash = w.hash
  ) found join api_key k on k.id = found.id
$$;
revoke execute on function submission_keys(bytea[]) from public;

-- A relay that knows a key looks at it again at once, whoever changed it: an api, one of an older release, or a person
-- with SQL. The channel is that of deploy/bell.ts.
create function changed_keys_are_told() returns trigger language plpgsql as $$
begin
  perform pg_notify('postern_relay', '');
  return null;
end $$;
create trigger changed_keys_are_told
  after update of name, scopes, revoked_at, expires_at, senders, tags, per_hour, per_day,
    secret_hash, old_secret_hash, old_secret_until
  on api_key for each statement execute function changed_keys_are_told();
