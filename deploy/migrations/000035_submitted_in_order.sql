-- no transaction
-- New mail at the end of an index fills its pages; at the front, where submitted_message has it, each stays half empty.
create index concurrently submitted_message_in_order on message (queue_id) where email_id is null;
