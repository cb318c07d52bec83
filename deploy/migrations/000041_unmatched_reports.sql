-- Why a report changed nothing: it names no mail by an id, the mail is not known here, or the recipient was not one of
-- it. Null for reports that were matched, and for those that could not be read.
alter table bounce_report add column why text;
alter table bounce_report add constraint why_is_known
  check (why in ('no-id', 'mail-unknown', 'recipient-unknown')) not valid;

create index bounce_report_without_effect on bounce_report (read_at) where outcome <> 'matched';
