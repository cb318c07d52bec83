-- The bytes of one submitted mail, for those who may not read all of them: the api shows a mail to whoever may see it.
-- Its body is bound to the table when it is created, whatever the search path of the caller is.
create function message_source(wanted text, only_part integer default null) returns table (part integer, content bytea)
language sql stable security definer set search_path = ''
begin atomic
  select p.part, p.content from public.message_part p where p.queue_id = wanted and (only_part is null or p.part = only_part) order by p.part;
end;
revoke execute on function message_source(text, integer) from public;
