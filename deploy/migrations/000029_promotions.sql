-- When it was last noticed that commits are missing, so that several relays that notice it hold the mail once.
alter table database_identity add column restore_noticed_at timestamptz;
