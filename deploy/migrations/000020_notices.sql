-- What a submitter wants to hear about its mail (RFC 3461), and the notices that are owed for it. A notice is owed in
-- the same statement that stores the result of its recipient, and written later in one transaction that also deletes
-- the row here: neither an error nor a crash in between loses it or writes it twice.

alter table message
  add column ret   text,
  add column envid text, -- in xtext, as it came
  add constraint ret_is_known check (ret in ('FULL', 'HDRS'));

alter table recipient
  add column notify text, -- NEVER, or words with commas; null is FAILURE
  add column orcpt  text, -- as it came
  add constraint notify_is_known
    check (notify ~ '^(NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY)){0,2})$');

create table notice_owed (
  queue_id text collate "C" not null,
  ordinal  smallint not null,
  action   text not null,
  due_at   timestamptz not null default now(),
  primary key (queue_id, ordinal, action),
  foreign key (queue_id, ordinal) references recipient on delete cascade,
  constraint action_is_known check (action in ('failed', 'delayed', 'relayed'))
);
create index notice_owed_due on notice_owed (due_at);
