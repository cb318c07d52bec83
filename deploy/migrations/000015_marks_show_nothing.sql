-- A mark tells the relay something and the reader of an email nothing: its recipient was and stays `sending`. Every
-- mail is marked, so the look at the email, and the lock on it, are spared. PostgreSQL replaces a function only whole:
-- what is new is the condition in the first statement.
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
        when d.status in ('bounced', 'expired', 'cancelled', 'captured', 'sent') then coalesce(e.finished_at, now())
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
