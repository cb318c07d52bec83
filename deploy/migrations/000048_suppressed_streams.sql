-- Why mail of this stream is not written to the address; null when it may be. An entry without a stream is for all mail.
drop function suppression_of(text);
create function suppression_of(address text, of_stream text default null) returns text language plpgsql stable
security definer set search_path to 'public', 'pg_temp' as $$
declare
  wanted bytea := suppression_digest(address);
begin
  return (
    select s.reason from suppression s
    where (s.digest = wanted or s.digest_unicode = wanted) and s.stream in ('', coalesce(of_stream, ''))
      and (s.expires_at is null or s.expires_at > now())
    order by s.stream limit 1);
end $$;
revoke execute on function suppression_of(text, text) from public;

create or replace function a_changed_suppression_is_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
declare
  it suppression := case when tg_op = 'INSERT' then new else old end;
begin
  if it.address is not null then
    perform tell_webhooks(
      case when tg_op = 'INSERT' then 'suppression.added' else 'suppression.removed' end,
      jsonb_build_object('address', it.address, 'stream', nullif(it.stream, ''), 'reason', it.reason,
        'cause', it.cause, 'title', (select title from cause where slug = it.cause),
        'source_email_id', it.source_email_id));
  end if;
  return null;
end $$;
