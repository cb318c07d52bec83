-- The schema after all migrations, to be read: `npm run schema` writes it, and nothing runs it.

create type mail_status as enum (
  'uncertain',
  'held',
  'sending',
  'deferred',
  'queued',
  'pending',
  'bounced',
  'suppressed',
  'expired',
  'cancelled',
  'captured',
  'sent'
);

create table api_key (
  id uuid not null,
  name text not null,
  secret_hash bytea not null,
  ending text not null,
  scopes text[] not null,
  rate_per_minute integer,
  created_at timestamp with time zone not null default now(),
  revoked_at timestamp with time zone,
  senders text[],
  tags jsonb not null default '[]'::jsonb,
  per_hour integer,
  per_day integer,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  old_secret_hash bytea,
  old_secret_until timestamp with time zone
);
create table application (
  id uuid not null,
  status text not null default 'submitted'::text,
  company text not null,
  contact_name text not null,
  email text not null,
  phone text,
  website text,
  message text,
  note text,
  reason text,
  customer_id uuid,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  decided_at timestamp with time zone,
  archived_at timestamp with time zone
);
create table audit_entry (
  id uuid not null,
  at timestamp with time zone not null default now(),
  actor_kind text not null,
  actor_id uuid,
  act text not null,
  object_kind text,
  object_id text,
  before jsonb not null default '{}'::jsonb,
  after jsonb not null default '{}'::jsonb
);
create table bounce_folder (
  mailbox text not null,
  folder text not null,
  uid_validity bigint not null,
  last_uid bigint not null
);
create table bounce_mailbox (
  key text not null,
  held_by uuid,
  lease_until timestamp with time zone,
  state text not null default 'starting'::text,
  cause text,
  detail text,
  since timestamp with time zone not null default now(),
  last_look_at timestamp with time zone,
  failures integer not null default 0,
  next_try_at timestamp with time zone
);
create table bounce_report (
  digest bytea not null,
  read_at timestamp with time zone not null default now(),
  outcome text not null,
  why text,
  withheld integer not null default 0
);
create table canary (
  token text not null,
  domain text not null,
  sender text not null,
  recipient text not null,
  queue_id text not null,
  queued_at timestamp with time zone not null default now(),
  returned_at timestamp with time zone,
  folder text,
  is_junk boolean,
  result text,
  findings jsonb not null default '[]'::jsonb,
  selectors text[] not null default '{}'::text[]
);
create table cause (
  slug text not null,
  title text not null,
  meaning text not null,
  fix text not null
);
create table client_email_config (
  client_id text not null,
  enabled boolean not null,
  recipients jsonb not null,
  from_name text,
  reply_to jsonb not null default '[]'::jsonb,
  time_zone text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  api_key_id uuid,
  tags jsonb not null default '[]'::jsonb,
  stream text
);
create table connection_slot (
  lane text not null,
  slot smallint not null,
  instance uuid not null,
  lease_until timestamp with time zone not null
) with (fillfactor=50);
create table customer (
  id uuid not null,
  name text not null,
  email text not null,
  status text not null default 'invited'::text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  activated_at timestamp with time zone,
  deactivated_at timestamp with time zone
);
create table dashboard_session (
  token_hash bytea not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  user_id uuid
);
create table dashboard_user (
  id uuid not null,
  name text not null,
  role text not null,
  password_hash bytea,
  password_salt bytea,
  password_is_initial boolean not null default false,
  issuer text,
  subject text,
  created_at timestamp with time zone not null default now(),
  disabled_at timestamp with time zone,
  last_sign_in_at timestamp with time zone
);
create table database_identity (
  only_row boolean not null default true,
  system_identifier text not null,
  timeline integer not null,
  restored_at timestamp with time zone,
  restored_up_to_message text collate "C",
  restored_up_to_email uuid,
  restored_emails_left uuid,
  restore_noticed_at timestamp with time zone,
  missing_since timestamp with time zone,
  missing_until timestamp with time zone,
  asked uuid[]
);
create table doctor_run (
  id uuid not null,
  asked_at timestamp with time zone not null default now(),
  taken_by uuid,
  walks jsonb not null default '[]'::jsonb,
  report jsonb,
  finished_at timestamp with time zone
);
create table email (
  id uuid not null,
  kind text not null,
  status mail_status not null default 'pending'::mail_status,
  reason text,
  reason_detail text,
  api_key_id uuid,
  customer_id uuid,
  client_id text,
  entry_key text,
  from_address text not null,
  from_name text,
  reply_to jsonb not null default '[]'::jsonb,
  recipients jsonb not null,
  subject text not null,
  text_body text,
  html_body text,
  headers jsonb not null default '[]'::jsonb,
  message_id text not null,
  due_at timestamp with time zone not null default now(),
  time_zone text,
  local_time text,
  max_lateness interval,
  on_uncertain text,
  priority smallint not null default 0,
  paused boolean not null default false,
  token bytea not null,
  queue_id text collate "C",
  hand_over_attempts integer not null default 0,
  next_hand_over_at timestamp with time zone,
  revision integer not null default 1,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  accepted_at timestamp with time zone,
  finished_at timestamp with time zone,
  erased_at timestamp with time zone,
  traceparent text,
  tags jsonb not null default '[]'::jsonb,
  stream text,
  ignore_suppression boolean not null default false,
  again_of uuid
) with (autovacuum_vacuum_scale_factor=0.02);
create table email_attachment (
  email_id uuid not null,
  ordinal smallint not null,
  filename text not null,
  content_type text not null,
  content_id text,
  content bytea storage 'e' not null
);
create table event (
  id bigint not null generated always as identity,
  at timestamp with time zone not null default now(),
  type text not null,
  email_id uuid,
  queue_id text collate "C",
  recipient text,
  detail jsonb not null default '{}'::jsonb
) with (autovacuum_vacuum_scale_factor=0.02);
create table heartbeat (
  instance uuid not null,
  process text not null,
  started_at timestamp with time zone not null default now(),
  seen_at timestamp with time zone not null default now(),
  report jsonb storage 'e' not null default '{}'::jsonb,
  asleep_since timestamp with time zone,
  asleep_until timestamp with time zone
) with (toast_tuple_target=256, fillfactor=50);
create table idempotency_key (
  principal text not null,
  method text not null,
  path text not null,
  key text not null,
  fingerprint bytea not null,
  status smallint not null,
  answer text,
  created_at timestamp with time zone not null default now(),
  keep_until timestamp with time zone not null
);
create table invitation (
  id uuid not null,
  owner_id uuid not null,
  token_hash bytea not null,
  email_id uuid not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  accepted_at timestamp with time zone,
  revoked_at timestamp with time zone
);
create table key_usage (
  key_id uuid not null,
  hour timestamp with time zone not null,
  hour_used integer not null,
  day timestamp with time zone not null,
  day_used integer not null
);
create table lane (
  key text not null,
  name text not null,
  state text not null default 'open'::text,
  cause text,
  detail text,
  since timestamp with time zone not null default now(),
  next_probe_at timestamp with time zone,
  probe_failures integer not null default 0,
  proven_at timestamp with time zone,
  auth_by uuid,
  auth_until timestamp with time zone,
  probed_at timestamp with time zone
);
create table lane_closure (
  from_at timestamp with time zone not null,
  until_at timestamp with time zone not null
);
create table lane_refusal (
  lane text not null,
  cause text not null,
  recipient bytea not null,
  queue_id text not null,
  refused_at timestamp with time zone not null default now()
);
create table lane_replica (
  instance uuid not null,
  busy boolean not null,
  seen_at timestamp with time zone not null default now()
) with (fillfactor=50);
create table lane_usage (
  lane text not null,
  minute timestamp with time zone not null,
  recipients integer not null
);
create table login_failure (
  key text not null,
  failures integer not null,
  since timestamp with time zone not null default now()
);
create table login_proof (
  credential text not null,
  network text not null,
  succeeded_at timestamp with time zone not null default now()
);
create table mail_hour (
  hour timestamp with time zone not null,
  counted_until timestamp with time zone not null,
  accepted integer not null,
  refused integer not null,
  expired integer not null,
  returned integer not null,
  waiting_most integer,
  waiting_last integer,
  delays integer[] not null
);
create table mail_minute (
  minute timestamp with time zone not null,
  sent integer not null,
  bounced integer not null,
  expired integer not null,
  other integer not null,
  lateness_p50_ms double precision,
  lateness_p99_ms double precision
);
create table message (
  queue_id text collate "C" not null,
  email_id uuid,
  credential text not null,
  sender text not null,
  header_from text not null,
  message_id text not null,
  size integer not null,
  priority smallint not null,
  smtputf8 boolean not null default false,
  eight_bit boolean not null default false,
  on_uncertain text,
  received_at timestamp with time zone not null default now(),
  ret text,
  envid text,
  tags jsonb not null default '[]'::jsonb,
  stream text,
  ignore_suppression boolean not null default false,
  submitted jsonb,
  subject text,
  digest uuid,
  again_of text collate "C"
) with (autovacuum_vacuum_scale_factor=0.02);
create table message_part (
  queue_id text collate "C" not null,
  part integer not null,
  content bytea not null,
  stored_at timestamp with time zone default now()
) with (autovacuum_vacuum_scale_factor=0.02);
create table notice_owed (
  queue_id text collate "C" not null,
  ordinal smallint not null,
  action text not null,
  due_at timestamp with time zone not null default now(),
  first_due_at timestamp with time zone
);
create table oauth2_grant (
  key bytea not null,
  salt bytea,
  sealed bytea,
  expires_at timestamp with time zone,
  renew_at timestamp with time zone,
  next_try_at timestamp with time zone,
  taken_by uuid,
  taken_until timestamp with time zone,
  stored_at timestamp with time zone not null default now()
);
create table open_clock (
  only_row boolean not null default true,
  last_open_at timestamp with time zone not null default now()
) with (fillfactor=50);
create table owner (
  id uuid not null,
  customer_id uuid not null,
  name text not null,
  email text not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  activated_at timestamp with time zone
);
create table postern_migration (
  id integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default now()
);
create table rate_window (
  subject text not null,
  starts_at timestamp with time zone not null,
  given integer not null
);
create table recipient (
  queue_id text collate "C" not null,
  ordinal smallint not null,
  email_id uuid,
  address text not null,
  status mail_status not null,
  priority smallint not null,
  attempts integer not null default 0,
  next_attempt_at timestamp with time zone,
  claim_token uuid,
  claimed_by uuid,
  lease_until timestamp with time zone,
  marked_at timestamp with time zone,
  resends smallint not null default 0,
  reason text,
  reason_detail text,
  route text,
  reply_code smallint,
  enhanced_code text,
  reply text,
  provider_queue_id text,
  finished_at timestamp with time zone,
  notify text,
  orcpt text,
  stage text,
  bounced_at timestamp with time zone,
  sent_by jsonb
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
create table refusal (
  key text not null,
  client text not null,
  credential text not null,
  stage text not null,
  reason text not null,
  sender text not null,
  reply text not null,
  count integer not null,
  first_at timestamp with time zone not null default now(),
  last_at timestamp with time zone not null default now()
);
create table route (
  lane text not null,
  name text not null,
  state text not null default 'good'::text,
  cause text,
  since timestamp with time zone not null default now(),
  next_probe_at timestamp with time zone,
  good_probes smallint not null default 0,
  hold_down_seconds double precision not null default 300,
  uncertain_in_a_row smallint not null default 0
);
create table search_document (
  email_id uuid not null,
  words tsvector
) with (autovacuum_vacuum_scale_factor=0.02);
create table sender_domain (
  domain text not null,
  provider text,
  named_at timestamp with time zone not null default now(),
  next_check_at timestamp with time zone not null default now(),
  checked_at timestamp with time zone,
  result text,
  settled text,
  settled_at timestamp with time zone,
  findings jsonb not null default '[]'::jsonb,
  receivers jsonb not null default '[]'::jsonb,
  canary_asked_at timestamp with time zone
);
create table sender_hold (
  lane text not null,
  sender text not null,
  cause text not null,
  detail text not null,
  since timestamp with time zone not null default now(),
  next_probe_at timestamp with time zone not null,
  probe_failures integer not null default 0,
  lifted_at timestamp with time zone,
  stage text,
  causes text[] not null default '{}'::text[],
  asked_for text
);
create table sign_in (
  lane text not null,
  at timestamp with time zone not null default now(),
  worked boolean not null,
  reply text
);
create table submission (
  credential text not null,
  key bytea not null,
  queue_id text collate "C" not null,
  at timestamp with time zone not null default now(),
  lasts interval not null,
  digest bytea
) with (autovacuum_vacuum_scale_factor=0.02);
create table suppression (
  id uuid not null,
  address text,
  digest bytea not null,
  digest_unicode bytea,
  stream text not null default ''::text,
  reason text not null,
  cause text,
  source_email_id uuid,
  source_queue_id text,
  reply text,
  note text,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  source text not null default 'api'::text
);
create table suppression_key (
  only_row boolean not null default true,
  key bytea not null
);
create table template (
  kind text not null,
  subject text not null,
  text text not null,
  html text not null,
  updated_at timestamp with time zone not null default now()
);
create table unknown_reply (
  fingerprint bytea not null,
  template text not null,
  cause text not null,
  seen integer not null default 1,
  first_at timestamp with time zone not null default now(),
  last_at timestamp with time zone not null default now()
);
create table unsubscribe_key (
  only_row boolean not null default true,
  key bytea not null
);
create table webhook (
  id uuid not null,
  url text not null,
  events text[],
  description text,
  tags jsonb not null default '[]'::jsonb,
  state text not null default 'enabled'::text,
  disabled_cause text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  failing_since timestamp with time zone,
  failures integer not null default 0,
  paused_until timestamp with time zone,
  dropped bigint not null default 0,
  listens boolean not null generated always as ((deleted_at IS NULL) AND ((state = 'enabled'::text) OR (disabled_cause = 'failing'::text))),
  told_at timestamp with time zone
);
create table webhook_delivery (
  id uuid not null,
  webhook_id uuid not null,
  type text not null,
  at timestamp with time zone not null default now(),
  data jsonb not null,
  email_id uuid,
  queue_id text collate "C",
  status text not null default 'waiting'::text,
  next_attempt_at timestamp with time zone default now(),
  attempts integer not null default 0,
  attempted_at timestamp with time zone,
  answer_status smallint,
  answer text,
  error text,
  duration_ms integer,
  finished_at timestamp with time zone
);
create table webhook_secret (
  webhook_id uuid not null,
  secret bytea not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone
);

alter table api_key add constraint a_key_with_senders_has_some CHECK ((cardinality(senders) > 0));
alter table api_key add constraint a_rate_lets_something_pass CHECK ((rate_per_minute > 0));
alter table api_key add constraint a_secret_hash_is_sha_256 CHECK ((octet_length(secret_hash) = 32));
alter table api_key add constraint an_old_secret_ends CHECK (((old_secret_hash IS NULL) = (old_secret_until IS NULL)));
alter table api_key add constraint an_old_secret_hash_is_sha_256 CHECK ((octet_length(old_secret_hash) = 32));
alter table api_key add constraint api_key_pkey PRIMARY KEY (id);
alter table api_key add constraint api_key_secret_hash_key UNIQUE (secret_hash);
alter table api_key add constraint limits_let_something_pass CHECK (((per_hour > 0) AND (per_day > 0)));
alter table api_key add constraint scopes_are_known CHECK (((scopes <@ ARRAY['admin'::text, 'send'::text, 'read'::text]) AND (cardinality(scopes) > 0)));
alter table api_key add constraint tags_are_a_list CHECK ((jsonb_typeof(tags) = 'array'::text));
alter table application add constraint a_submitted_application_is_undecided CHECK (((status <> 'submitted'::text) OR (decided_at IS NULL)));
alter table application add constraint an_approval_or_rejection_has_a_time CHECK (((status <> ALL (ARRAY['approved'::text, 'rejected'::text])) OR (decided_at IS NOT NULL)));
alter table application add constraint application_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customer(id) ON DELETE SET NULL;
alter table application add constraint application_pkey PRIMARY KEY (id);
alter table application add constraint only_a_decided_application_has_an_account CHECK (((customer_id IS NULL) OR ((decided_at IS NOT NULL) AND (status = ANY (ARRAY['approved'::text, 'archived'::text])))));
alter table application add constraint only_an_archived_application_was_archived CHECK (((archived_at IS NOT NULL) = (status = 'archived'::text)));
alter table application add constraint status_is_known CHECK ((status = ANY (ARRAY['submitted'::text, 'approved'::text, 'rejected'::text, 'archived'::text])));
alter table audit_entry add constraint an_actor_is_known CHECK ((actor_kind = ANY (ARRAY['person'::text, 'admin'::text, 'key'::text, 'bootstrap'::text, 'nobody'::text])));
alter table audit_entry add constraint audit_entry_pkey PRIMARY KEY (id);
alter table audit_entry add constraint people_and_keys_have_ids CHECK (((actor_kind = ANY (ARRAY['person'::text, 'key'::text])) = (actor_id IS NOT NULL)));
alter table bounce_folder add constraint bounce_folder_mailbox_fkey FOREIGN KEY (mailbox) REFERENCES bounce_mailbox(key) ON DELETE CASCADE;
alter table bounce_folder add constraint bounce_folder_pkey PRIMARY KEY (mailbox, folder);
alter table bounce_mailbox add constraint bounce_mailbox_pkey PRIMARY KEY (key);
alter table bounce_mailbox add constraint state_is_known CHECK ((state = ANY (ARRAY['starting'::text, 'reading'::text, 'failing'::text])));
alter table bounce_report add constraint a_digest_is_sha_256 CHECK ((octet_length(digest) = 32));
alter table bounce_report add constraint bounce_report_pkey PRIMARY KEY (digest);
alter table bounce_report add constraint outcome_is_known CHECK ((outcome = ANY (ARRAY['matched'::text, 'unmatched'::text, 'unreadable'::text])));
alter table bounce_report add constraint why_is_known CHECK ((why = ANY (ARRAY['no-id'::text, 'mail-unknown'::text, 'recipient-unknown'::text]))) NOT VALID;
alter table canary add constraint canary_pkey PRIMARY KEY (token);
alter table canary add constraint result_is_known CHECK ((result = ANY (ARRAY['pass'::text, 'note'::text, 'warn'::text, 'fail'::text, 'unknown'::text, 'not-applicable'::text])));
alter table canary add constraint what_returned_has_a_result CHECK (((returned_at IS NULL) = (result IS NULL)));
alter table cause add constraint cause_pkey PRIMARY KEY (slug);
alter table client_email_config add constraint client_email_config_pkey PRIMARY KEY (client_id);
alter table client_email_config add constraint from_name_is_one_line CHECK ((from_name !~ '[\r\n]'::text));
alter table client_email_config add constraint recipients_are_a_list CHECK ((jsonb_typeof(recipients) = 'array'::text));
alter table connection_slot add constraint connection_slot_lane_fkey FOREIGN KEY (lane) REFERENCES lane(key) ON DELETE CASCADE;
alter table connection_slot add constraint connection_slot_pkey PRIMARY KEY (lane, slot);
alter table customer add constraint an_active_customer_was_activated CHECK (((status <> 'active'::text) OR (activated_at IS NOT NULL)));
alter table customer add constraint an_invited_customer_was_never_activated CHECK (((status <> 'invited'::text) OR (activated_at IS NULL)));
alter table customer add constraint customer_pkey PRIMARY KEY (id);
alter table customer add constraint name_is_one_line CHECK ((name !~ '[\r\n]'::text));
alter table customer add constraint only_an_inactive_customer_was_deactivated CHECK (((deactivated_at IS NOT NULL) = (status = 'inactive'::text)));
alter table customer add constraint status_is_known CHECK ((status = ANY (ARRAY['invited'::text, 'active'::text, 'inactive'::text])));
alter table dashboard_session add constraint a_token_hash_is_sha_256 CHECK ((octet_length(token_hash) = 32));
alter table dashboard_session add constraint dashboard_session_pkey PRIMARY KEY (token_hash);
alter table dashboard_session add constraint dashboard_session_user_id_fkey FOREIGN KEY (user_id) REFERENCES dashboard_user(id);
alter table dashboard_user add constraint a_role_is_known CHECK ((role = ANY (ARRAY['view'::text, 'operate'::text, 'admin'::text])));
alter table dashboard_user add constraint a_user_signs_in_here_or_elsewhere CHECK ((((issuer IS NULL) = (password_hash IS NOT NULL)) AND ((issuer IS NULL) = (password_salt IS NOT NULL)) AND ((issuer IS NULL) = (subject IS NULL))));
alter table dashboard_user add constraint dashboard_user_pkey PRIMARY KEY (id);
alter table database_identity add constraint a_restore_says_how_far_its_mail_reaches CHECK ((((restored_at IS NULL) = (restored_up_to_message IS NULL)) AND ((restored_at IS NULL) = (restored_up_to_email IS NULL))));
alter table database_identity add constraint database_identity_only_row_check CHECK (only_row);
alter table database_identity add constraint database_identity_pkey PRIMARY KEY (only_row);
alter table database_identity add constraint relays_are_asked_while_mail_waits_for_it CHECK (((asked IS NULL) OR (restored_at IS NOT NULL)));
alter table doctor_run add constraint a_finished_run_has_a_report CHECK (((finished_at IS NULL) = (report IS NULL)));
alter table doctor_run add constraint doctor_run_pkey PRIMARY KEY (id);
alter table doctor_run add constraint only_a_taken_run_is_finished CHECK (((finished_at IS NULL) OR (taken_by IS NOT NULL)));
alter table email add constraint a_held_email_says_why CHECK (((status <> 'held'::mail_status) OR (reason IS NOT NULL)));
alter table email add constraint a_traceparent_has_its_form CHECK ((traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'::text)) NOT VALID;
alter table email add constraint an_email_has_recipients CHECK (((jsonb_typeof(recipients) = 'array'::text) AND (jsonb_array_length(recipients) > 0)));
alter table email add constraint an_entry_belongs_to_a_client CHECK (((entry_key IS NULL) OR (client_id IS NOT NULL)));
alter table email add constraint email_pkey PRIMARY KEY (id);
alter table email add constraint email_queue_id_key UNIQUE (queue_id);
alter table email add constraint finished_means_final CHECK (((finished_at IS NOT NULL) = (status = ANY (ARRAY['bounced'::mail_status, 'suppressed'::mail_status, 'expired'::mail_status, 'cancelled'::mail_status, 'captured'::mail_status, 'sent'::mail_status])))) NOT VALID;
alter table email add constraint kind_is_known CHECK ((kind = ANY (ARRAY['invitation'::text, 'single'::text, 'scheduled'::text, 'rejection'::text, 'test'::text])));
alter table email add constraint only_the_relay_has_seen_a_queue_id CHECK (((queue_id IS NULL) = (accepted_at IS NULL)));
alter table email add constraint only_what_waits_for_hand_over_has_a_time_for_it CHECK (((next_hand_over_at IS NOT NULL) = (status = 'pending'::mail_status)));
alter table email add constraint stream_is_one_word CHECK (((stream ~ '^[A-Za-z0-9_-]+$'::text) AND (length(stream) <= 256))) NOT VALID;
alter table email add constraint subject_is_one_line CHECK ((subject !~ '[\r\n]'::text));
alter table email add constraint uncertain_policy_is_known CHECK ((on_uncertain = ANY (ARRAY['resend'::text, 'hold'::text])));
alter table email add constraint what_the_relay_never_took_is_not_on_its_way CHECK (((queue_id IS NOT NULL) OR (status = ANY (ARRAY['pending'::mail_status, 'held'::mail_status, 'expired'::mail_status, 'cancelled'::mail_status]))));
alter table email add constraint what_the_relay_took_is_not_pending CHECK (((queue_id IS NULL) OR (status <> 'pending'::mail_status)));
alter table email_attachment add constraint email_attachment_email_id_fkey FOREIGN KEY (email_id) REFERENCES email(id) ON DELETE CASCADE;
alter table email_attachment add constraint email_attachment_pkey PRIMARY KEY (email_id, ordinal);
alter table event add constraint an_event_is_about_a_mail CHECK (((email_id IS NOT NULL) OR (queue_id IS NOT NULL)));
alter table event add constraint event_pkey PRIMARY KEY (id);
alter table heartbeat add constraint heartbeat_pkey PRIMARY KEY (instance);
alter table heartbeat add constraint process_is_known CHECK ((process = ANY (ARRAY['api'::text, 'relay'::text, 'worker'::text])));
alter table idempotency_key add constraint idempotency_key_pkey PRIMARY KEY (principal, method, path, key);
alter table invitation add constraint a_token_hash_is_sha_256 CHECK ((octet_length(token_hash) = 32));
alter table invitation add constraint an_accepted_invitation_was_not_revoked CHECK (((accepted_at IS NULL) OR (revoked_at IS NULL)));
alter table invitation add constraint invitation_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES owner(id) ON DELETE CASCADE;
alter table invitation add constraint invitation_pkey PRIMARY KEY (id);
alter table invitation add constraint invitation_token_hash_key UNIQUE (token_hash);
alter table key_usage add constraint key_usage_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_key(id) ON DELETE CASCADE;
alter table key_usage add constraint key_usage_pkey PRIMARY KEY (key_id);
alter table lane add constraint a_lane_that_is_not_open_says_why CHECK (((state = 'open'::text) = (cause IS NULL)));
alter table lane add constraint lane_pkey PRIMARY KEY (key);
alter table lane add constraint lane_state_is_known CHECK ((state = ANY (ARRAY['open'::text, 'paused'::text, 'stopped'::text, 'unreachable'::text])));
alter table lane add constraint only_a_lane_that_is_not_open_is_probed CHECK (((state = 'open'::text) = (next_probe_at IS NULL)));
alter table lane_closure add constraint lane_closure_pkey PRIMARY KEY (from_at);
alter table lane_refusal add constraint lane_refusal_lane_fkey FOREIGN KEY (lane) REFERENCES lane(key) ON DELETE CASCADE;
alter table lane_refusal add constraint lane_refusal_pkey PRIMARY KEY (lane, cause, recipient);
alter table lane_replica add constraint lane_replica_pkey PRIMARY KEY (instance);
alter table lane_usage add constraint lane_usage_lane_fkey FOREIGN KEY (lane) REFERENCES lane(key) ON DELETE CASCADE;
alter table lane_usage add constraint lane_usage_pkey PRIMARY KEY (lane, minute);
alter table login_failure add constraint login_failure_pkey PRIMARY KEY (key);
alter table login_proof add constraint login_proof_pkey PRIMARY KEY (credential, network);
alter table mail_hour add constraint mail_hour_pkey PRIMARY KEY (hour);
alter table mail_minute add constraint mail_minute_pkey PRIMARY KEY (minute);
alter table message add constraint message_email_id_fkey FOREIGN KEY (email_id) REFERENCES email(id) ON DELETE CASCADE;
alter table message add constraint message_pkey PRIMARY KEY (queue_id);
alter table message add constraint ret_is_known CHECK ((ret = ANY (ARRAY['FULL'::text, 'HDRS'::text])));
alter table message add constraint stream_is_one_word CHECK (((stream ~ '^[A-Za-z0-9_-]+$'::text) AND (length(stream) <= 256))) NOT VALID;
alter table message add constraint uncertain_policy_is_known CHECK ((on_uncertain = ANY (ARRAY['resend'::text, 'hold'::text])));
alter table message_part add constraint message_part_pkey PRIMARY KEY (queue_id, part);
alter table notice_owed add constraint action_is_known CHECK ((action = ANY (ARRAY['failed'::text, 'delayed'::text, 'relayed'::text])));
alter table notice_owed add constraint notice_owed_pkey PRIMARY KEY (queue_id, ordinal, action);
alter table notice_owed add constraint notice_owed_queue_id_ordinal_fkey FOREIGN KEY (queue_id, ordinal) REFERENCES recipient(queue_id, ordinal) ON DELETE CASCADE;
alter table oauth2_grant add constraint oauth2_grant_pkey PRIMARY KEY (key);
alter table oauth2_grant add constraint what_is_sealed_has_its_salt CHECK (((salt IS NULL) = (sealed IS NULL)));
alter table oauth2_grant add constraint who_asks_has_a_limit CHECK (((taken_by IS NULL) = (taken_until IS NULL)));
alter table open_clock add constraint open_clock_only_row_check CHECK (only_row);
alter table open_clock add constraint open_clock_pkey PRIMARY KEY (only_row);
alter table owner add constraint a_customer_has_one_owner UNIQUE (customer_id);
alter table owner add constraint name_is_one_line CHECK ((name !~ '[\r\n]'::text));
alter table owner add constraint owner_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customer(id) ON DELETE CASCADE;
alter table owner add constraint owner_pkey PRIMARY KEY (id);
alter table postern_migration add constraint postern_migration_pkey PRIMARY KEY (id);
alter table rate_window add constraint rate_window_pkey PRIMARY KEY (subject, starts_at);
alter table recipient add constraint a_held_recipient_says_why CHECK (((status <> 'held'::mail_status) OR (reason IS NOT NULL)));
alter table recipient add constraint a_mark_means_data_may_be_out CHECK (((marked_at IS NULL) OR (status = ANY (ARRAY['sending'::mail_status, 'uncertain'::mail_status, 'held'::mail_status, 'sent'::mail_status, 'bounced'::mail_status, 'cancelled'::mail_status, 'expired'::mail_status]))));
alter table recipient add constraint a_recipient_of_the_relay_is_never_pending CHECK ((status <> 'pending'::mail_status));
alter table recipient add constraint finished_means_final CHECK (((finished_at IS NOT NULL) = (status = ANY (ARRAY['bounced'::mail_status, 'suppressed'::mail_status, 'expired'::mail_status, 'cancelled'::mail_status, 'captured'::mail_status, 'sent'::mail_status])))) NOT VALID;
alter table recipient add constraint notify_is_known CHECK ((notify ~ '^(NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY)){0,2})$'::text));
alter table recipient add constraint only_finished_mail_was_sent_by_an_attempt CHECK (((sent_by IS NULL) OR (finished_at IS NOT NULL))) NOT VALID;
alter table recipient add constraint only_waiting_or_uncertain_recipients_have_a_next_attempt CHECK (((next_attempt_at IS NULL) OR (status = ANY (ARRAY['queued'::mail_status, 'deferred'::mail_status, 'uncertain'::mail_status]))));
alter table recipient add constraint only_what_bounced_has_a_report_of_it CHECK (((bounced_at IS NULL) OR (status = 'bounced'::mail_status))) NOT VALID;
alter table recipient add constraint priority_is_between_0_and_9 CHECK (((priority >= 0) AND (priority <= 9)));
alter table recipient add constraint recipient_pkey PRIMARY KEY (queue_id, ordinal);
alter table recipient add constraint recipient_queue_id_fkey FOREIGN KEY (queue_id) REFERENCES message(queue_id) ON DELETE CASCADE;
alter table recipient add constraint sending_means_claimed CHECK ((((status = 'sending'::mail_status) = (claim_token IS NOT NULL)) AND ((status = 'sending'::mail_status) = (lease_until IS NOT NULL)) AND ((status = 'sending'::mail_status) = (claimed_by IS NOT NULL))));
alter table recipient add constraint uncertain_means_marked CHECK (((status <> 'uncertain'::mail_status) OR (marked_at IS NOT NULL)));
alter table recipient add constraint waiting_recipients_have_a_next_attempt CHECK (((status <> ALL (ARRAY['queued'::mail_status, 'deferred'::mail_status])) OR (next_attempt_at IS NOT NULL)));
alter table refusal add constraint refusal_pkey PRIMARY KEY (key);
alter table route add constraint a_route_that_is_not_good_says_why CHECK (((state = 'good'::text) = (cause IS NULL)));
alter table route add constraint only_a_route_that_is_not_good_is_probed CHECK (((state = 'good'::text) = (next_probe_at IS NULL)));
alter table route add constraint route_lane_fkey FOREIGN KEY (lane) REFERENCES lane(key) ON DELETE CASCADE;
alter table route add constraint route_pkey PRIMARY KEY (lane, name);
alter table route add constraint route_state_is_known CHECK ((state = ANY (ARRAY['good'::text, 'bad'::text, 'stopped'::text])));
alter table search_document add constraint search_document_pkey PRIMARY KEY (email_id);
alter table sender_domain add constraint a_look_has_a_result CHECK (((checked_at IS NULL) = (result IS NULL)));
alter table sender_domain add constraint result_is_known CHECK ((result = ANY (ARRAY['pass'::text, 'note'::text, 'warn'::text, 'fail'::text, 'unknown'::text, 'not-applicable'::text])));
alter table sender_domain add constraint sender_domain_pkey PRIMARY KEY (domain);
alter table sender_domain add constraint settled_is_known CHECK ((settled = ANY (ARRAY['pass'::text, 'note'::text, 'warn'::text, 'fail'::text, 'not-applicable'::text])));
alter table sender_hold add constraint sender_hold_lane_fkey FOREIGN KEY (lane) REFERENCES lane(key) ON DELETE CASCADE;
alter table sender_hold add constraint sender_hold_pkey PRIMARY KEY (lane, sender);
alter table sign_in add constraint a_refusal_says_what_was_said CHECK ((worked OR (reply IS NOT NULL)));
alter table sign_in add constraint sign_in_lane_fkey FOREIGN KEY (lane) REFERENCES lane(key) ON DELETE CASCADE;
alter table sign_in add constraint sign_in_pkey PRIMARY KEY (lane);
alter table submission add constraint submission_pkey PRIMARY KEY (credential, key);
alter table suppression add constraint a_digest_is_sha_256 CHECK (((octet_length(digest) = 32) AND (octet_length(digest_unicode) = 32)));
alter table suppression add constraint one_suppression_per_address UNIQUE (digest, stream);
alter table suppression add constraint reason_is_known CHECK ((reason = ANY (ARRAY['manual'::text, 'bounce'::text, 'complaint'::text, 'unsubscribe'::text])));
alter table suppression add constraint source_is_known CHECK ((source = ANY (ARRAY['api'::text, 'import'::text, 'reply'::text, 'report'::text]))) NOT VALID;
alter table suppression add constraint suppression_pkey PRIMARY KEY (id);
alter table suppression_key add constraint suppression_key_only_row_check CHECK (only_row);
alter table suppression_key add constraint suppression_key_pkey PRIMARY KEY (only_row);
alter table template add constraint kind_is_known CHECK ((kind = ANY (ARRAY['invitation'::text, 'rejection'::text])));
alter table template add constraint subject_is_one_line CHECK ((subject !~ '[\r\n]'::text));
alter table template add constraint template_pkey PRIMARY KEY (kind);
alter table unknown_reply add constraint unknown_reply_pkey PRIMARY KEY (fingerprint);
alter table unsubscribe_key add constraint unsubscribe_key_only_row_check CHECK (only_row);
alter table unsubscribe_key add constraint unsubscribe_key_pkey PRIMARY KEY (only_row);
alter table webhook add constraint a_disabled_webhook_says_why CHECK (((state = 'disabled'::text) = (disabled_cause IS NOT NULL)));
alter table webhook add constraint cause_is_known CHECK ((disabled_cause = ANY (ARRAY['by-hand'::text, 'gone'::text, 'failing'::text])));
alter table webhook add constraint it_wants_some_event CHECK ((cardinality(events) > 0));
alter table webhook add constraint state_is_known CHECK ((state = ANY (ARRAY['enabled'::text, 'disabled'::text])));
alter table webhook add constraint tags_are_a_list CHECK ((jsonb_typeof(tags) = 'array'::text));
alter table webhook add constraint webhook_pkey PRIMARY KEY (id);
alter table webhook_delivery add constraint only_what_waits_has_a_next_attempt CHECK (((next_attempt_at IS NOT NULL) = (status = 'waiting'::text)));
alter table webhook_delivery add constraint status_is_known CHECK ((status = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text])));
alter table webhook_delivery add constraint webhook_delivery_pkey PRIMARY KEY (id, webhook_id);
alter table webhook_secret add constraint a_secret_has_between_24_and_64_bytes CHECK (((octet_length(secret) >= 24) AND (octet_length(secret) <= 64)));
alter table webhook_secret add constraint webhook_secret_pkey PRIMARY KEY (webhook_id, created_at);
alter table webhook_secret add constraint webhook_secret_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhook(id) ON DELETE CASCADE;

CREATE UNIQUE INDEX a_name_signs_in_one_user ON public.dashboard_user USING btree (lower(name)) WHERE (issuer IS NULL);
CREATE UNIQUE INDEX a_subject_is_one_user ON public.dashboard_user USING btree (issuer, subject) WHERE (issuer IS NOT NULL);
CREATE UNIQUE INDEX api_key_by_old_secret ON public.api_key USING btree (old_secret_hash) WHERE (old_secret_hash IS NOT NULL);
CREATE INDEX application_by_address ON public.application USING btree (lower(email));
CREATE INDEX application_by_status ON public.application USING btree (status, id DESC);
CREATE INDEX audit_entry_by_act ON public.audit_entry USING btree (act, id);
CREATE INDEX audit_entry_by_actor ON public.audit_entry USING btree (actor_kind, actor_id, id);
CREATE INDEX audit_entry_by_object ON public.audit_entry USING btree (object_id, id) WHERE (object_id IS NOT NULL);
CREATE INDEX audit_entry_by_time ON public.audit_entry USING btree (at);
CREATE INDEX bounce_report_by_time ON public.bounce_report USING btree (read_at);
CREATE INDEX bounce_report_withheld ON public.bounce_report USING btree (read_at) WHERE (withheld > 0);
CREATE INDEX bounce_report_without_effect ON public.bounce_report USING btree (read_at) WHERE (outcome <> 'matched'::text);
CREATE INDEX canary_by_domain ON public.canary USING btree (domain, queued_at DESC);
CREATE INDEX canary_by_time ON public.canary USING btree (queued_at);
CREATE INDEX customer_by_status ON public.customer USING btree (status, id DESC);
CREATE INDEX dashboard_session_by_user ON public.dashboard_session USING btree (user_id) WHERE (user_id IS NOT NULL);
CREATE INDEX email_by_api_key ON public.email USING btree (api_key_id, id DESC) WHERE (api_key_id IS NOT NULL);
CREATE INDEX email_by_client ON public.email USING btree (client_id, due_at) WHERE (client_id IS NOT NULL);
CREATE INDEX email_by_customer ON public.email USING btree (customer_id, id DESC) WHERE (customer_id IS NOT NULL);
CREATE INDEX email_by_status ON public.email USING btree (status, id DESC);
CREATE INDEX email_by_stream ON public.email USING btree (stream, id DESC) WHERE (stream IS NOT NULL);
CREATE INDEX email_by_tag ON public.email USING gin (tags jsonb_path_ops) WHERE (tags <> '[]'::jsonb);
CREATE INDEX email_finished ON public.email USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX email_sent_again ON public.email USING btree (again_of, id) WHERE (again_of IS NOT NULL);
CREATE INDEX email_waiting_for_hand_over ON public.email USING btree (next_hand_over_at) WHERE ((status = 'pending'::mail_status) AND (NOT paused));
CREATE INDEX email_with_a_body ON public.email USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (erased_at IS NULL));
CREATE INDEX email_without_sender ON public.email USING btree (id) WHERE ((status = 'held'::mail_status) AND (reason = 'not-configured'::text) AND (queue_id IS NULL) AND (from_address = ''::text));
CREATE INDEX event_of_email ON public.event USING btree (email_id, id) WHERE (email_id IS NOT NULL);
CREATE INDEX event_of_submitted_message ON public.event USING btree (queue_id, id) WHERE (email_id IS NULL);
CREATE INDEX idempotency_key_to_forget ON public.idempotency_key USING btree (keep_until);
CREATE INDEX invitation_by_owner ON public.invitation USING btree (owner_id, id DESC);
CREATE INDEX invitation_to_forget ON public.invitation USING btree (expires_at) WHERE (accepted_at IS NULL);
CREATE INDEX lane_refusal_refused_at ON public.lane_refusal USING btree (refused_at);
CREATE INDEX login_failure_age ON public.login_failure USING btree (since);
CREATE INDEX login_proof_age ON public.login_proof USING btree (succeeded_at);
CREATE INDEX message_by_key ON public.message USING btree (credential, queue_id) WHERE (credential ~~ 'key:%'::text);
CREATE INDEX message_sent_again ON public.message USING btree (again_of, queue_id) WHERE (again_of IS NOT NULL);
CREATE INDEX notice_owed_due ON public.notice_owed USING btree (due_at);
CREATE INDEX notice_owed_late ON public.notice_owed USING btree (first_due_at) WHERE (first_due_at IS NOT NULL);
CREATE INDEX oauth2_grant_stored_at ON public.oauth2_grant USING btree (stored_at);
CREATE UNIQUE INDEX one_application_per_account ON public.application USING btree (customer_id) WHERE (customer_id IS NOT NULL);
CREATE UNIQUE INDEX one_customer_per_address ON public.customer USING btree (lower(email));
CREATE UNIQUE INDEX one_doctor_run_at_a_time ON public.doctor_run USING btree ((true)) WHERE (finished_at IS NULL);
CREATE UNIQUE INDEX one_live_email_per_entry ON public.email USING btree (client_id, entry_key) WHERE ((entry_key IS NOT NULL) AND (status <> 'cancelled'::mail_status));
CREATE UNIQUE INDEX one_live_invitation_per_owner ON public.invitation USING btree (owner_id) WHERE ((accepted_at IS NULL) AND (revoked_at IS NULL));
CREATE UNIQUE INDEX one_message_per_email ON public.message USING btree (email_id) WHERE (email_id IS NOT NULL);
CREATE INDEX owner_by_address ON public.owner USING btree (lower(email));
CREATE INDEX recipient_bounced ON public.recipient USING btree (lower((address COLLATE "C"))) WHERE (status = 'bounced'::mail_status);
CREATE INDEX recipient_bounced_after_sending ON public.recipient USING btree (bounced_at) WHERE (bounced_at IS NOT NULL);
CREATE INDEX recipient_due ON public.recipient USING btree (priority, next_attempt_at) WHERE (status = ANY (ARRAY['queued'::mail_status, 'deferred'::mail_status]));
CREATE INDEX recipient_finished ON public.recipient USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX recipient_held_by_reason ON public.recipient USING btree (reason, queue_id, ordinal) WHERE (status = 'held'::mail_status);
CREATE INDEX recipient_lease ON public.recipient USING btree (lease_until) WHERE (status = 'sending'::mail_status);
CREATE INDEX recipient_renamed ON public.recipient USING hash (provider_queue_id) WHERE ((provider_queue_id ~~ '%@%'::text) OR (provider_queue_id ~~ '%-000000'::text));
CREATE INDEX recipient_uncertain ON public.recipient USING btree (next_attempt_at) WHERE (status = 'uncertain'::mail_status);
CREATE INDEX refusal_newest ON public.refusal USING btree (last_at);
CREATE INDEX scheduled_email_by_due_time ON public.email USING btree (due_at, id) WHERE (kind = 'scheduled'::text);
CREATE INDEX scheduled_email_not_finished ON public.email USING btree (due_at, id) WHERE ((kind = 'scheduled'::text) AND (status = ANY (ARRAY['uncertain'::mail_status, 'held'::mail_status, 'sending'::mail_status, 'deferred'::mail_status, 'queued'::mail_status, 'pending'::mail_status])));
CREATE INDEX search_document_by_word ON public.search_document USING gin (words);
CREATE INDEX search_document_to_write ON public.search_document USING btree (email_id) WHERE (words IS NULL);
CREATE INDEX sender_domain_asks_for_canary ON public.sender_domain USING btree (canary_asked_at) WHERE (canary_asked_at IS NOT NULL);
CREATE INDEX sender_domain_due ON public.sender_domain USING btree (next_check_at);
CREATE INDEX submission_at ON public.submission USING btree (at);
CREATE INDEX submitted_message_in_order ON public.message USING btree (queue_id) WHERE (email_id IS NULL);
CREATE UNIQUE INDEX submitted_message_once ON public.message USING btree (hashtextextended(message_id, (0)::bigint), digest) WHERE (email_id IS NULL);
CREATE INDEX suppression_by_report ON public.suppression USING btree (created_at) WHERE (source = 'report'::text);
CREATE INDEX suppression_by_unicode ON public.suppression USING btree (digest_unicode) WHERE (digest_unicode IS NOT NULL);
CREATE INDEX suppression_expires ON public.suppression USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE INDEX unknown_reply_last_at ON public.unknown_reply USING btree (last_at);
CREATE INDEX webhook_delivery_by_status ON public.webhook_delivery USING btree (webhook_id, status, id);
CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (webhook_id, next_attempt_at) WHERE (status = 'waiting'::text);
CREATE INDEX webhook_delivery_of_email ON public.webhook_delivery USING btree (email_id, id) WHERE (email_id IS NOT NULL);
CREATE INDEX webhook_delivery_of_submitted ON public.webhook_delivery USING btree (queue_id, id) WHERE ((email_id IS NULL) AND (queue_id IS NOT NULL));

CREATE OR REPLACE FUNCTION public.a_changed_domain_is_told()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  worst jsonb := (select f from jsonb_array_elements(new.findings) f where f ->> 'result' = new.settled limit 1);
begin
  perform tell_webhooks('domain.changed', jsonb_build_object(
    'domain', new.domain, 'status', new.settled, 'cause', worst ->> 'cause', 'title', worst ->> 'title'));
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.a_changed_lane_is_told()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  perform tell_webhooks(case when new.state = 'open' then 'lane.open' else 'lane.stopped' end, jsonb_build_object(
    'lane', new.name, 'state', new.state, 'cause', new.cause,
    'title', (select title from cause where slug = new.cause)));
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.a_deleted_email_is_not_found()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  delete from search_document d using gone where d.email_id = gone.id;
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.a_webhook_is_idle()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select exists (
    select from webhook w where w.listens and not exists (
      select from webhook_delivery d
      where d.webhook_id = w.id and d.status = 'waiting' and d.next_attempt_at < now() + interval '30 seconds'))
$function$;
CREATE OR REPLACE FUNCTION public.an_application_moves_only_forward()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.status is distinct from new.status and (old.status, new.status) not in (
    ('submitted', 'approved'), ('submitted', 'rejected'), ('submitted', 'archived'),
    ('rejected', 'approved'), ('rejected', 'archived'), ('approved', 'archived')
  ) then
    raise exception 'an application that is % cannot become %', old.status, new.status
      using errcode = 'check_violation', constraint = 'an_application_moves_only_forward';
  end if;
  return new;
end $function$;
CREATE OR REPLACE FUNCTION public.an_edited_email_is_found_by_its_new_words()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update search_document set words = null where email_id = new.id;
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.an_email_that_stays_here_is_told()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if exists (select from webhook where listens) then
    perform tell_webhooks('email.' || new.status::text, jsonb_build_object(
        'email_id', new.id, 'queue_id', null, 'message_id', new.message_id, 'recipient', a.address,
        'status', new.status, 'cause', new.reason, 'title', (select title from cause where slug = new.reason),
        'stage', null, 'code', null, 'reply', null, 'route', null, 'attempt', 0,
        'tags', new.tags, 'customer_id', new.customer_id, 'client_id', new.client_id, 'seq', nextval('webhook_seq')),
      new.tags, new.id)
    from (select distinct r ->> 'address' as address from jsonb_array_elements(new.recipients) r) a;
  end if;
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.audit_is_append_only()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'DELETE' and old.at < now() - interval '365 days' then
    return old;
  end if;
  raise exception 'audit_entry is append-only: an entry is never changed, and stays for 365 days'
    using errcode = 'insufficient_privilege', constraint = 'audit_is_append_only';
end $function$;
CREATE OR REPLACE FUNCTION public.bounced_before(queue text, spellings text[])
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  select min(coalesce(r.bounced_at, r.finished_at)) from recipient r
  where r.status = 'bounced' and lower(r.address collate "C") = any(spellings) and r.queue_id <> queue
    and r.reason in ('user-unknown', 'mailbox-disabled', 'bad-domain')
$function$;
CREATE OR REPLACE FUNCTION public.changed_keys_are_told()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('postern_relay', '');
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.changed_recipients_are_told()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if exists (select from webhook where listens) then
    perform tell_webhooks_of_recipients(
      array_agg('email.' || r.status::text order by r.queue_id, r.ordinal),
      array_agg(r.queue_id order by r.queue_id, r.ordinal), array_agg(r.ordinal order by r.queue_id, r.ordinal),
      array_agg(b.status = 'sent' order by r.queue_id, r.ordinal))
    from changed r join before b on b.queue_id = r.queue_id and b.ordinal = r.ordinal
    where r.status <> b.status and r.status <> 'sending' and not (b.status = 'sending' and r.status = 'queued')
    having count(*) > 0;
  end if;
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.changed_suppressions_are_told()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  told text := case when tg_op = 'INSERT' then 'suppression.added' else 'suppression.removed' end;
  wake boolean;
begin
  if not exists (select from webhook where listens) then
    return null;
  end if;
  wake := a_webhook_is_idle();
  with news as materialized (
    select new_webhook_event_id() as id,
      jsonb_build_object('address', s.address, 'stream', nullif(s.stream, ''), 'reason', s.reason,
        'cause', s.cause, 'title', c.title, 'source_email_id', s.source_email_id) as data
    from changed s left join cause c on c.slug = s.cause where s.address is not null order by s.id
  )
  insert into webhook_delivery (id, webhook_id, type, data)
  select n.id, w.id, told, n.data
  from news n cross join webhook w where w.listens and (w.events is null or told = any(w.events));
  if found and wake then
    perform pg_notify('postern_webhooks', '');
  end if;
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.count_mail_of_key(wanted uuid, recipients integer, OUT span text, OUT maximum integer, OUT used integer, OUT seconds integer)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  k record;
  u key_usage;
  this_hour timestamptz := date_trunc('hour', clock_timestamp(), 'UTC');
  this_day timestamptz := date_trunc('day', clock_timestamp(), 'UTC');
begin
  select a.per_hour, a.per_day into k from api_key a where a.id = wanted and (a.per_hour > 0 or a.per_day > 0);
  if not found then
    return;
  end if;
  select * into u from key_usage where key_id = wanted for no key update;
  if not found then
    insert into key_usage values (wanted, this_hour, 0, this_day, 0) on conflict do nothing;
    select * into u from key_usage where key_id = wanted for no key update;
  end if;
  -- Who had to wait for the row may find it in the next hour already.
  if u.hour < this_hour then
    u.hour := this_hour;
    u.hour_used := 0;
  end if;
  if u.day < this_day then
    u.day := this_day;
    u.day_used := 0;
  end if;
  if recipients > 0 and u.day_used + recipients > k.per_day then
    span := 'day';
    maximum := k.per_day;
    used := u.day_used;
    seconds := greatest(1, ceil(extract(epoch from u.day + interval '1 day' - clock_timestamp())));
  elsif recipients > 0 and u.hour_used + recipients > k.per_hour then
    span := 'hour';
    maximum := k.per_hour;
    used := u.hour_used;
    seconds := greatest(1, ceil(extract(epoch from u.hour + interval '1 hour' - clock_timestamp())));
  else
    update key_usage set
      hour = u.hour, hour_used = greatest(0, u.hour_used + recipients),
      day = u.day, day_used = greatest(0, u.day_used + recipients)
    where key_id = wanted;
  end if;
end $function$;
revoke execute on function count_mail_of_key(uuid,integer) from public;
CREATE OR REPLACE FUNCTION public.keys_were_used(wanted uuid[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  update api_key k set last_used_at = now()
  from (
    select a.id from api_key a
    where a.id = any(wanted) and (a.last_used_at is null or a.last_used_at < now() - interval '50 seconds')
    order by a.id for no key update skip locked
  ) due
  where k.id = due.id
$function$;
revoke execute on function keys_were_used(uuid[]) from public;
CREATE OR REPLACE FUNCTION public.message_source(wanted text, only_part integer DEFAULT NULL::integer)
 RETURNS TABLE(part integer, content bytea)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
BEGIN ATOMIC
 SELECT p.part,
     p.content
    FROM message_part p
   WHERE ((p.queue_id = message_source.wanted) AND ((message_source.only_part IS NULL) OR (p.part = message_source.only_part)))
   ORDER BY p.part;
END;
revoke execute on function message_source(text,integer) from public;
CREATE OR REPLACE FUNCTION public.new_recipients_are_told()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if exists (select from webhook where listens) then
    perform tell_webhooks_of_recipients(
      array_agg('email.' || case when r.status = 'sending' then 'queued' else r.status::text end
                order by r.queue_id, r.ordinal),
      array_agg(r.queue_id order by r.queue_id, r.ordinal), array_agg(r.ordinal order by r.queue_id, r.ordinal),
      array_agg(false))
    from created r having count(*) > 0;
  end if;
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.new_webhook_event_id()
 RETURNS uuid
 LANGUAGE sql
AS $function$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$function$;
CREATE OR REPLACE FUNCTION public.recipients_decide_the_email_status()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  -- Only a mark leaves a recipient both `sending` and marked: whoever claims it takes the old mark away.
  perform 1 from email e
    where e.id in (
      select c.email_id from changed c
      where c.email_id is not null and not (c.status = 'sending' and c.marked_at is not null))
    order by e.id for no key update;
  if not found then
    return null;
  end if;
  update email e
  set status = d.status,
      reason = d.reason,
      reason_detail = d.reason_detail,
      finished_at = case
        when d.status in ('bounced', 'suppressed', 'expired', 'cancelled', 'captured', 'sent') then coalesce(e.finished_at, now())
      end,
      updated_at = now()
  from (select distinct c.queue_id, c.email_id from changed c where c.email_id is not null) touched
  cross join lateral (
    select r.status, r.reason, r.reason_detail
    from recipient r where r.queue_id = touched.queue_id order by r.status, r.ordinal limit 1
  ) d
  where e.id = touched.email_id
    and (e.status, e.reason, e.reason_detail) is distinct from (d.status, d.reason, d.reason_detail);
  return null;
end $function$;
CREATE OR REPLACE FUNCTION public.submission_keys(wanted bytea[], OUT secret_hash bytea, OUT id uuid, OUT name text, OUT scopes text[], OUT state text, OUT senders text[], OUT tags jsonb, OUT is_limited boolean, OUT seconds_left double precision)
 RETURNS SETOF record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select found.hash, k.id, k.name, k.scopes,
    case
      when k.revoked_at is not null then 'revoked'
      when k.expires_at <= now() then 'expired'
      when found.is_old and k.old_secret_until <= now() then 'replaced'
      else 'valid'
    end,
    k.senders, k.tags, k.per_hour is not null or k.per_day is not null,
    extract(epoch from least(k.expires_at, case when found.is_old then k.old_secret_until end) - now())::float8
  from (
    select w.hash, a.id, false as is_old from unnest(wanted) w (hash) join api_key a on a.secret_hash = w.hash
    union all
    select w.hash, a.id, true from unnest(wanted) w (hash) join api_key a on a.old_secret_hash = w.hash
  ) found join api_key k on k.id = found.id
$function$;
revoke execute on function submission_keys(bytea[]) from public;
CREATE OR REPLACE FUNCTION public.submit_again(wanted text, again text, again_message_id text, first_part bytea, octets integer, actor text, nobody text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  served integer;
begin
  if not exists (select from message_part where queue_id = wanted and part = 0) then
    return 0;
  end if;
  insert into message (queue_id, credential, sender, header_from, message_id, subject, size, priority, smtputf8, eight_bit,
    ret, envid, tags, stream, ignore_suppression, submitted, again_of)
  select again, m.credential, m.sender, m.header_from, again_message_id, m.subject, octets, m.priority, m.smtputf8, m.eight_bit,
    m.ret, m.envid, m.tags, m.stream, m.ignore_suppression,
    jsonb_strip_nulls(jsonb_build_object('key', m.submitted -> 'key', 'recipients', m.submitted -> 'recipients', 'actor', actor)),
    wanted
  from message m where m.queue_id = wanted and m.email_id is null;
  if not found then
    return 0;
  end if;
  insert into message_part (queue_id, part, content)
  select again, p.part, case when p.part = 0 then first_part else p.content end
  from message_part p where p.queue_id = wanted;
  insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at, notify, orcpt)
  select again, r.ordinal, r.address, 'queued', m.priority, now(), r.notify, r.orcpt
  from recipient r join message m on m.queue_id = again
  where r.queue_id = wanted and r.address <> nobody;
  get diagnostics served = row_count;
  return served;
end $function$;
revoke execute on function submit_again(text,text,text,bytea,integer,text,text) from public;
CREATE OR REPLACE FUNCTION public.suppress_recipient(queue text, place smallint, spellings text[], reason text, cause text, reply text, source text, takes_two boolean, hourly_limit integer)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  whom recipient;
  wanted bytea := suppression_digest(spellings[1]);
begin
  if reason not in ('bounce', 'complaint') or source not in ('reply', 'report') then
    raise exception 'The relay suppresses for bounces and complaints only, not for % of %', reason, source;
  end if;
  select r.* into whom from recipient r where r.queue_id = queue and r.ordinal = place;
  if whom.address is null or whom.address = 'erased@erased.invalid' then
    return 'nobody';
  end if;
  if takes_two and not coalesce(bounced_before(queue, spellings) <= now() - interval '24 hours', false) then
    return 'once';
  end if;
  if hourly_limit is not null then
    -- One after the other, or two would count before either has written.
    perform pg_advisory_xact_lock(hashtext('suppressions of reports'));
    if not exists (select from suppression s where s.digest = wanted and s.stream = ''
                   and (s.expires_at is null or s.expires_at > now()))
      and (select count(*) from suppression s
           where s.source = 'report' and s.created_at > now() - interval '1 hour') >= hourly_limit
    then
      return 'too-many';
    end if;
  end if;
  delete from suppression s where s.digest = wanted and s.stream = '' and s.expires_at <= now();
  insert into suppression as s (id, address, digest, digest_unicode, reason, cause, source_email_id, source_queue_id,
                                reply, source)
  values (new_webhook_event_id(), whom.address, wanted,
          case when spellings[2] is not null then suppression_digest(spellings[2]) end,
          suppress_recipient.reason, suppress_recipient.cause, whom.email_id, whom.queue_id,
          left(suppress_recipient.reply, 1000), suppress_recipient.source)
  on conflict on constraint one_suppression_per_address do nothing;
  return case when found then 'added' else 'stands' end;
end $function$;
revoke execute on function suppress_recipient(text,smallint,text[],text,text,text,text,boolean,integer) from public;
CREATE OR REPLACE FUNCTION public.suppression_digest(address text)
 RETURNS bytea
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  select sha256(k.key || convert_to(lower(address collate "C"), 'UTF8')) from suppression_key k
$function$;
revoke execute on function suppression_digest(text) from public;
CREATE OR REPLACE FUNCTION public.suppression_of(address text, of_stream text DEFAULT NULL::text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  wanted bytea := suppression_digest(address);
begin
  return (
    select s.reason from suppression s
    where (s.digest = wanted or s.digest_unicode = wanted) and s.stream in ('', coalesce(of_stream, ''))
      and (s.expires_at is null or s.expires_at > now())
    order by s.stream limit 1);
end $function$;
revoke execute on function suppression_of(text,text) from public;
CREATE OR REPLACE FUNCTION public.tell_webhooks(type text, data jsonb, tags jsonb DEFAULT NULL::jsonb, email_id uuid DEFAULT NULL::uuid, queue_id text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  event_id uuid := new_webhook_event_id();
  wake boolean;
begin
  if not exists (select from webhook where listens) then
    return;
  end if;
  wake := a_webhook_is_idle();
  insert into webhook_delivery (id, webhook_id, type, data, email_id, queue_id)
  select event_id, w.id, tell_webhooks.type, tell_webhooks.data, tell_webhooks.email_id, tell_webhooks.queue_id
  from webhook w
  where w.listens and (w.events is null or tell_webhooks.type = any(w.events))
    and (tell_webhooks.tags is null or w.tags = '[]' or exists (
      select from jsonb_array_elements(w.tags) wanted where tell_webhooks.tags @> jsonb_build_array(wanted)));
  if found and wake then
    perform pg_notify('postern_webhooks', '');
  end if;
end $function$;
revoke execute on function tell_webhooks(text,jsonb,jsonb,uuid,text) from public;
CREATE OR REPLACE FUNCTION public.tell_webhooks_of_recipients(types text[], queue_ids text[], ordinals smallint[], after_sent boolean[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
declare
  wake boolean := a_webhook_is_idle();
begin
  with told as materialized (
    select new_webhook_event_id() as id, t.type, m.email_id, t.queue_id, coalesce(e.tags, m.tags) as tags,
      jsonb_build_object(
        'email_id', m.email_id, 'queue_id', t.queue_id, 'message_id', m.message_id, 'recipient', r.address,
        -- That a relay has it in hand is news to nobody.
        'status', case when r.status = 'sending' then 'queued' else r.status end,
        'cause', r.reason, 'title', c.title,
        'stage', case when r.status = 'sent' then 'accepted' else r.stage end,
        'code', r.reply_code, 'reply', r.reply, 'route', r.route, 'attempt', r.attempts,
        'tags', coalesce(e.tags, m.tags), 'customer_id', e.customer_id, 'client_id', e.client_id,
        'seq', nextval('webhook_seq'))
      || case when t.after_sent then '{"after_sent": true}'::jsonb else '{}' end as data
    from unnest(types, queue_ids, ordinals, after_sent) with ordinality
      as t (type, queue_id, ordinal, after_sent, position)
    join recipient r on r.queue_id = t.queue_id and r.ordinal = t.ordinal
    join message m on m.queue_id = t.queue_id
    left join email e on e.id = m.email_id
    left join cause c on c.slug = r.reason
    order by t.position
  )
  insert into webhook_delivery (id, webhook_id, type, data, email_id, queue_id)
  select told.id, w.id, told.type, told.data, told.email_id, told.queue_id
  from told join webhook w on w.listens and (w.events is null or told.type = any(w.events))
    and (w.tags = '[]' or exists (
      select from jsonb_array_elements(w.tags) wanted where told.tags @> jsonb_build_array(wanted)));
  if found and wake then
    perform pg_notify('postern_webhooks', '');
  end if;
end $function$;
revoke execute on function tell_webhooks_of_recipients(text[],text[],smallint[],boolean[]) from public;

CREATE TRIGGER changed_keys_are_told AFTER UPDATE OF name, scopes, revoked_at, expires_at, senders, tags, per_hour, per_day, secret_hash, old_secret_hash, old_secret_until ON public.api_key FOR EACH STATEMENT EXECUTE FUNCTION changed_keys_are_told();
CREATE TRIGGER an_application_moves_only_forward BEFORE UPDATE OF status ON public.application FOR EACH ROW EXECUTE FUNCTION an_application_moves_only_forward();
CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE ON public.audit_entry FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON public.audit_entry FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER a_deleted_email_is_not_found AFTER DELETE ON public.email REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION a_deleted_email_is_not_found();
CREATE TRIGGER an_edited_email_is_found_by_its_new_words AFTER UPDATE OF subject, recipients, from_address ON public.email FOR EACH ROW EXECUTE FUNCTION an_edited_email_is_found_by_its_new_words();
CREATE TRIGGER an_email_that_begins_here_is_told AFTER INSERT ON public.email FOR EACH ROW WHEN (((new.queue_id IS NULL) AND (new.status = ANY (ARRAY['held'::mail_status, 'cancelled'::mail_status, 'expired'::mail_status])))) EXECUTE FUNCTION an_email_that_stays_here_is_told();
CREATE TRIGGER an_email_that_stays_here_is_told AFTER UPDATE OF status ON public.email FOR EACH ROW WHEN (((new.queue_id IS NULL) AND (old.status IS DISTINCT FROM new.status) AND (new.status = ANY (ARRAY['held'::mail_status, 'cancelled'::mail_status, 'expired'::mail_status])))) EXECUTE FUNCTION an_email_that_stays_here_is_told();
CREATE TRIGGER a_changed_lane_is_told AFTER UPDATE OF state ON public.lane FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION a_changed_lane_is_told();
CREATE TRIGGER changed_recipients_are_told AFTER UPDATE ON public.recipient REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION changed_recipients_are_told();
CREATE TRIGGER new_recipients_are_told AFTER INSERT ON public.recipient REFERENCING NEW TABLE AS created FOR EACH STATEMENT EXECUTE FUNCTION new_recipients_are_told();
CREATE TRIGGER recipients_decide_the_email_status AFTER UPDATE ON public.recipient REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION recipients_decide_the_email_status();
CREATE TRIGGER a_changed_domain_is_told AFTER UPDATE OF settled ON public.sender_domain FOR EACH ROW WHEN ((old.settled IS DISTINCT FROM new.settled)) EXECUTE FUNCTION a_changed_domain_is_told();
CREATE TRIGGER added_suppressions_are_told AFTER INSERT ON public.suppression REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION changed_suppressions_are_told();
CREATE TRIGGER removed_suppressions_are_told AFTER DELETE ON public.suppression REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION changed_suppressions_are_told();

grant execute on function public.count_mail_of_key(uuid,integer) to postern_api;
grant execute on function public.count_mail_of_key(uuid,integer) to postern_relay;
grant execute on function public.keys_were_used(uuid[]) to postern_api;
grant execute on function public.keys_were_used(uuid[]) to postern_relay;
grant execute on function public.message_source(text,integer) to postern_api;
grant execute on function public.submission_keys(bytea[]) to postern_relay;
grant execute on function public.submit_again(text,text,text,bytea,integer,text,text) to postern_api;
grant execute on function public.suppress_recipient(text,smallint,text[],text,text,text,text,boolean,integer) to postern_relay;
grant execute on function public.suppression_digest(text) to postern_api;
grant execute on function public.suppression_of(text,text) to postern_relay;
grant execute on function public.tell_webhooks_of_recipients(text[],text[],smallint[],boolean[]) to postern_relay;
grant usage on schema public to postern_api;
grant usage on schema public to postern_relay;
grant usage on schema public to postern_worker;
grant insert, select, update on table public.api_key to postern_api;
grant delete, insert, select, update on table public.application to postern_api;
grant insert, select on table public.audit_entry to postern_api;
grant delete, select (at, id) on table public.audit_entry to postern_worker;
grant insert, select, update on table public.bounce_folder to postern_relay;
grant select (cause, detail, key, last_look_at, since, state) on table public.bounce_mailbox to postern_api;
grant insert, select, update on table public.bounce_mailbox to postern_relay;
grant select (outcome, read_at, why) on table public.bounce_report to postern_api;
grant insert, select, update (withheld) on table public.bounce_report to postern_relay;
grant delete, select (digest, read_at) on table public.bounce_report to postern_worker;
grant select on table public.canary to postern_api;
grant delete, insert, select, update on table public.canary to postern_relay;
grant select on table public.cause to postern_api;
grant delete, insert, select, update on table public.cause to postern_relay;
grant delete, insert, select, update on table public.client_email_config to postern_api;
grant select (lane, lease_until) on table public.connection_slot to postern_api;
grant delete, insert, select, update on table public.connection_slot to postern_relay;
grant delete, insert, select, update on table public.customer to postern_api;
grant delete, insert, select, update on table public.dashboard_session to postern_api;
grant insert, select, update on table public.dashboard_user to postern_api;
grant select on table public.database_identity to postern_api;
grant insert, select, update on table public.database_identity to postern_relay;
grant select on table public.database_identity to postern_worker;
grant delete, insert, select, update on table public.doctor_run to postern_api;
grant select, update on table public.doctor_run to postern_relay;
grant insert, select, update on table public.email to postern_api;
grant select (accepted_at, again_of, api_key_id, client_id, created_at, customer_id, due_at, entry_key, erased_at, finished_at, from_address, hand_over_attempts, id, ignore_suppression, kind, local_time, max_lateness, message_id, next_hand_over_at, on_uncertain, paused, priority, queue_id, reason, reason_detail, recipients, revision, status, stream, tags, time_zone, token, traceparent, updated_at), update (accepted_at, finished_at, next_hand_over_at, queue_id, reason, reason_detail, status, updated_at) on table public.email to postern_relay;
grant delete, select, update on table public.email to postern_worker;
grant delete, insert, select on table public.email_attachment to postern_api;
grant delete, select on table public.email_attachment to postern_worker;
grant insert, select, update (detail, recipient) on table public.event to postern_api;
grant insert, select on table public.event to postern_relay;
grant delete, insert, select on table public.event to postern_worker;
grant insert, select, update on table public.heartbeat to postern_api;
grant insert, select, update on table public.heartbeat to postern_relay;
grant delete, insert, select, update on table public.heartbeat to postern_worker;
grant delete, insert, select, update on table public.idempotency_key to postern_api;
grant delete, select (keep_until, key, method, path, principal) on table public.idempotency_key to postern_worker;
grant delete, insert, select, update on table public.invitation to postern_api;
grant delete, select (accepted_at, expires_at, id) on table public.invitation to postern_worker;
grant select on table public.key_usage to postern_api;
grant select (detail, key, next_probe_at, probed_at, since, state), update (detail, next_probe_at) on table public.lane to postern_api;
grant delete, insert, select, update on table public.lane to postern_relay;
grant delete, insert, select, update on table public.lane_closure to postern_relay;
grant delete, insert, select, update on table public.lane_refusal to postern_relay;
grant delete, insert, select, update on table public.lane_replica to postern_relay;
grant delete, insert, select, update on table public.lane_usage to postern_relay;
grant delete, insert, select, update on table public.login_failure to postern_relay;
grant delete, select (key, since) on table public.login_failure to postern_worker;
grant delete, insert, select, update on table public.login_proof to postern_relay;
grant delete, select (succeeded_at) on table public.login_proof to postern_worker;
grant delete, insert, select, update on table public.mail_hour to postern_api;
grant delete, insert, select, update on table public.mail_minute to postern_api;
grant select, update (envid, header_from, message_id, sender, subject, submitted) on table public.message to postern_api;
grant insert, select, update (digest) on table public.message to postern_relay;
grant delete, select, update (priority) on table public.message to postern_worker;
grant delete, select (part, queue_id) on table public.message_part to postern_api;
grant delete, insert, select on table public.message_part to postern_relay;
grant delete, select (part, queue_id, stored_at) on table public.message_part to postern_worker;
grant delete, insert, select, update on table public.notice_owed to postern_relay;
grant delete, insert, select, update on table public.oauth2_grant to postern_relay;
grant insert, select, update on table public.open_clock to postern_relay;
grant delete, insert, select, update on table public.owner to postern_api;
grant select on table public.postern_migration to postern_api;
grant select on table public.postern_migration to postern_relay;
grant select on table public.postern_migration to postern_worker;
grant delete, insert, select, update on table public.rate_window to postern_api;
grant select, update on table public.recipient to postern_api;
grant insert, select, update on table public.recipient to postern_relay;
grant select on table public.recipient to postern_worker;
grant select, update (credential, reply, sender) on table public.refusal to postern_api;
grant delete, insert, select, update on table public.refusal to postern_relay;
grant delete, select (key, last_at) on table public.refusal to postern_worker;
grant delete, insert, select, update on table public.route to postern_relay;
grant delete, insert, select, update on table public.search_document to postern_api;
grant delete, select (email_id), update (words) on table public.search_document to postern_worker;
grant select, update (canary_asked_at, next_check_at) on table public.sender_domain to postern_api;
grant delete, insert, select, update on table public.sender_domain to postern_relay;
grant select (cause, causes, detail, lane, lifted_at, sender), update (asked_for, detail, next_probe_at) on table public.sender_hold to postern_api;
grant delete, insert, select, update on table public.sender_hold to postern_relay;
grant select (lane, reply), update (reply) on table public.sign_in to postern_api;
grant delete, insert, select, update on table public.sign_in to postern_relay;
grant insert, select, update on table public.submission to postern_relay;
grant delete, select on table public.submission to postern_worker;
grant delete, insert, select, update on table public.suppression to postern_api;
grant select (reason) on table public.suppression to postern_relay;
grant delete, select (expires_at, id) on table public.suppression to postern_worker;
grant delete, insert, select, update on table public.template to postern_api;
grant select, update (template) on table public.unknown_reply to postern_api;
grant delete, insert, select, update on table public.unknown_reply to postern_relay;
grant select on table public.unsubscribe_key to postern_api;
grant insert, select, update on table public.webhook to postern_api;
grant select (deleted_at, description, disabled_cause, failing_since, id, state, told_at), update (told_at) on table public.webhook to postern_relay;
grant delete, select, update (disabled_cause, dropped, failing_since, failures, paused_until, state, updated_at) on table public.webhook to postern_worker;
grant insert, select, update (answer, attempts, data, error, finished_at, next_attempt_at, status) on table public.webhook_delivery to postern_api;
grant delete, select, update (answer, answer_status, attempted_at, attempts, duration_ms, error, finished_at, next_attempt_at, status) on table public.webhook_delivery to postern_worker;
grant delete, insert, select (created_at, expires_at, webhook_id), update (expires_at) on table public.webhook_secret to postern_api;
grant delete, select on table public.webhook_secret to postern_worker;
