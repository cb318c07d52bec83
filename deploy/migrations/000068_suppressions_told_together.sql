-- Once a statement, for all addresses that it added or removed: a file of 100,000 asked whether anybody listens 100,000 times.
create function changed_suppressions_are_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
declare
  told text := case when tg_op = 'INSERT' then 'suppression.added' else 'suppression.removed' end;
  wake boolean;
begin
  if not exists (select from webhook where listens) then
    return null;
  end if;
  wake := a_webhook_is_idle();
  with news as materialized (
    select new_webhook_event_id() as id,
      jsonb_build_object('address', s.address, 'stream', nullif(s.stream, ''), 'reason', s.reason,
        'cause', s.cause, 'title', c.title, 'source_email_id', s.source_email_id) as data
    from changed s left join cause c on c.slug = s.cause where s.address is not null order by s.id
  )
  insert into webhook_delivery (id, webhook_id, type, data)
  select n.id, w.id, told, n.data
  from news n cross join webhook w where w.listens and (w.events is null or told = any(w.events));
  if found and wake then
    perform pg_notify('postern_webhooks', '');
  end if;
  return null;
end $$;

drop trigger a_changed_suppression_is_told on suppression;
drop function a_changed_suppression_is_told();
create trigger added_suppressions_are_told after insert on suppression
  referencing new table as changed for each statement execute function changed_suppressions_are_told();
create trigger removed_suppressions_are_told after delete on suppression
  referencing old table as changed for each statement execute function changed_suppressions_are_told();
