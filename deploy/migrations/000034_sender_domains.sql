-- What DNS says of the domains that mail is sent from. The relay looks and writes; others read.
create table sender_domain (
  domain        text primary key,
  -- Key of the provider that sends for it; null where it is none we know.
  provider      text,
  -- A running relay has this domain among its senders.
  named_at      timestamptz not null default now(),
  -- Also the lease: whoever takes a look pushes it into the future first.
  next_check_at timestamptz not null default now(),
  checked_at    timestamptz,
  result        text,
  -- What two looks in a row agreed on.
  settled       text,
  settled_at    timestamptz,
  findings      jsonb not null default '[]',
  receivers     jsonb not null default '[]',
  constraint result_is_known check (result in ('pass', 'note', 'warn', 'fail', 'unknown', 'not-applicable')),
  constraint settled_is_known check (settled in ('pass', 'note', 'warn', 'fail', 'not-applicable')),
  constraint a_look_has_a_result check ((checked_at is null) = (result is null))
);
create index sender_domain_due on sender_domain (next_check_at);

create function a_changed_domain_is_told() returns trigger language plpgsql
security definer set search_path to 'public', 'pg_temp' as $$
declare
  worst jsonb := (select f from jsonb_array_elements(new.findings) f where f ->> 'result' = new.settled limit 1);
begin
  perform tell_webhooks('domain.changed', jsonb_build_object(
    'domain', new.domain, 'status', new.settled, 'cause', worst ->> 'cause', 'title', worst ->> 'title'));
  return null;
end $$;

create trigger a_changed_domain_is_told
  after update of settled on sender_domain for each row
  when (old.settled is distinct from new.settled)
  execute function a_changed_domain_is_told();
