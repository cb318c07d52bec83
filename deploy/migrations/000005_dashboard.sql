-- What the dashboard looks at, kept beside the mail so that looking never slows the mail down. All of it but the last table
-- belongs to the api, and all of it but the sessions can be made again from the mail.

-- Who is signed in. Only a digest under the password's own key is kept: changing ADMIN_PASSWORD ends them all.
create table dashboard_session (
  token_hash bytea primary key,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint a_token_hash_is_sha_256 check (octet_length(token_hash) = 32)
);

-- What happened in each minute, counted once the minute is over: a day's plot reads 1,440 rows, not a million.
create table mail_minute (
  minute          timestamptz primary key,
  sent            integer not null,
  bounced         integer not null,
  expired         integer not null,
  other           integer not null,
  -- From due to the provider's 250, of what was sent; null in a minute without.
  lateness_p50_ms double precision,
  lateness_p99_ms double precision
);

-- The words a mail is found by. Written behind the mail, never in the transaction that takes it, and not part of
-- email, because every change of a status would write the words again. Without words: to be written again.
create table search_document (
  email_id uuid primary key,
  words    tsvector
);
create index search_document_by_word on search_document using gin (words);
create index search_document_to_write on search_document (email_id) where words is null;

-- Statements that name these columns are edits by people; hand-over and delivery never do.
create function an_edited_email_is_found_by_its_new_words() returns trigger language plpgsql as $$
begin
  update search_document set words = null where email_id = new.id;
  return null;
end $$;
create trigger an_edited_email_is_found_by_its_new_words
  after update of subject, recipients, from_address on email
  for each row execute function an_edited_email_is_found_by_its_new_words();

create function a_deleted_email_is_not_found() returns trigger language plpgsql as $$
begin
  delete from search_document d using gone where d.email_id = gone.id;
  return null;
end $$;
create trigger a_deleted_email_is_not_found
  after delete on email referencing old table as gone
  for each statement execute function a_deleted_email_is_not_found();

-- Mail of other applications, which has no row in email, the newest first.
create index submitted_message on message (queue_id desc) where email_id is null;

-- What each cause means and what to do about it, for the provider at hand. The relay writes it when it starts,
-- because only the relay knows the words; whoever shows a cause reads it.
create table cause (
  slug    text primary key,
  title   text not null,
  meaning text not null,
  fix     text not null
);
