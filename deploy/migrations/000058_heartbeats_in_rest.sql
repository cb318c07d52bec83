-- What a relay says of itself has 2 KB and more and seldom changes; that it lives is written every few seconds. Kept
-- apart, the row that is written is a small one.
alter table heartbeat alter column report set storage external;
alter table heartbeat set (toast_tuple_target = 256, fillfactor = 50);
alter table lane_replica set (fillfactor = 50);
alter table connection_slot set (fillfactor = 50);
alter table open_clock set (fillfactor = 50);
