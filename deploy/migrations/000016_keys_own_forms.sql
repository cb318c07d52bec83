-- A client's form belongs to the key that saved it first, as its mails do; null belongs to the next key that saves it.
alter table client_email_config add column api_key_id uuid;

-- Forms from before belong to the key that asked for their newest mail.
update client_email_config c set api_key_id = (
  select e.api_key_id from email e
  where e.client_id = c.client_id and e.entry_key is not null
  order by e.id desc limit 1
);

-- A key with the scope `send` lists its own mail, also where it is one of many.
create index email_by_api_key on email (api_key_id, id desc) where api_key_id is not null;
