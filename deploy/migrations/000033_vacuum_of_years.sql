-- PostgreSQL cleans a table when a fifth of it is dead rows. Of a hundred million that is too late: a fifth of the disk
-- would be lost for weeks, and the indexes grow meanwhile. Each day as much is forgotten as comes in, so a fiftieth is a
-- day or two. Belongs to relay/, of search_document to api/.
alter table email set (autovacuum_vacuum_scale_factor = 0.02);
alter table message set (autovacuum_vacuum_scale_factor = 0.02);
alter table message_part set (autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
alter table event set (autovacuum_vacuum_scale_factor = 0.02);
alter table search_document set (autovacuum_vacuum_scale_factor = 0.02);
alter table submission set (autovacuum_vacuum_scale_factor = 0.02);
