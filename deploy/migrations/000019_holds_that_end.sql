-- A hold on a sender knows at which stage the provider refused it, so that a later yes at that stage lifts it, and every
-- cause it was placed for, so that mail held for an earlier cause is released with the rest.
-- `stage` is null in holds from before: those are lifted by a mail that the provider takes. `asked_for` is the queue id of
-- the mail that a person tried again: it is the next probe, so that its timeline says what the provider answered.
alter table sender_hold
  add column stage     text,
  add column causes    text[] not null default '{}',
  add column asked_for text;

-- When a lane was last probed: a person may ask for the next probe, but a provider that counts refused logins must not
-- see one for every click.
alter table lane add column probed_at timestamptz;
