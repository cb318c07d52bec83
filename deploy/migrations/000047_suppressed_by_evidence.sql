-- Addresses that come onto the suppression list by what a provider or a delivery report says.

-- recipient_bounced knows more.
drop index recipient_bounced_before;

-- How it came onto the list: over the API, from a file, by a provider's reply, by a report in the mailbox.
alter table suppression add column source text not null default 'api';
alter table suppression add constraint source_is_known check (source in ('api', 'import', 'reply', 'report')) not valid;
-- How many the mailbox added within the hour.
create index suppression_by_report on suppression (created_at) where source = 'report';

-- Addresses that this report would have put onto the list, had there not been too many within an hour.
alter table bounce_report add column withheld integer not null default 0;
create index bounce_report_withheld on bounce_report (read_at) where withheld > 0;

-- When an address first bounced in another mail, by a fault of its own. It is asked by its spellings in small letters,
-- which an erased person has no more.
create function bounced_before(queue text, spellings text[]) returns timestamptz language sql stable as $$
  select min(coalesce(r.bounced_at, r.finished_at)) from recipient r
  where r.status = 'bounced' and lower(r.address collate "C") = any(spellings) and r.queue_id <> queue
    and r.reason in ('user-unknown', 'mailbox-disabled', 'bad-domain')
$$;

-- All that the relay may do to the list: put a recipient of its queue onto it, for what a mail has shown. What stands
-- already stays as it is, also that of an erased person. `spellings` are the address with its domain in ASCII, and in
-- letters of its language where it has some. Answers `added`, `stands`, `nobody`, `once` (of two that it takes) or
-- `too-many`.
create function suppress_recipient(
  queue text, place smallint, spellings text[], reason text, cause text, reply text,
  source text, takes_two boolean, hourly_limit integer
) returns text language plpgsql volatile
security definer set search_path to 'public', 'pg_temp' as $$
declare
  whom recipient;
  wanted bytea := suppression_digest(spellings[1]);
begin
  if reason not in ('bounce', 'complaint') or source not in ('reply', 'report') then
    raise exception 'The relay suppresses for bounces and complaints only, not for % of %', reason, source;
  end if;
  select r.* into whom from recipient r where r.queue_id = queue and r.ordinal = place;
  if whom.address is null or whom.address = 'erased@erased.invalid' then
    return 'nobody';
  end if;
  if takes_two and not coalesce(bounced_before(queue, spellings) <= now() - interval '24 hours', false) then
    return 'once';
  end if;
  if hourly_limit is not null then
    -- One after the other, or two would count before either has written.
    perform pg_advisory_xact_lock(hashtext('suppressions of reports'));
    if not exists (select from suppression s where s.digest = wanted and s.stream = ''
                   and (s.expires_at is null or s.expires_at > now()))
      and (select count(*) from suppression s
           where s.source = 'report' and s.created_at > now() - interval '1 hour') >= hourly_limit
    then
      return 'too-many';
    end if;
  end if;
  delete from suppression s where s.digest = wanted and s.stream = '' and s.expires_at <= now();
  insert into suppression as s (id, address, digest, digest_unicode, reason, cause, source_email_id, source_queue_id,
                                reply, source)
  values (new_webhook_event_id(), whom.address, wanted,
          case when spellings[2] is not null then suppression_digest(spellings[2]) end,
          suppress_recipient.reason, suppress_recipient.cause, whom.email_id, whom.queue_id,
          left(suppress_recipient.reply, 1000), suppress_recipient.source)
  on conflict on constraint one_suppression_per_address do nothing;
  return case when found then 'added' else 'stands' end;
end $$;
revoke execute on function suppress_recipient(text, smallint, text[], text, text, text, text, boolean, integer) from public;
