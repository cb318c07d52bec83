-- When somebody was alerted that the endpoint was disabled: once, however many relays there are. Null while it is enabled.
alter table webhook add column told_at timestamptz;
