-- Set while the mail of a restored backup is being held, which takes a while: when that was noticed, the newest message
-- and email of the backup, and the id below which emails were not looked at yet. Until then claims refuse that mail.
alter table database_identity
  add column restored_at            timestamptz,
  add column restored_up_to_message text collate "C",
  add column restored_up_to_email   uuid,
  add column restored_emails_left   uuid,
  add constraint a_restore_says_how_far_its_mail_reaches
    check ((restored_at is null) = (restored_up_to_message is null)
       and (restored_at is null) = (restored_up_to_email is null));

-- When a part was stored, by the database's clock: a relay whose clock is wrong must not have its parts swept while the
-- rest of the message is still arriving.
alter table message_part add column stored_at timestamptz default now();
