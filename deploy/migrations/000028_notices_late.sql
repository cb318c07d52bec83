-- A notice that cannot be written is put off by a minute, again and again: since when it has been due tells how long
-- its submitter has waited.
alter table notice_owed add column first_due_at timestamptz;
create index notice_owed_late on notice_owed (first_due_at) where first_due_at is not null;
