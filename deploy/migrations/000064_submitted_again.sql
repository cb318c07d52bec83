-- The submitted mail that this one sends again.
alter table message add column again_of text collate "C";

-- A submitted mail once more, with another id and header: whoever may not write mail of its own may do this. `octets` is the
-- size of all of it. Whom nobody knows any more gets nothing. Answers how many get it; 0 when there is no such mail.
create function submit_again(
  wanted text, again text, again_message_id text, first_part bytea, octets integer, actor text, nobody text
) returns integer language plpgsql security definer set search_path to 'public', 'pg_temp' as $$
declare
  served integer;
begin
  if not exists (select from message_part where queue_id = wanted and part = 0) then
    return 0;
  end if;
  insert into message (queue_id, credential, sender, header_from, message_id, subject, size, priority, smtputf8, eight_bit,
    ret, envid, tags, stream, ignore_suppression, submitted, again_of)
  select again, m.credential, m.sender, m.header_from, again_message_id, m.subject, octets, m.priority, m.smtputf8, m.eight_bit,
    m.ret, m.envid, m.tags, m.stream, m.ignore_suppression,
    jsonb_strip_nulls(jsonb_build_object('key', m.submitted -> 'key', 'recipients', m.submitted -> 'recipients', 'actor', actor)),
    wanted
  from message m where m.queue_id = wanted and m.email_id is null;
  if not found then
    return 0;
  end if;
  insert into message_part (queue_id, part, content)
  select again, p.part, case when p.part = 0 then first_part else p.content end
  from message_part p where p.queue_id = wanted;
  insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at, notify, orcpt)
  select again, r.ordinal, r.address, 'queued', m.priority, now(), r.notify, r.orcpt
  from recipient r join message m on m.queue_id = again
  where r.queue_id = wanted and r.address <> nobody;
  get diagnostics served = row_count;
  return served;
end $$;
revoke execute on function submit_again(text, text, text, bytea, integer, text, text) from public;
