-- submitted_message_once has the Message-IDs. A hash index walks over all mail with the same one at each insert.
drop index submitted_message_by_id;
-- one_message_per_email has them.
alter table message drop constraint message_email_id_key;
-- recipient_held_by_reason begins with the same column.
drop index recipient_held;
