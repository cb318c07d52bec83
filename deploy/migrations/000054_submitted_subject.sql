-- What submitted mail is about, so that it is found by its words also when its bytes are gone. Mail of the api has its
-- subject in email, and mail from before has none here.
alter table message add column subject text;
