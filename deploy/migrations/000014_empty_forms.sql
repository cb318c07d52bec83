-- Whoever takes the last mail out of a form may take its recipients out as well. That mail has recipients is held by
-- the mail itself (an_email_has_recipients).
alter table client_email_config drop constraint a_config_has_recipients;
alter table client_email_config add constraint recipients_are_a_list check (jsonb_typeof(recipients) = 'array');
