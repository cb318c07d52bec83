-- To which stream a mail belongs, such as `newsletter`: a suppression may be for one stream only. And whether it goes
-- out in spite of the list. Both stand with the message as well, so that a claim need not look at the email.
alter table email add column stream text, add column ignore_suppression boolean not null default false;
alter table message add column stream text, add column ignore_suppression boolean not null default false;
alter table email add constraint stream_is_one_word check (stream ~ '^[A-Za-z0-9_-]+$' and length(stream) <= 256) not valid;
alter table message add constraint stream_is_one_word check (stream ~ '^[A-Za-z0-9_-]+$' and length(stream) <= 256) not valid;

-- Of all mails of a form.
alter table client_email_config add column tags jsonb not null default '[]', add column stream text;
