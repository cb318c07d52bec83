-- The trace of the request that asked for a mail (W3C Trace Context), so that whoever hands it over and whoever sends
-- it, days later and in other processes, go on with the same one.
alter table email add column traceparent text;

-- Rows from before have none and need no look: a look at all of them would hold the table for as long as it takes.
alter table email add constraint a_traceparent_has_its_form
  check (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') not valid;
