-- Somebody asks the relay to examine its way out now, and watches: the question, how far it has come, and the answer.
-- Rows live for a minute. Belongs to relay/client.
create table doctor_run (
  id          uuid primary key,
  asked_at    timestamptz not null default now(),
  -- The relay that examines.
  taken_by    uuid,
  walks       jsonb not null default '[]',
  report      jsonb,
  finished_at timestamptz,
  constraint a_finished_run_has_a_report check ((finished_at is null) = (report is null)),
  constraint only_a_taken_run_is_finished check (finished_at is null or taken_by is not null)
);
-- Whoever asks while another is watching watches the same one: every run may cost an AUTH.
create unique index one_doctor_run_at_a_time on doctor_run ((true)) where finished_at is null;
