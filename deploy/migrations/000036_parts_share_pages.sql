-- A mail of 4 KB in one row takes a page of 8 KB alone. Cut in pieces by PostgreSQL's usual rule it shares pages with
-- others: 7.7 KB of disk for each mail instead of 10.3 KB. What is stored stays as it is until it is erased.
alter table message_part reset (toast_tuple_target);
-- submitted_message_in_order is read in both directions.
drop index submitted_message;
