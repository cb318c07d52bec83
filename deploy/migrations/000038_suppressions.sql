-- Addresses that are not written to. Looked up at every claim, so that mail of the API, of SMTP and of forms obeys alike.

-- One secret of this database, made once, which no process may read: with it a digest of an address tells nobody the
-- address, not even by trying all that exist.
create table suppression_key (
  only_row boolean primary key default true check (only_row),
  key      bytea not null
);
insert into suppression_key (key)
values (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

create table suppression (
  id              uuid primary key,
  -- As it was given. Null once the person was erased: the digest stays, so that a forgotten person stays unwritten.
  address         text,
  digest          bytea not null,
  -- Of the same address with its domain in letters of its language, where it has some.
  digest_unicode  bytea,
  -- '' is all mail.
  stream          text not null default '',
  reason          text not null,
  cause           text,
  source_email_id uuid,
  source_queue_id text,
  reply           text,
  note            text,
  created_at      timestamptz not null default now(),
  expires_at      timestamptz,
  constraint reason_is_known check (reason in ('manual', 'bounce', 'complaint', 'unsubscribe')),
  constraint a_digest_is_sha_256 check (octet_length(digest) = 32 and octet_length(digest_unicode) = 32),
  constraint one_suppression_per_address unique (digest, stream)
);
create index suppression_by_unicode on suppression (digest_unicode) where digest_unicode is not null;
create index suppression_expires on suppression (expires_at) where expires_at is not null;

-- Letters of ASCII without regard to their case, and nothing else folded: what stands before the @ belongs to the
-- recipient's server.
create function suppression_digest(address text) returns bytea language sql stable
security definer set search_path to 'public', 'pg_temp' as $$
  select sha256(k.key || convert_to(lower(address collate "C"), 'UTF8')) from suppression_key k
$$;
revoke execute on function suppression_digest(text) from public;

-- Why the address is not written to; null when it may be.
create function suppression_of(address text) returns text language plpgsql stable
security definer set search_path to 'public', 'pg_temp' as $$
declare
  wanted bytea := suppression_digest(address);
begin
  return (
    select s.reason from suppression s
    where (s.digest = wanted or s.digest_unicode = wanted) and s.stream = ''
      and (s.expires_at is null or s.expires_at > now())
    limit 1);
end $$;
revoke execute on function suppression_of(text) from public;

create function a_changed_suppression_is_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
declare
  it suppression := case when tg_op = 'INSERT' then new else old end;
begin
  if it.address is not null then
    perform tell_webhooks(
      case when tg_op = 'INSERT' then 'suppression.added' else 'suppression.removed' end,
      jsonb_build_object('address', it.address, 'reason', it.reason, 'cause', it.cause,
        'title', (select title from cause where slug = it.cause), 'source_email_id', it.source_email_id));
  end if;
  return null;
end $$;
create trigger a_changed_suppression_is_told
  after insert or delete on suppression for each row execute function a_changed_suppression_is_told();

alter table recipient drop constraint finished_means_final;
alter table recipient add constraint finished_means_final
  check ((finished_at is not null) = (status in ('bounced', 'suppressed', 'expired', 'cancelled', 'captured', 'sent')))
  not valid;
alter table email drop constraint finished_means_final;
alter table email add constraint finished_means_final
  check ((finished_at is not null) = (status in ('bounced', 'suppressed', 'expired', 'cancelled', 'captured', 'sent')))
  not valid;

-- As before, and `suppressed` is final.
create or replace function recipients_decide_the_email_status() returns trigger language plpgsql as $$
begin
  -- Only a mark leaves a recipient both `sending` and marked: whoever claims it takes the old mark away.
  perform 1 from email e
    where e.id in (
      select c.email_id from changed c
      where c.email_id is not null and not (c.status = 'sending' and c.marked_at is not null))
    order by e.id for no key update;
  if not found then
    return null;
  end if;
  update email e
  set status = d.status,
      reason = d.reason,
      reason_detail = d.reason_detail,
      finished_at = case
        when d.status in ('bounced', 'suppressed', 'expired', 'cancelled', 'captured', 'sent') then coalesce(e.finished_at, now())
      end,
      updated_at = now()
  from (select distinct c.queue_id, c.email_id from changed c where c.email_id is not null) touched
  cross join lateral (
    select r.status, r.reason, r.reason_detail
    from recipient r where r.queue_id = touched.queue_id order by r.status, r.ordinal limit 1
  ) d
  where e.id = touched.email_id
    and (e.status, e.reason, e.reason_detail) is distinct from (d.status, d.reason, d.reason_detail);
  return null;
end $$;
