-- The schema that the migrations make: `npm run schema` writes it, and `npm run check` compares it.
-- Tables come first, by name, then functions. TypeORM's own table, schema_migration, is left out.

-- What is audited and is no event. An entry comes after the event at its position; entries of one position are in order of seq.
create table audit_entry (
  seq bigint not null generated always as identity,
  id uuid not null,
  "position" bigint not null,
  -- Null for what belongs to no account.
  account_id text,
  at timestamp with time zone not null,
  type text not null,
  -- An entry whose digest is that of the one before it is not made.
  digest text,
  entry jsonb not null,
  constraint audit_entry_pkey PRIMARY KEY (seq),
  constraint audit_entry_id_key UNIQUE (id)
);
CREATE INDEX audit_entry_at ON audit_entry USING btree (at);
CREATE INDEX audit_entry_newest ON audit_entry USING btree (type, account_id, seq) WHERE (digest IS NOT NULL);
CREATE INDEX audit_entry_of_account ON audit_entry USING btree (account_id, "position", seq);

-- How far the audit was written to the file (1) and to syslog (2), and which process writes it.
create table audit_export (
  id smallint not null,
  "position" bigint not null,
  seq bigint not null,
  holder text,
  held_until timestamp with time zone not null,
  constraint audit_export_pkey PRIMARY KEY (id),
  constraint audit_export_id_check CHECK ((id = ANY (ARRAY[1, 2])))
);

-- One row for each backup that was asked for and is not deleted.
create table backup_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  schedule_id uuid,
  -- The slot that the backup is for; null when a client asked for it.
  slot_at timestamp with time zone,
  trigger text not null,
  type text not null,
  parent_id uuid,
  name text not null,
  description text,
  datastore_type text not null,
  datastore_version text not null,
  copy_to text[] not null,
  status text not null,
  attempt integer not null,
  region text,
  location text,
  -- The bytes in the vault.
  size_bytes bigint,
  -- The bytes before compression.
  raw_bytes bigint,
  sha256 text,
  fault jsonb,
  created_at timestamp with time zone not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  -- The version of the stream that the row reflects.
  version integer not null,
  -- Why the backup is full though an incremental one was planned.
  made_full jsonb,
  -- The history of one server that the backup is a state of; null until it is known.
  lineage uuid,
  -- What the engine says of the server, to know it again.
  facts jsonb,
  -- Why the server is another one than that of the backup before.
  another_server jsonb,
  -- The position of the event that begins the backup. It tells which backup is newest, even when a clock was wrong.
  "position" bigint,
  -- The newest attempts that failed in a way that passes, oldest first.
  failed_attempts jsonb not null default '[]'::jsonb,
  -- When the next attempt is due, while one is waited for.
  retry_at timestamp with time zone,
  -- Until when the backup is tried again.
  retry_until timestamp with time zone,
  -- Why the backup was late, oldest first.
  delays jsonb not null default '[]'::jsonb,
  -- Why the backup is not deleted, while it should be gone.
  put_off jsonb,
  -- Who deleted the backup and when its bytes go, while they are there.
  mark jsonb,
  -- Why nobody may delete the backup.
  hold jsonb,
  -- Retention had deleted the backup, and somebody brought it back.
  is_kept_by_hand boolean not null default false,
  -- Whose keys opened the backup when it was made; null for one that is not encrypted.
  encrypted_for jsonb,
  constraint backup_view_pkey PRIMARY KEY (id)
);
CREATE INDEX backup_view_delete_failed ON backup_view USING btree (id) WHERE (status = 'DELETE_FAILED'::text);
CREATE INDEX backup_view_deleting ON backup_view USING btree (updated_at) WHERE (status = 'DELETING'::text);
CREATE INDEX backup_view_deleting_by_id ON backup_view USING btree (id) WHERE (status = 'DELETING'::text);
CREATE INDEX backup_view_left_behind ON backup_view USING btree (id) WHERE ((status = 'DELETE_FAILED'::text) AND ((fault ->> 'code'::text) = 'region-retired'::text));
CREATE INDEX backup_view_marked ON backup_view USING btree (account_id, id) WHERE (status = 'MARKED'::text);
CREATE INDEX backup_view_marked_by_id ON backup_view USING btree (id) WHERE (status = 'MARKED'::text);
CREATE INDEX backup_view_of_account ON backup_view USING btree (account_id, created_at DESC, id DESC);
CREATE INDEX backup_view_of_instance ON backup_view USING btree (instance_id, created_at DESC, id DESC);
CREATE INDEX backup_view_of_instance_in_order ON backup_view USING btree (instance_id, "position" DESC);
CREATE INDEX backup_view_of_parent ON backup_view USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX backup_view_of_schedule ON backup_view USING btree (schedule_id, created_at DESC) WHERE (schedule_id IS NOT NULL);
CREATE INDEX backup_view_stored_fulls ON backup_view USING btree (schedule_id, created_at DESC) WHERE ((type = 'full'::text) AND (status = ANY (ARRAY['COMPLETED'::text, 'DELETE_FAILED'::text])));
CREATE INDEX backup_view_unended ON backup_view USING btree (instance_id) WHERE (status = ANY (ARRAY['NEW'::text, 'BUILDING'::text]));
CREATE INDEX backup_view_unended_by_id ON backup_view USING btree (id) WHERE (status = ANY (ARRAY['NEW'::text, 'BUILDING'::text]));
CREATE TRIGGER backup_view_begins_ended AFTER INSERT ON backup_view REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION schedule_outcome_of_backup();
CREATE TRIGGER backup_view_ends AFTER UPDATE ON backup_view REFERENCING OLD TABLE AS former NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION schedule_outcome_of_backup();
CREATE TRIGGER backup_view_has_its_place BEFORE INSERT ON backup_view FOR EACH ROW WHEN ((new."position" IS NULL)) EXECUTE FUNCTION backup_view_place();

-- The sealed credentials that took the place of those in instance_credential. An event of the instance names the one in force.
create table changed_credential (
  credential_id uuid not null,
  instance_id uuid not null,
  ciphertext bytea not null,
  stored_at timestamp with time zone not null default now(),
  constraint changed_credential_pkey PRIMARY KEY (credential_id)
);
CREATE INDEX changed_credential_of_instance ON changed_credential USING btree (instance_id);

-- One row for each copy of a backup that another region is to have.
create table copy_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  backup_id uuid not null,
  region text not null,
  source_region text not null,
  status text not null,
  attempt integer not null,
  size_bytes bigint not null,
  sha256 text not null,
  location text,
  fault jsonb,
  -- When a copy that failed is tried again.
  retry_at timestamp with time zone,
  created_at timestamp with time zone not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  version integer not null,
  -- Since when the region has been owed the copy.
  owed_at timestamp with time zone not null default now(),
  constraint copy_view_pkey PRIMARY KEY (id)
);
CREATE INDEX copy_view_of_backup ON copy_view USING btree (backup_id, region);
CREATE INDEX copy_view_stranded ON copy_view USING btree (region, owed_at) WHERE ((status = 'FAILED'::text) AND ((fault ->> 'code'::text) = 'region-retired'::text));
CREATE INDEX copy_view_unended ON copy_view USING btree (region, owed_at) WHERE (status = ANY (ARRAY['PENDING'::text, 'COPYING'::text]));
CREATE INDEX copy_view_unended_by_id ON copy_view USING btree (id) WHERE (status = ANY (ARRAY['PENDING'::text, 'COPYING'::text]));

-- Messages that no handler could take.
create table dead_letter (
  id uuid not null,
  consumer_group text not null,
  source text not null,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  "position" bigint,
  message jsonb not null,
  error text not null,
  set_aside_at timestamp with time zone not null default now(),
  -- An operator sets it to have the message handled again.
  replay_asked_at timestamp with time zone,
  replayed_at timestamp with time zone,
  constraint dead_letter_pkey PRIMARY KEY (id),
  constraint dead_letter_consumer_group_source_topic_partition_offset_key UNIQUE (consumer_group, source, topic, partition, "offset")
);
CREATE TRIGGER dead_letter_is_asked AFTER UPDATE OF replay_asked_at ON dead_letter FOR EACH ROW WHEN ((new.replay_asked_at IS NOT NULL)) EXECUTE FUNCTION dead_letter_is_asked();

-- The SHA-256 of each manifest that an attempt was about to seal. A later attempt takes no other backup that it finds in the vault.
create table expected_seal (
  backup_id uuid not null,
  sha256 text not null,
  attempt integer not null,
  kept_at timestamp with time zone not null default now(),
  constraint expected_seal_pkey PRIMARY KEY (backup_id, sha256)
);

-- The events that a consumer group has handled since its second look. It is written with the effects of the handlers. It is not logged: after a crash the events are handled again.
create unlogged table feed_handled (
  consumer_group text not null,
  "position" bigint not null,
  constraint feed_handled_pkey PRIMARY KEY (consumer_group, "position")
);

-- One row: the events beyond this position have a row in feed_handled when they are handled.
create table feed_handled_since (
  "position" bigint not null
);

-- How far a consumer group has handled a partition. A lock on the row keeps other consumers away.
create table feed_offset (
  consumer_group text not null,
  -- The broker cluster, or the ledger itself.
  source text not null,
  topic text not null,
  partition integer not null,
  -- The offset of the last message that was handled; -1 before the first.
  "offset" bigint not null default '-1'::integer,
  -- The position of the last event that was handled. A message at or below it is a repetition.
  "position" bigint not null default 0,
  moved_at timestamp with time zone not null default now(),
  constraint feed_offset_pkey PRIMARY KEY (consumer_group, source, topic, partition)
);

-- Requests with an idempotency key, and their answers, for a day.
create table idempotent_request (
  account_id text not null,
  key text not null,
  -- A digest of method, path and body. A body may hold a password.
  fingerprint bytea not null,
  -- The id of what the request makes. A repeated request makes the same id.
  resource_id uuid not null,
  begun_at timestamp with time zone not null default now(),
  -- The status of the answer; null until the request has had its effect.
  status smallint,
  -- The answer as it was sent. As jsonb it would lose its order.
  body json,
  constraint idempotent_request_pkey PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotent_request_by_age ON idempotent_request USING btree (begun_at);

-- The passwords of instances, as ciphertext. Its key is never in the database.
create table instance_credential (
  instance_id uuid not null,
  ciphertext bytea not null,
  stored_at timestamp with time zone not null default now(),
  constraint instance_credential_pkey PRIMARY KEY (instance_id)
);

-- One row for each instance that was not forgotten.
create table instance_view (
  id uuid not null,
  account_id text not null,
  name text not null,
  datastore_type text not null,
  datastore_version text not null,
  -- How the server is reached; null until a server that is built from a backup runs.
  endpoint jsonb,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  version integer not null,
  status text not null default 'ACTIVE'::text,
  fault jsonb,
  -- The lineages that somebody has accepted.
  accepted_lineages jsonb not null default '[]'::jsonb,
  constraint instance_view_pkey PRIMARY KEY (id)
);
CREATE INDEX instance_view_building ON instance_view USING btree (id) WHERE (status = 'BUILD'::text);
CREATE INDEX instance_view_of_account ON instance_view USING btree (account_id, id);

-- Long work and who does it. A job is leased, and no transaction stays open while it is done.
create table job (
  kind text not null,
  id uuid not null,
  -- What the work contends for. Jobs of one lane never hold up those of another.
  lane text not null default ''::text,
  account_id text not null,
  ready_at timestamp with time zone not null default now(),
  -- How often the job was leased.
  attempt integer not null default 0,
  lease_owner text,
  lease_until timestamp with time zone,
  done_bytes bigint not null default 0,
  total_bytes bigint,
  -- How often the job was added. A job that is added while it is done is done again.
  asked integer not null default 1,
  -- How often the job failed: its holder was lost, or gave it back as failed.
  failures integer not null default 0,
  -- The length of the lease; null when an older version wrote it.
  lease_ms bigint,
  -- When ready_at was set.
  paused_at timestamp with time zone not null default now(),
  -- The readers, which are versions, that could not read a stream of the job. They leave it to the others until passed_until.
  passed_by text[],
  passed_until timestamp with time zone,
  -- How fast the job has moved bytes lately, as its holder tells with each renewal. Null: it has moved none yet.
  bytes_per_second bigint,
  constraint job_pkey PRIMARY KEY (kind, id)
);
CREATE INDEX job_held ON job USING btree (kind, account_id, lease_owner) WHERE (lease_owner IS NOT NULL);
CREATE INDEX job_of_account ON job USING btree (kind, lane, account_id, ready_at, id);
CREATE INDEX job_paused ON job USING btree (kind, lane, paused_at);
CREATE INDEX job_ready ON job USING btree (kind, lane, ready_at);

-- Jobs that were added in the transaction of their event. The feed takes the row when it brings the event, and adds no job then.
create unlogged table job_news (
  "position" bigint not null,
  kind text not null,
  added_at timestamp with time zone not null default now(),
  constraint job_news_pkey PRIMARY KEY ("position", kind)
);
CREATE INDEX job_news_by_age ON job_news USING btree (added_at);

-- How far the turns of the accounts are, by kind of job and lane.
create table job_turn (
  kind text not null,
  lane text not null,
  -- The account that had the last turn.
  account_id text not null default ''::text,
  constraint job_turn_pkey PRIMARY KEY (kind, lane)
);

-- Which vault each region has. It tells a vault that is missing, or another in its place, from a new one.
create table known_vault (
  region text not null,
  vault_id uuid not null,
  seen_at timestamp with time zone not null default now(),
  constraint known_vault_pkey PRIMARY KEY (region),
  constraint known_vault_vault_id_key UNIQUE (vault_id)
);

-- What one stream holds at a time, such as the running backup of an instance.
create table ledger_claim (
  kind text not null,
  key text not null,
  -- The stream that holds the claim.
  stream text not null,
  constraint ledger_claim_pkey PRIMARY KEY (kind, key)
);

-- Everything that happened. Rows are only added, by ledger_append.
create table ledger_event (
  -- The order of positions is the order of commits.
  "position" bigint not null generated always as identity,
  id uuid not null,
  stream text not null,
  -- The version that the event gave its stream: 1 for the first event.
  version integer not null,
  -- The kind of aggregate that the stream is of; it chooses the topic.
  aggregate text not null,
  type text not null,
  account_id text not null,
  instance_id uuid not null,
  at timestamp with time zone not null,
  data jsonb not null,
  -- The request that led to the event, and who made it.
  context jsonb not null,
  -- SHA-256 over the link of the event before and the digest of this one; null where an older version has recorded it.
  link bytea,
  constraint ledger_event_pkey PRIMARY KEY (stream, version),
  constraint ledger_event_version_check CHECK ((version > 0))
);
CREATE INDEX ledger_event_audited ON ledger_event USING btree (account_id, "position") WHERE (type = ANY (ARRAY['InstanceRegistered'::text, 'InstanceBuildRequested'::text, 'InstanceChanged'::text, 'InstanceForgotten'::text, 'LineageAccepted'::text, 'ScheduleUpdated'::text, 'ScheduleDeleted'::text, 'BackupDeletionMarked'::text, 'BackupDeletionReverted'::text, 'BackupDeletionApproved'::text, 'BackupDeletionRequested'::text, 'BackupDeleted'::text, 'BackupHeld'::text, 'BackupHoldLifted'::text, 'CopyDeletionRequested'::text]));
CREATE INDEX ledger_event_audited_with_webhooks ON ledger_event USING btree (account_id, "position") WHERE (type = ANY (ARRAY['InstanceRegistered'::text, 'InstanceBuildRequested'::text, 'InstanceChanged'::text, 'InstanceForgotten'::text, 'LineageAccepted'::text, 'ScheduleUpdated'::text, 'ScheduleDeleted'::text, 'BackupDeletionMarked'::text, 'BackupDeletionReverted'::text, 'BackupDeletionApproved'::text, 'BackupDeletionRequested'::text, 'BackupDeleted'::text, 'BackupHeld'::text, 'BackupHoldLifted'::text, 'CopyDeletionRequested'::text, 'WebhookCreated'::text, 'WebhookUpdated'::text, 'WebhookSecretRotated'::text, 'WebhookDeleted'::text]));
CREATE UNIQUE INDEX ledger_event_by_id ON ledger_event USING btree (id);
CREATE UNIQUE INDEX ledger_event_in_order ON ledger_event USING btree ("position");
CREATE INDEX ledger_event_of_account ON ledger_event USING btree (account_id, "position");
CREATE INDEX ledger_event_of_aggregate ON ledger_event USING btree (aggregate, "position");
CREATE INDEX ledger_event_of_long_pause ON ledger_event USING btree (stream, ((data ->> 'paused'::text)), version) WHERE ((version > 32) AND (type = 'ScheduleUpdated'::text) AND (((data ->> 'paused'::text) = 'false'::text) OR ((context ->> 'reason'::text) IS NOT NULL)));
CREATE INDEX ledger_event_of_long_stream ON ledger_event USING btree (stream, type, version) WHERE (version > 32);
CREATE INDEX ledger_event_of_long_stream_in_time ON ledger_event USING btree (stream, at, "position") WHERE (version > 32);
CREATE INDEX ledger_event_of_schedule ON ledger_event USING btree (((data ->> 'scheduleId'::text)), at, "position") WHERE (type = ANY (ARRAY['ScheduleCreated'::text, 'ScheduleUpdated'::text, 'ScheduleDeleted'::text, 'SlotSkipped'::text, 'SlotMissed'::text, 'BackupRequested'::text, 'BackupDelayed'::text, 'BackupMadeFull'::text, 'BackupCompleted'::text, 'BackupFailed'::text]));
CREATE TRIGGER ledger_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_event FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses_change();
revoke delete, truncate, update on ledger_event from its owner;

-- The newest row names the ledger. A row is added when the ledger may have lost its end, and may give positions anew.
create table ledger_identity (
  n bigint not null generated always as identity,
  id uuid not null default gen_random_uuid(),
  -- The system identifier, the timeline and the database that held the ledger.
  server text not null,
  reason text not null,
  began_at timestamp with time zone not null default now(),
  constraint ledger_identity_pkey PRIMARY KEY (n)
);

-- How much of each quota is used. It is counted in the transaction of the events.
create table ledger_quota (
  kind text not null,
  key text not null,
  used integer not null,
  constraint ledger_quota_pkey PRIMARY KEY (kind, key),
  constraint ledger_quota_used_check CHECK ((used >= 0))
);

-- To which streams a role may append. A role without a row appends to none. The owner appends to all.
create table ledger_writer (
  role_name text not null,
  -- The kinds of aggregates.
  aggregates text[] not null,
  constraint ledger_writer_pkey PRIMARY KEY (role_name)
);

-- Log-ins that were refused at an address and port, or are being tried there by an instance that was never let in.
create table refused_login (
  id bigint not null generated always as identity,
  server text not null,
  refused_at timestamp with time zone not null default now(),
  -- Null for what an older version has counted.
  account_id text,
  constraint refused_login_pkey PRIMARY KEY (id)
);
CREATE INDEX refused_login_by_server ON refused_login USING btree (server, refused_at);

-- The regions that a process can not reach: one row for an outage, however many copies wait for it. The row goes when the region is back.
create table region_outage (
  region text not null,
  seen_by text not null,
  since timestamp with time zone not null,
  code text not null,
  reason text not null,
  -- A row that is a minute old is of a process that has ended.
  seen_at timestamp with time zone not null default now(),
  constraint region_outage_pkey PRIMARY KEY (region, seen_by)
);

-- How far the relay has sent the events of a topic to a broker cluster.
create table relay_cursor (
  -- The broker cluster. A new cluster is filled from the start of the ledger.
  source text not null,
  topic text not null,
  -- The position of the last event that the broker has acknowledged.
  "position" bigint not null default 0,
  moved_at timestamp with time zone not null default now(),
  -- The process that relays the topic, until held_until.
  holder text,
  held_until timestamp with time zone,
  -- The length of the lease; null when an older version wrote it.
  held_ms bigint,
  -- By partition, the offset after the newest message that the broker has acknowledged.
  ends jsonb not null default '{}'::jsonb,
  -- By partition, the position up to which its events were sent, where that is beyond the cursor; and the cursor at that time.
  ahead jsonb,
  -- Over how many partitions the keys are spread. Partitions that are added later stay empty, so that the events of a key keep their order.
  partitions integer,
  constraint relay_cursor_pkey PRIMARY KEY (source, topic)
);

-- How many requests of an operation an account has made in the period. It is not logged: a crash may lose it.
create unlogged table request_count (
  account_id text not null,
  operation text not null,
  period_start timestamp with time zone not null,
  used integer not null,
  constraint request_count_pkey PRIMARY KEY (account_id, operation)
) with (fillfactor=50);

-- The newest restores of each backup that were tested, by region and outcome, folded from their events. A row stays when its backup is deleted.
create table restore_test_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  tests jsonb not null,
  tested_at timestamp with time zone not null,
  version integer not null,
  constraint restore_test_view_pkey PRIMARY KEY (id)
);
CREATE INDEX restore_test_view_by_account ON restore_test_view USING btree (account_id);
CREATE INDEX restore_test_view_newest ON restore_test_view USING btree (instance_id, tested_at DESC, id DESC);

-- What became of each slot, and the runs that were asked for. A row stays when its backup is deleted.
create table run_view (
  -- The id of the run's backup, also when there is no backup.
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  schedule_id uuid not null,
  -- Null for a run that was asked for.
  slot_at timestamp with time zone,
  outcome text not null,
  -- Why there is no backup.
  reason text,
  created_at timestamp with time zone not null,
  version integer not null,
  -- Why the backup is full though an incremental one was planned.
  made_full jsonb,
  -- The type of the run's backup, as it is known so far; null when there is none.
  type text,
  -- Why the backup has failed.
  fault jsonb,
  -- As in backup_view.
  failed_attempts jsonb not null default '[]'::jsonb,
  -- As in backup_view.
  delays jsonb not null default '[]'::jsonb,
  constraint run_view_pkey PRIMARY KEY (id)
);
CREATE INDEX run_view_of_schedule ON run_view USING btree (schedule_id, slot_at DESC);
CREATE INDEX run_view_that_ran ON run_view USING btree (schedule_id, created_at DESC) WHERE (outcome = 'ran'::text);
CREATE TRIGGER run_view_has_no_backup AFTER INSERT ON run_view FOR EACH ROW WHEN ((new.outcome <> 'ran'::text)) EXECUTE FUNCTION schedule_outcome_of_run();

-- How the runs of each schedule have ended. Triggers of the views keep it.
create table schedule_outcome (
  schedule_id uuid not null,
  account_id text not null,
  paused boolean not null,
  -- Since when the schedule has run at this time of the day without a pause.
  active_since timestamp with time zone not null,
  -- When its newest backup completed, even when that backup is not there any more.
  last_success_at timestamp with time zone,
  -- How many of its backups have completed since the row is there; and so for the columns beside it.
  completed bigint not null default 0,
  failed bigint not null default 0,
  skipped bigint not null default 0,
  missed bigint not null default 0,
  constraint schedule_outcome_pkey PRIMARY KEY (schedule_id)
);
CREATE INDEX schedule_outcome_by_due ON schedule_outcome USING btree (GREATEST(active_since, last_success_at)) WHERE (NOT paused);
CREATE INDEX schedule_outcome_by_id ON schedule_outcome USING btree (schedule_id) WHERE (NOT paused);

-- One row for each schedule.
create table schedule_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  -- The day of the full backup: 0 is Sunday, 6 is Saturday, and 7 is every day.
  day_of_week smallint not null,
  hour smallint not null,
  minute smallint not null,
  full_backup_retention integer not null,
  copy_to text[] not null,
  paused boolean not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  version integer not null,
  pause_reason text,
  constraint schedule_view_pkey PRIMARY KEY (id)
);
CREATE INDEX schedule_view_of_account ON schedule_view USING btree (account_id, id);
CREATE INDEX schedule_view_of_instance ON schedule_view USING btree (instance_id);
CREATE TRIGGER schedule_view_begins_outcomes AFTER INSERT ON schedule_view REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION schedule_outcome_of_schedule();
CREATE TRIGGER schedule_view_changes_outcomes AFTER UPDATE ON schedule_view FOR EACH ROW WHEN ((((old.paused IS DISTINCT FROM new.paused) OR (old.hour IS DISTINCT FROM new.hour)) OR (old.minute IS DISTINCT FROM new.minute))) EXECUTE FUNCTION schedule_outcome_of_schedule();
CREATE TRIGGER schedule_view_ends_outcomes AFTER DELETE ON schedule_view FOR EACH ROW EXECUTE FUNCTION schedule_outcome_of_schedule();

-- Up to which position each consumer group has looked a second time.
create table second_look (
  consumer_group text not null,
  "position" bigint not null,
  constraint second_look_pkey PRIMARY KEY (consumer_group)
);

-- At which addresses the server of an instance has let it in: what is told of faults there, and whose refusals count, depends on it.
create table server_login (
  instance_id uuid not null,
  host text not null,
  port integer not null,
  user_name text not null,
  let_in_at timestamp with time zone not null default now(),
  address text not null,
  constraint server_login_pkey PRIMARY KEY (instance_id, host, port, user_name, address)
);

-- What could not be read or done, and stops nothing else. It is tried again, and the row goes when that succeeds.
create table set_aside (
  kind text not null,
  -- The id of the thing; of a stream its name, of a job its kind and id.
  id text not null,
  -- Null when it belongs to no account.
  account_id text,
  reason text not null,
  since timestamp with time zone not null default now(),
  tried_at timestamp with time zone not null default now(),
  constraint set_aside_pkey PRIMARY KEY (kind, id)
);
CREATE INDEX set_aside_untried ON set_aside USING btree (kind, tried_at);

-- One row for each schedule: the next slot that is to be decided.
create table slot_timer (
  schedule_id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  hour smallint not null,
  minute smallint not null,
  -- Nothing reads it; the next version drops it.
  day_of_week smallint,
  -- Nothing reads it; the next version drops it.
  paused boolean,
  -- Nothing reads it; the next version drops it.
  copy_to text[],
  -- The version of the schedule that the row reflects. An older event changes nothing.
  version integer not null,
  next_slot_at timestamp with time zone not null,
  -- The coming slots that a wrong clock has decided before their time. A slot that was decided twice is here twice.
  ahead timestamp with time zone[] not null default '{}'::timestamp with time zone[],
  -- What the schedule and its instance were when a slot was decided last, and at which versions; null when they are to be read.
  basis jsonb,
  -- How many timers of the account were moved before this one in the same look. Of the timers of one minute, lower turns go first.
  turn integer not null default 0,
  constraint slot_timer_pkey PRIMARY KEY (schedule_id)
) with (fillfactor=80);
CREATE INDEX slot_timer_in_turns ON slot_timer USING btree (next_slot_at, turn);

-- The steady clock of each host: one row for each boot.
create table steady_time (
  boot text not null,
  -- When the host booted. This time and the time since the boot make the time of its schedulers.
  booted_at_ms double precision not null,
  -- The newest time that the clock of the host has given.
  seen_at_ms double precision not null,
  constraint steady_time_pkey PRIMARY KEY (boot)
);

-- Until when the bytes of a limit are given out to processes. Each takes a piece of time, and sends as many bytes as the limit allows for it.
create table transfer_budget (
  scope text not null,
  taken_until timestamp with time zone not null,
  constraint transfer_budget_pkey PRIMARY KEY (scope)
);

-- How many transfers of one process may move bytes in the vault of a region at a time, as operators have set it by "strongroom limits". It counts before STRONGROOM_TRANSFERS_AT_A_TIME.
create table transfer_cap (
  region text not null,
  -- Null: as many as there are, whatever the settings say.
  at_a_time integer,
  set_at timestamp with time zone not null default now(),
  constraint transfer_cap_pkey PRIMARY KEY (region),
  constraint transfer_cap_at_a_time_check CHECK (((at_a_time >= 1) AND (at_a_time <= 1000)))
);

-- The limits of transfers that each replicator keeps to: of its settings, of operators, and of stores that are busy. A process without limits has a row too.
create table transfer_in_force (
  process text not null,
  limits jsonb not null,
  -- A row that is a minute old is of a process that has ended.
  told_at timestamp with time zone not null default now(),
  constraint transfer_in_force_pkey PRIMARY KEY (process)
);

-- What operators have set for transfers by "strongroom limits": of a region, of a pair of regions as DFW:ORD, or of each process. It counts before STRONGROOM_TRANSFER_LIMITS.
create table transfer_limit (
  scope text not null,
  -- Null: no limit, whatever the settings say.
  bytes_per_second bigint,
  set_at timestamp with time zone not null default now(),
  constraint transfer_limit_pkey PRIMARY KEY (scope),
  constraint transfer_limit_bytes_per_second_check CHECK ((bytes_per_second > 0))
);

-- How fast copies have come from one region to another. It says which region a copy comes from when several have the backup.
create table transfer_rate (
  source_region text not null,
  target_region text not null,
  bytes_per_second double precision not null,
  measured_at timestamp with time zone not null default now(),
  constraint transfer_rate_pkey PRIMARY KEY (source_region, target_region)
);

-- When a region was last seen to hold a backup whole. What was looked at longest ago is read next. Without a row the completion counts.
create table verification (
  backup_id uuid not null,
  region text not null,
  verified_at timestamp with time zone not null,
  verified_by text not null default 'read'::text,
  looked_at timestamp with time zone not null,
  constraint verification_pkey PRIMARY KEY (backup_id, region)
);
CREATE INDEX verification_looked_at ON verification USING btree (region, looked_at);
CREATE INDEX verification_verified_at ON verification USING btree (region, verified_at);

-- Up to which position the views of an account are folded. A process locks the row while it folds them.
create table view_head (
  account_id text not null,
  "position" bigint not null default 0,
  -- The types of events that the version which folded the views did not know.
  passed_over text[] not null default '{}'::text[],
  -- Up to this position no event that a version has passed over is missing.
  whole_until bigint not null default 0,
  constraint view_head_pkey PRIMARY KEY (account_id)
) with (fillfactor=50);

-- Up to where the events of its account were delivered to each webhook, and the lease of the process that delivers.
create table webhook_cursor (
  webhook_id uuid not null,
  account_id text not null,
  "position" bigint not null,
  -- When the next delivery may be tried; null while the webhook is disabled.
  next_at timestamp with time zone default now(),
  -- How often the delivery of the next event has failed.
  failures integer not null default 0,
  -- Since when nothing was taken; null when the newest delivery was.
  failing_since timestamp with time zone,
  holder text,
  held_until timestamp with time zone,
  constraint webhook_cursor_pkey PRIMARY KEY (webhook_id)
);
CREATE INDEX webhook_cursor_by_time ON webhook_cursor USING btree (next_at);
CREATE INDEX webhook_cursor_failing ON webhook_cursor USING btree (failing_since) WHERE (failing_since IS NOT NULL);
CREATE INDEX webhook_cursor_of_account ON webhook_cursor USING btree (account_id, next_at);

-- What became of the newest deliveries of each webhook.
create table webhook_delivery (
  webhook_id uuid not null,
  event_id uuid not null,
  "position" bigint not null,
  event_type text not null,
  state text not null,
  attempts integer not null,
  http_status integer,
  fault jsonb,
  duration_ms integer not null,
  first_at timestamp with time zone not null default now(),
  last_at timestamp with time zone not null default now(),
  constraint webhook_delivery_pkey PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX webhook_delivery_newest ON webhook_delivery USING btree (webhook_id, "position");

-- The URLs and the secrets of webhooks, sealed. The events of a webhook name the one in force.
create table webhook_secret (
  secret_id uuid not null,
  webhook_id uuid not null,
  ciphertext bytea not null,
  stored_at timestamp with time zone not null default now(),
  constraint webhook_secret_pkey PRIMARY KEY (secret_id)
);
CREATE INDEX webhook_secret_of_webhook ON webhook_secret USING btree (webhook_id);

-- The webhooks of accounts, folded from their events.
create table webhook_view (
  id uuid not null,
  account_id text not null,
  name text not null,
  origin text not null,
  types text[] not null,
  format text not null,
  enabled boolean not null,
  disabled jsonb,
  created_position bigint not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  version integer not null,
  constraint webhook_view_pkey PRIMARY KEY (id)
);
CREATE INDEX webhook_view_by_account ON webhook_view USING btree (account_id, id);

CREATE OR REPLACE FUNCTION backup_view_place()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.position := ledger_position_of('backup-' || new.id, 1);
  return new;
end $function$;

CREATE OR REPLACE FUNCTION dead_letter_is_asked()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_notify('strongroom_ledger', '');
  return null;
end $function$;

CREATE OR REPLACE FUNCTION job_add(jobs jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  insert into job (kind, id, lane, account_id, ready_at, paused_at, total_bytes)
  select distinct on (kind, id) kind, id, coalesce(lane, ''), "accountId", coalesce("readyAt", now()), now(), "totalBytes"
  from jsonb_to_recordset(jobs) as added(
    kind text, id uuid, lane text, "accountId" text, "readyAt" timestamptz, "totalBytes" bigint)
  order by kind, id
  on conflict (kind, id) do update set asked = job.asked + 1;

  insert into job_news (position, kind)
  select distinct position, kind from jsonb_to_recordset(jobs) as added(position bigint, kind text)
  where position is not null
  on conflict do nothing;
$function$;
revoke all on function job_add(jsonb) from public;

CREATE OR REPLACE FUNCTION job_add_of_events(asked_by integer[], asked_place integer[], kinds text[], ids uuid[], lanes text[], accounts text[], totals bigint[], numbers integer[], first_positions bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET lock_timeout TO '100ms'
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  with asked as materialized (
    select a.kind, a.id, a.lane, a.account_id, a.total_bytes, written.position + a.place as position
    from unnest(asked_by, asked_place, kinds, ids, lanes, accounts, totals) as a(request, place, kind, id, lane, account_id, total_bytes)
    join unnest(numbers, first_positions) as written(request, position) on written.request = a.request
    where written.position is not null
  ), news as (
    insert into job_news (position, kind) select distinct a.position, a.kind from asked a on conflict do nothing
  )
  insert into job (kind, id, lane, account_id, ready_at, paused_at, total_bytes)
  select distinct on (a.kind, a.id) a.kind, a.id, a.lane, a.account_id, now(), now(), a.total_bytes from asked a
  order by a.kind, a.id, a.position
  on conflict (kind, id) do update set asked = job.asked + 1;
exception when lock_not_available or deadlock_detected then
  null;
end $function$;
revoke all on function job_add_of_events(integer[],integer[],text[],uuid[],text[],text[],bigint[],integer[],bigint[]) from public;

CREATE OR REPLACE FUNCTION job_add_with_events(jobs jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '100ms'
AS $function$
begin
  perform job_add(jobs);
exception when lock_not_available or deadlock_detected then
  null;
end $function$;

CREATE OR REPLACE FUNCTION job_is_free(j job)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select j.lease_until is null or j.lease_until < now()
    or j.lease_until > now() + coalesce(j.lease_ms, 3600000) * interval '1 ms' + interval '5 s'
$function$;

CREATE OR REPLACE FUNCTION job_is_open(j job, by_reader text, in_hand uuid[])
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select job_is_free(j) and j.id <> all(in_hand) and (
    j.passed_by @> array[by_reader] and j.passed_until > now() and j.passed_until <= now() + interval '65 s'
  ) is not true
$function$;

CREATE OR REPLACE FUNCTION job_lease(asked_kind text, asked_lane text, by_owner text, by_reader text, most integer, for_ms bigint, in_hand uuid[], usual_quota integer, own_quotas jsonb, share integer)
 RETURNS TABLE(id uuid, account_id text, attempt integer, failures integer, asked integer, passed_by text[])
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET enable_incremental_sort TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
#variable_conflict use_column
declare
  longest_walk constant integer := 1000;
  last_account text;
begin
  perform from job j
  where j.kind = asked_kind and j.lane = asked_lane and j.ready_at <= now() and job_is_open(j, by_reader, in_hand)
  order by j.ready_at limit 1;
  if not found then
    perform from job j
    where j.kind = asked_kind and j.lane = asked_lane and j.paused_at > now() + interval '5 s'
    order by j.paused_at limit 1;
    if not found then
      return;
    end if;
  end if;
  insert into job_turn (kind, lane) values (asked_kind, asked_lane) on conflict do nothing;
  select t.account_id into last_account from job_turn t where t.kind = asked_kind and t.lane = asked_lane for update;
  return query
  with recursive walk(place, account_id, is_around) as (
    select 0, last_account, false
    union all
    select w.place + 1, next.account_id, next.is_around
    from walk w cross join lateral (
      select either.* from (
        (select j.account_id, w.is_around from job j
         where j.kind = asked_kind and j.lane = asked_lane and j.account_id > w.account_id
         order by j.account_id limit 1)
        union all
        (select j.account_id, true from job j
         where j.kind = asked_kind and j.lane = asked_lane and not w.is_around
         order by j.account_id limit 1)
      ) either(account_id, is_around) limit 1
    ) next
    where w.place < longest_walk and not (next.is_around and next.account_id > last_account)
  ), turn as materialized (
    select w.place, w.account_id, room.jobs
    from walk w cross join lateral (
      select case when own_quotas ? w.account_id then (own_quotas->>w.account_id)::integer else usual_quota end as jobs
    ) quota cross join lateral (
      select least(most, quota.jobs - count(*), share - count(*) filter (where held.lease_owner = by_owner))::integer as jobs
      from (
        select h.lease_owner from job h
        where h.kind = asked_kind and h.lane = asked_lane and h.account_id = w.account_id and h.lease_owner is not null
          and not job_is_free(h)
        order by h.lease_owner
      ) held
    ) room
    where w.place > 0 and room.jobs > 0 and (exists (
      select from job j
      where j.kind = asked_kind and j.lane = asked_lane and j.account_id = w.account_id and j.ready_at <= now()
        and job_is_open(j, by_reader, in_hand)
      order by j.ready_at, j.id limit 1 offset 0
    ) or exists (
      select from job j
      where j.kind = asked_kind and j.lane = asked_lane and j.paused_at > now() + interval '5 s' and j.account_id = w.account_id
        and job_is_open(j, by_reader, in_hand)
      order by j.paused_at limit 1 offset 0
    ))
    limit most
  ), chosen as materialized (
    select job_of.id, job_of.rank, t.place, t.account_id
    from turn t cross join lateral (
      select ready.id, row_number() over (order by ready.ready_at, ready.id) as rank from (
        (select j.id, j.ready_at from job j
         where j.kind = asked_kind and j.lane = asked_lane and j.account_id = t.account_id and j.ready_at <= now()
           and job_is_open(j, by_reader, in_hand)
         order by j.ready_at, j.id limit t.jobs)
        union all
        (select j.id, j.ready_at from job j
         where j.kind = asked_kind and j.lane = asked_lane and j.paused_at > now() + interval '5 s' and j.ready_at > now()
           and j.account_id = t.account_id and job_is_open(j, by_reader, in_hand)
         order by j.paused_at limit t.jobs)
      ) ready
      order by ready.ready_at, ready.id limit t.jobs
    ) job_of
    order by job_of.rank, t.place limit most
  ), free as (
    select j.kind, j.id, c.rank, c.place from chosen c
    join job j on j.kind = asked_kind and j.id = c.id
    where job_is_open(j, by_reader, in_hand)
    for update of j skip locked
  ), leased as (
    -- A lease that is still there has lapsed: one that is given back is taken off.
    update job set attempt = job.attempt + 1, failures = job.failures + (job.lease_until is not null)::integer,
      lease_owner = by_owner, lease_until = now() + for_ms * interval '1 ms', lease_ms = for_ms, done_bytes = 0,
      bytes_per_second = null
    from free where job.kind = free.kind and job.id = free.id
    returning job.id, job.account_id, job.attempt, job.failures, job.asked, job.passed_by, free.rank, free.place
  ), turned as (
    update job_turn t set account_id = coalesce(
      case when (select count(*) from turn) < most then (select w.account_id from walk w where w.place = longest_walk) end,
      (select c.account_id from chosen c order by c.rank desc, c.place desc limit 1),
      last_account)
    where t.kind = asked_kind and t.lane = asked_lane
  )
  select l.id, l.account_id, l.attempt, l.failures, l.asked, l.passed_by from leased l order by l.rank, l.place;
end $function$;

CREATE OR REPLACE FUNCTION ledger_append(requests jsonb)
 RETURNS TABLE(request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  permitted text[] := ledger_permitted();
  places regclass := pg_get_serial_sequence('ledger_event', 'position');
  recorded_at timestamptz;
  told_at text;
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    perform ledger_refuses('its transaction is not READ COMMITTED', 'invalid_transaction_state');
  end if;
  perform pg_advisory_xact_lock(7236001);
  recorded_at := date_trunc('milliseconds', clock_timestamp());
  told_at := to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  return query
  with asked as materialized (
    select r.* from jsonb_to_recordset(requests) as r(
      request integer, stream text, "expectedVersion" integer, "accountId" text, "instanceId" uuid,
      aggregate text, context jsonb, events jsonb, claims jsonb, releases jsonb, quotas jsonb)
  ), event as materialized (
    select placed.*, placed.event->>'id' as id, placed.event->>'type' as type, placed.event->'data' as data
    from (
      select a.request, a."accountId", a."instanceId"::text as instance, a.stream, each.place, a.events->each.place as event from asked a
      cross join lateral (select generate_series(0, jsonb_array_length(a.events) - 1) as place) each
    ) placed
  ), given as materialized (
    select a.request, a.claims->each.place as claim, a.releases->each.place as release, a.quotas->each.place as quota from asked a
    cross join lateral (
      select generate_series(0, greatest(jsonb_array_length(a.claims), jsonb_array_length(a.releases), jsonb_array_length(a.quotas)) - 1) as place
    ) each
  ), quota as materialized (
    select g.request, g.quota->>'kind' as kind, g.quota->>'key' as key, (g.quota->>'by')::integer as "by", (g.quota->>'most')::integer as most
    from given g where g.quota is not null
  ), counting as (
    select q.*, sum(greatest(q."by", 0)) over (partition by q.kind, q.key order by q.request) as taken_so_far from quota q
  ), used_up as (
    select c.request, min(c.kind) as kind from counting c
    where c."by" > 0 and c.taken_so_far + coalesce((select q.used from ledger_quota q where q.kind = c.kind and q.key = c.key), 0) > c.most
    group by c.request
  ), taken as (
    select distinct on (wanted.request) wanted.request, held.kind, held.stream
    from given wanted cross join lateral (
      select c.kind, c.stream from ledger_claim c where c.kind = wanted.claim->>'kind' and c.key = wanted.claim->>'key' limit 1
    ) held
    order by wanted.request, held.kind
  ), strange as (
    select distinct a.request from asked a
    join given g on g.request = a.request
    cross join lateral (
      values (g.claim->>'kind', g.claim->>'key'), (g.release->>'kind', g.release->>'key'), (g.quota->>'kind', g.quota->>'key')
    ) given(kind, key)
    where permitted is not null and given.kind is not null and (jsonb_array_length(a.events) = 0 or case given.kind
      when 'running-backup-of-instance' then a.aggregate in ('instance', 'backup') and given.key = a."instanceId"::text
      when 'schedule-of-instance' then a.aggregate in ('instance', 'schedule') and given.key = a."instanceId"::text
      -- Clients ask the API, which alone makes schedules.
      when 'idempotency-key' then 'schedule' = any (permitted)
      when 'schedules-of-account' then a.aggregate = 'schedule' and given.key = a."accountId"
      when 'instances-of-account' then a.aggregate = 'instance' and given.key = a."accountId"
      when 'built-servers-of-account' then a.aggregate = 'instance' and given.key = a."accountId"
      when 'webhooks-of-account' then a.aggregate = 'webhook' and given.key = a."accountId"
    end is not true)
  ), apart as (
    select distinct named.request from (
      select a.request, a.stream, a."accountId", a."instanceId"::text as id from asked a
      union all
      select e.request, e.stream, e."accountId", lower(e.data->>'instanceId') from event e where lower(e.data->>'instanceId') <> e.instance
    ) named
    where (select e.account_id from ledger_event e where e.stream = 'instance-' || named.id and e.version = 1) <> named."accountId"
      -- What was begun so before can still be ended.
      and coalesce((select e.instance_id::text <> named.id and e.data->>'instanceId' is distinct from named.id
        from ledger_event e where e.stream = named.stream and e.version = 1), true)
  ), judged as materialized (
    select a.request, a.stream, a."expectedVersion", coalesce(taken.kind, used_up.kind) as taken_kind, taken.stream as taken_stream,
      -- Subqueries and no joins: without statistics a join might read the whole ledger.
      case when coalesce((select e.version from ledger_event e where e.stream = a.stream order by e.version desc limit 1), 0)
               <> a."expectedVersion" then 'conflict'
           when taken.kind is not null then 'claimed'
           when used_up.kind is not null then 'used-up'
           when a.stream not like a.aggregate || '-%' or a.aggregate <> all (permitted)
             then ledger_refuses('the role of this session may not append to ' || a.stream, 'insufficient_privilege')
           when strange.request is not null
             then ledger_refuses('a claim or a quota does not go with the events of ' || a.stream, 'insufficient_privilege')
           when a."expectedVersion" > 0
               and (select e.account_id from ledger_event e where e.stream = a.stream and e.version = 1) <> a."accountId"
             then ledger_refuses(a.stream || ' is of another account', 'check_violation')
           when apart.request is not null
             then ledger_refuses('an event of ' || a.stream || ' names an instance of another account', 'check_violation')
           else 'appended' end as verdict
    from asked a
    left join taken on taken.request = a.request
    left join used_up on used_up.request = a.request
    left join strange on strange.request = a.request
    left join apart on apart.request = a.request
  ), written as materialized (
    select placed.*, nextval(places) as position
    from (
      select e.request, e.id::uuid as id, j.stream, j."expectedVersion" + e.place + 1 as version, a.aggregate, e.type,
        a."accountId" as account_id, a."instanceId" as instance_id, e.data, a.context, row_number() over (order by e.request, e.place) as n
      from event e join judged j on j.request = e.request join asked a on a.request = e.request
      where j.verdict = 'appended'
      order by e.request, e.place
    ) placed
  ), linked as (
    select link, n from unnest(ledger_links(
      (select last.link from ledger_event last order by last.position desc limit 1),
      (select coalesce(array_agg(sha256(convert_to(
          -- The text of jsonb_build_array, which takes longer: it builds the data and the context anew.
          concat('[', w.position, ', "', w.id, '", ', to_json(w.stream), ', ', w.version, ', ', to_json(w.aggregate), ', ', to_json(w.type), ', ',
            to_json(w.account_id), ', "', w.instance_id, '", "', told_at, '", ', w.data, ', ', w.context, ']'), 'UTF8')) order by w.n), '{}')
       from written w)
    )) with ordinality as made(link, n)
  ), recorded as (
    insert into ledger_event (position, id, stream, version, aggregate, type, account_id, instance_id, at, data, context, link)
    overriding system value
    select w.position, w.id, w.stream, w.version, w.aggregate, w.type, w.account_id, w.instance_id, recorded_at, w.data, w.context, l.link
    from written w join linked l using (n)
    order by w.n
  ), claimed as (
    insert into ledger_claim (kind, key, stream)
    select g.claim->>'kind', g.claim->>'key', j.stream from given g join judged j on j.request = g.request
    where j.verdict = 'appended' and g.claim is not null
  ), released as (
    delete from ledger_claim c using (
      select held.ctid from given g join judged j on j.request = g.request
      cross join lateral (
        select l.ctid from ledger_claim l
        where l.kind = g.release->>'kind' and l.key = g.release->>'key' and l.stream = j.stream limit 1
      ) held
      where j.verdict = 'appended'
    ) given_back
    where c.ctid = given_back.ctid
  ), counted as (
    insert into ledger_quota (kind, key, used)
    select q.kind, q.key, greatest(
      coalesce((select l.used from ledger_quota l where l.kind = q.kind and l.key = q.key), 0) + sum(greatest(q."by", -1)), 0)
    from quota q join judged j on j.request = q.request
    where j.verdict = 'appended'
    group by q.kind, q.key
    on conflict (kind, key) do update set used = excluded.used
  )
  select j.request, j.verdict, j.taken_kind, j.taken_stream, w.position, case when w.position is not null then recorded_at end
  from judged j left join (select w.request, min(w.position) as position from written w group by w.request) w on w.request = j.request;
  perform pg_notify('strongroom_ledger', '');
end $function$;
revoke all on function ledger_append(jsonb) from public;

CREATE OR REPLACE FUNCTION ledger_append_at_once(requests jsonb, relying integer[], streams text[], versions integer[], asked_by integer[], asked_place integer[], kinds text[], ids uuid[], lanes text[], accounts text[], totals bigint[], kept jsonb)
 RETURNS TABLE(request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamp with time zone)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
AS $function$
declare
  numbers integer[];
  outcomes text[];
  claim_kinds text[];
  claim_streams text[];
  first_positions bigint[];
  recorded_at timestamptz;
begin
  if relying = '{}' then
    select array_agg(a.request), array_agg(a.outcome), array_agg(a.claim_kind), array_agg(a.claim_stream), array_agg(a.first_position),
      max(a.appended_at)
    into numbers, outcomes, claim_kinds, claim_streams, first_positions, recorded_at from ledger_append(requests) a;
  else
    select array_agg(a.request), array_agg(a.outcome), array_agg(a.claim_kind), array_agg(a.claim_stream), array_agg(a.first_position),
      max(a.appended_at)
    into numbers, outcomes, claim_kinds, claim_streams, first_positions, recorded_at
    from ledger_append_relying(requests, relying, streams, versions) a;
  end if;
  if ids <> '{}' then
    perform job_add_of_events(asked_by, asked_place, kinds, ids, lanes, accounts, totals, numbers, first_positions);
  end if;
  if kept is not null then
    if 'appended' <> any (outcomes) then
      kept := (
        select coalesce(jsonb_agg(k.value), '[]') from jsonb_array_elements(kept) k
        join unnest(numbers, outcomes) as a(request, outcome) on a.request = (k.value->>'request')::integer
        where a.outcome = 'appended');
    end if;
    perform request_keep(kept);
  end if;
  return query select a.request, a.outcome, a.claim_kind, a.claim_stream, a.first_position, case when a.first_position is not null then recorded_at end
    from unnest(numbers, outcomes, claim_kinds, claim_streams, first_positions) as a(request, outcome, claim_kind, claim_stream, first_position);
end $function$;

CREATE OR REPLACE FUNCTION ledger_append_relying(requests jsonb, relying integer[], streams text[], versions integer[])
 RETURNS TABLE(request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamp with time zone)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  outdated integer[];
begin
  perform pg_advisory_xact_lock(7236001);
  outdated := coalesce((
    select array_agg(distinct r.number) from unnest(relying, streams, versions) as r(number, stream, version)
    where r.version is distinct from
      (select e.version from ledger_event e where e.stream = r.stream order by e.version desc limit 1)), '{}');
  if outdated <> '{}' then
    requests := coalesce(
      (select jsonb_agg(a.value) from jsonb_array_elements(requests) a where (a.value->>'request')::integer <> all (outdated)), '[]');
  end if;
  return query select a.* from ledger_append(requests) a;
  return query select o.number, 'outdated', null::text, null::text, null::bigint, null::timestamptz from unnest(outdated) o(number);
end $function$;

CREATE OR REPLACE FUNCTION ledger_append_together(turns jsonb, expected jsonb, work jsonb)
 RETURNS TABLE(request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
declare
  turn jsonb;
  answers jsonb := '[]';
begin
  begin
    for turn in select value from jsonb_array_elements(turns) loop
      answers := answers || (select jsonb_agg(to_jsonb(a)) from ledger_append(turn) a);
      if answers @? '$[*] ? (@.outcome != "appended")' then
        raise sqlstate 'SR001';
      end if;
    end loop;
    if exists (
      select from jsonb_to_recordset(expected) as e(stream text, version integer)
      where e.version <> (select coalesce(max(l.version), 0) from ledger_event l where l.stream = e.stream)
    ) then
      answers := (select jsonb_agg(jsonb_build_object('request', a->'request', 'outcome', 'conflict')) from jsonb_array_elements(answers) a);
      raise sqlstate 'SR001';
    end if;
    if work <> '[]' then
      perform job_add_with_events(jsonb_agg(w.job || jsonb_build_object('position', a.first_position + w.place)))
      from jsonb_to_recordset(work) as w(request integer, place integer, job jsonb)
      join jsonb_to_recordset(answers) as a(request integer, first_position bigint) on a.request = w.request;
    end if;
  exception when sqlstate 'SR001' then
    -- What the turns have written is undone, and the answers are kept.
  end;
  return query select a.* from jsonb_to_recordset(answers) as a(
    request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz);
end $function$;

CREATE OR REPLACE FUNCTION ledger_append_with(requests jsonb, work jsonb, kept jsonb)
 RETURNS TABLE(request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamp with time zone)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
AS $function$
declare
  answers jsonb;
begin
  if work = '[]' and kept is null then
    return query select * from ledger_append(requests);
    return;
  end if;
  answers := (select jsonb_agg(to_jsonb(a)) from ledger_append(requests) a);
  if work <> '[]' then
    perform job_add_with_events(coalesce(jsonb_agg(w.job || jsonb_build_object('position', a.first_position + w.place)), '[]'))
    from jsonb_to_recordset(work) as w(request integer, place integer, job jsonb)
    join jsonb_to_recordset(answers) as a(request integer, outcome text, first_position bigint) on a.request = w.request
    where a.outcome = 'appended';
  end if;
  if kept is not null then
    perform request_keep(coalesce(jsonb_agg(k.kept), '[]'))
    from jsonb_to_recordset(kept) as k(request integer, kept jsonb)
    join jsonb_to_recordset(answers) as a(request integer, outcome text) on a.request = k.request
    where a.outcome = 'appended';
  end if;
  return query select a.* from jsonb_to_recordset(answers) as a(
    request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamptz);
end $function$;

CREATE OR REPLACE FUNCTION ledger_give_back_claims(claim_kind text, claim_keys text[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if ledger_permitted() is not null and claim_kind <> 'idempotency-key' then
    perform ledger_refuses('a claim of kind ' || claim_kind || ' is given back by an event alone', 'insufficient_privilege');
  end if;
  delete from ledger_claim where kind = claim_kind and key = any(claim_keys);
end $function$;
revoke all on function ledger_give_back_claims(text,text[]) from public;

CREATE OR REPLACE FUNCTION ledger_head()
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return (select coalesce(max(e.position), 0) from ledger_event e);
end $function$;

CREATE OR REPLACE FUNCTION ledger_is_claimed(claim_kind text, claim_key text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
begin
  return exists (select from ledger_claim c where c.kind = claim_kind and c.key = claim_key);
end $function$;

CREATE OR REPLACE FUNCTION ledger_links(before bytea, digests bytea[])
 RETURNS bytea[]
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
declare
  link bytea := coalesce(before, decode(repeat('00', 32), 'hex'));
  digest bytea;
  links bytea[] := '{}';
begin
  foreach digest in array digests loop
    link := sha256(link || digest);
    links := links || link;
  end loop;
  return links;
end $function$;

CREATE OR REPLACE FUNCTION ledger_newest_of(account text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return coalesce((
    select e.position from ledger_event e where e.account_id >= account and e.account_id <= account
    order by e.account_id desc, e.position desc limit 1
  ), 0);
end $function$;

CREATE OR REPLACE FUNCTION ledger_newest_of_types(streams text[], types text[], known_until timestamp with time zone)
 RETURNS SETOF ledger_event
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET max_parallel_workers_per_gather TO '0'
 SET jit TO 'off'
AS $function$
begin
  return query
  select distinct on (e.stream, e.type) e.*
  from (
    select named.stream, ledger_version_known(named.stream, known_until) as version from unnest(streams) as named(stream) offset 0
  ) known cross join lateral (
    select f.* from ledger_event f where f.stream = known.stream and f.version <= least(32, known.version)
    union all
    select of_type.* from unnest(types) as asked(type) cross join lateral (
      select l.* from ledger_event l
      where l.stream = known.stream and l.version > 32 and l.at <= known_until
        and (l.type, l.version) <= (asked.type, known.version) and l.type >= asked.type
      order by l.type desc, l.version desc limit 1
    ) of_type
    where known.version > 32
  ) e
  where e.at <= known_until
  order by e.stream, e.type, e.version desc;
end $function$;

CREATE OR REPLACE FUNCTION ledger_next_of_kind(kind text, after bigint, most integer)
 RETURNS SETOF ledger_event
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return query select * from ledger_event e where e.aggregate = kind and e.position > after order by e.position limit most;
end $function$;

CREATE OR REPLACE FUNCTION ledger_page_of_schedule(schedule_id text, before_at timestamp with time zone, before_position bigint, most integer)
 RETURNS SETOF ledger_event
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET max_parallel_workers_per_gather TO '0'
 SET jit TO 'off'
AS $function$
begin
  return query
  select * from ledger_event e
  where (e.data ->> 'scheduleId') = schedule_id
    and e.type in ('ScheduleCreated', 'ScheduleUpdated', 'ScheduleDeleted', 'SlotSkipped', 'SlotMissed', 'BackupRequested',
      'BackupDelayed', 'BackupMadeFull', 'BackupCompleted', 'BackupFailed')
    and (e.at, e.position) < (before_at, before_position)
  order by e.at desc, e.position desc limit most;
end $function$;

CREATE OR REPLACE FUNCTION ledger_page_of_streams(streams text[], before_at timestamp with time zone, before_position bigint, most integer)
 RETURNS SETOF ledger_event
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET max_parallel_workers_per_gather TO '0'
 SET jit TO 'off'
AS $function$
begin
  return query
  select e.*
  from unnest(streams) as named(stream) cross join lateral (
    select f.* from ledger_event f where f.stream = named.stream and f.version <= 32
    union all
    select newest.* from (
      select l.* from ledger_event l
      where l.stream = named.stream and l.version > 32 and (l.at, l.position) < (before_at, before_position)
      order by l.at desc, l.position desc limit most
    ) newest
  ) e
  where (e.at, e.position) < (before_at, before_position)
  order by e.at desc, e.position desc limit most;
end $function$;

CREATE OR REPLACE FUNCTION ledger_pause_of(schedule_stream text, known_until timestamp with time zone)
 RETURNS SETOF ledger_event
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET max_parallel_workers_per_gather TO '0'
 SET jit TO 'off'
AS $function$
declare
  known integer := ledger_version_known(schedule_stream, known_until);
  ran integer;
  reasoned integer;
  begun integer;
begin
  if not exists (
    select from ledger_event e where e.stream = schedule_stream and e.version = known and (e.data ->> 'paused') = 'true'
  ) then
    return;
  end if;
  if known > 32 then
    ran := (
      select e.version from ledger_event e
      where e.stream = schedule_stream and e.version > 32 and e.type = 'ScheduleUpdated' and e.at <= known_until
        and ((e.data ->> 'paused') = 'false' or (e.context ->> 'reason') is not null)
        and ((e.data ->> 'paused'), e.version) <= ('false', known) and (e.data ->> 'paused') >= 'false'
      order by (e.data ->> 'paused') desc, e.version desc limit 1
    );
    reasoned := (
      select e.version from ledger_event e
      where e.stream = schedule_stream and e.version > 32 and e.type = 'ScheduleUpdated' and e.at <= known_until
        and ((e.data ->> 'paused') = 'false' or (e.context ->> 'reason') is not null)
        and ((e.data ->> 'paused'), e.version) <= ('true', known) and (e.data ->> 'paused') >= 'true'
      order by (e.data ->> 'paused') desc, e.version desc limit 1
    );
  end if;
  ran := coalesce(ran, (
    select max(e.version) from ledger_event e
    where e.stream = schedule_stream and e.version <= least(32, known) and e.at <= known_until
      and (e.data ->> 'paused') is distinct from 'true'
  ), 0);
  reasoned := coalesce(reasoned, (
    select max(e.version) from ledger_event e
    where e.stream = schedule_stream and e.version <= least(32, known) and e.at <= known_until
      and (e.context ->> 'reason') is not null
  ));
  begun := (
    select min(e.version) from ledger_event e
    where e.stream = schedule_stream and e.version > ran and e.version <= known and e.at <= known_until
  );
  return query
  select * from ledger_event e
  where e.stream = schedule_stream and e.version in (begun, case when reasoned > ran then reasoned end)
  order by e.version;
end $function$;

CREATE OR REPLACE FUNCTION ledger_permitted()
 RETURNS text[]
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when exists (select from pg_catalog.pg_roles s where s.rolname = session_user and s.rolsuper)
      or (select pg_has_role(session_user, c.relowner, 'member') from pg_catalog.pg_class c where c.oid = 'ledger_event'::regclass)
      then null
    else coalesce(
      (select array_agg(distinct permitted.aggregate)
       from ledger_writer w
       join pg_catalog.pg_roles r on r.rolname = w.role_name
       cross join lateral unnest(w.aggregates) as permitted(aggregate)
       where pg_has_role(session_user, r.oid, 'member')),
      '{}')
  end;
$function$;

CREATE OR REPLACE FUNCTION ledger_position_of(stream_name text, event_version integer)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return (select e.position from ledger_event e where e.stream = stream_name and e.version = event_version);
end $function$;

CREATE OR REPLACE FUNCTION ledger_read(streams text[])
 RETURNS TABLE("position" bigint, id uuid, stream text, version integer, type text, account_id text, instance_id uuid, at timestamp with time zone, data jsonb, context jsonb)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET max_parallel_workers_per_gather TO '0'
 SET jit TO 'off'
AS $function$
begin
  return query
  select e.position, e.id, e.stream, e.version, e.type, e.account_id, e.instance_id, e.at, e.data, e.context
  from ledger_event e where e.stream = any(streams) order by e.stream, e.version;
end $function$;

CREATE OR REPLACE FUNCTION ledger_refuses(why text, code text)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the ledger refuses the append: %', why using errcode = code;
end $function$;

CREATE OR REPLACE FUNCTION ledger_refuses_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the ledger is append-only: % on ledger_event is refused', tg_op using errcode = 'insufficient_privilege';
end $function$;

CREATE OR REPLACE FUNCTION ledger_take_claim(claim_kind text, claim_key text, holder text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if ledger_permitted() is not null and claim_kind <> 'idempotency-key' then
    perform ledger_refuses('a claim of kind ' || claim_kind || ' is taken by an event alone', 'insufficient_privilege');
  end if;
  perform pg_advisory_xact_lock(7236001);
  insert into ledger_claim (kind, key, stream) values (claim_kind, claim_key, holder) on conflict do nothing;
  return found;
end $function$;
revoke all on function ledger_take_claim(text,text,text) from public;

CREATE OR REPLACE FUNCTION ledger_version_known(stream_name text, known_until timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET max_parallel_workers_per_gather TO '0'
 SET jit TO 'off'
AS $function$
declare
  known integer;
  later integer;
begin
  if known_until = 'infinity' then
    return coalesce((select e.version from ledger_event e where e.stream = stream_name order by e.version desc limit 1), 0);
  end if;
  later := (
    select e.version from ledger_event e where e.stream = stream_name and e.version > 32 and e.at <= known_until
    order by e.at desc, e.position desc limit 1
  );
  if later is null then
    return coalesce((
      select max(e.version) from ledger_event e where e.stream = stream_name and e.version <= 32 and e.at <= known_until
    ), 0);
  end if;
  while later is not null loop
    known := later;
    later := (
      select max(e.version) from ledger_event e
      where e.stream = stream_name and e.version > known and e.version <= known + 32 and e.at <= known_until
    );
  end loop;
  return known;
end $function$;

CREATE OR REPLACE FUNCTION request_find(asked jsonb, clock timestamp with time zone, kept_for interval)
 RETURNS TABLE(place integer, fingerprint bytea, resource_id uuid, status smallint, body json, had_effect boolean, is_old boolean)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
begin
  return query
  select a.place, r.fingerprint, r.resource_id, r.status, r.body,
    ledger_is_claimed('idempotency-key', a."accountId" || '/' || a.key), r.begun_at < least(now(), clock) - kept_for
  from jsonb_to_recordset(asked) as a(place integer, "accountId" text, key text)
  cross join lateral (
    select i.* from idempotent_request i where i.account_id = a."accountId" and i.key = a.key limit 1
  ) r;
end $function$;

CREATE OR REPLACE FUNCTION request_keep(kept jsonb)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  written bigint;
begin
  insert into idempotent_request as r (account_id, key, fingerprint, resource_id)
  select k."accountId", k.key, decode(k.fingerprint, 'hex'), k."resourceId"
  from jsonb_to_recordset(kept) as k("accountId" text, key text, fingerprint text, "resourceId" uuid)
  order by k."accountId", k.key
  on conflict (account_id, key) do update
    set fingerprint = excluded.fingerprint, resource_id = excluded.resource_id, begun_at = excluded.begun_at
    where r.status is null;
  get diagnostics written = row_count;
  if written < jsonb_array_length(kept) then
    raise sqlstate 'SR138' using message = 'an answer to another request is kept under the key of a request';
  end if;
end $function$;

CREATE OR REPLACE FUNCTION request_refuse(refused jsonb)
 RETURNS TABLE(place integer)
 LANGUAGE plpgsql
AS $function$
begin
  return query
  with asked as (
    select a.* from jsonb_to_recordset(refused) as a(
      place integer, "accountId" text, key text, fingerprints jsonb, "resourceId" uuid, status smallint, body text)
    order by a."accountId", a.key, a.place
  ), free as materialized (
    select a.* from asked a where ledger_take_claim('idempotency-key', a."accountId" || '/' || a.key, 'refusal')
  ), kept as (
    insert into idempotent_request as r (account_id, key, fingerprint, resource_id, status, body)
    select f."accountId", f.key, decode(f.fingerprints->>0, 'hex'), f."resourceId", f.status, f.body::json
    from free f
    order by f."accountId", f.key
    on conflict (account_id, key) do update set status = excluded.status, body = excluded.body
      where r.status is null and exists (
        select from free f cross join lateral jsonb_array_elements_text(f.fingerprints) as own(fingerprint)
        where f."accountId" = r.account_id and f.key = r.key and decode(own.fingerprint, 'hex') = r.fingerprint)
    returning r.account_id, r.key
  )
  select f.place from free f join kept k on k.account_id = f."accountId" and k.key = f.key;
end $function$;

CREATE OR REPLACE FUNCTION schedule_outcome_begin(schedules uuid[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
  insert into schedule_outcome (schedule_id, account_id, paused, active_since, last_success_at)
  select s.id, s.account_id, s.paused, s.updated_at, newest.ended_at
  from schedule_view s left join lateral (
    select b.ended_at from backup_view b where b.schedule_id = s.id and b.sha256 is not null order by b.created_at desc limit 1
  ) newest on true
  where s.id = any(schedules)
  order by s.id
  on conflict (schedule_id) do nothing;
$function$;
revoke all on function schedule_outcome_begin(uuid[]) from public;

CREATE OR REPLACE FUNCTION schedule_outcome_end(schedules uuid[], ended timestamp with time zone[], completed boolean[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_nestloop TO 'on'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_seqscan TO 'off'
AS $function$
declare
  without_row uuid[];
begin
  select array_agg(distinct e.id) into without_row from unnest(schedules) e(id)
  where not exists (select from schedule_outcome o where o.schedule_id = e.id);
  if without_row is not null then
    perform schedule_outcome_begin(without_row);
  end if;
  update schedule_outcome o set
    completed = o.completed + e.completed,
    failed = o.failed + e.failed,
    last_success_at = case
      when e.success_at is null or o.last_success_at between e.success_at and now() then o.last_success_at else e.success_at end
  from (
    select t.id, count(*) filter (where t.done) as completed, count(*) filter (where not t.done) as failed,
      max(t.at) filter (where t.done) as success_at
    from unnest(schedules, ended, completed) t(id, at, done) group by t.id order by t.id
  ) e
  where o.schedule_id = e.id;
end $function$;
revoke all on function schedule_outcome_end(uuid[],timestamp with time zone[],boolean[]) from public;

CREATE OR REPLACE FUNCTION schedule_outcome_of_backup()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET enable_nestloop TO 'off'
AS $function$
declare
  schedules uuid[];
  ended timestamptz[];
  completed boolean[];
begin
  if tg_level = 'ROW' then
    schedules := array[new.schedule_id];
    ended := array[new.ended_at];
    completed := array[new.sha256 is not null];
  elsif tg_op = 'INSERT' then
    select array_agg(w.schedule_id), array_agg(w.ended_at), array_agg(w.sha256 is not null) into schedules, ended, completed
    from written w where w.schedule_id is not null and w.ended_at is not null;
  else
    select array_agg(w.schedule_id), array_agg(w.ended_at), array_agg(w.sha256 is not null) into schedules, ended, completed
    from written w join former f on f.id = w.id
    where w.schedule_id is not null and w.ended_at is not null and f.ended_at is null;
  end if;
  if schedules is not null then
    perform schedule_outcome_end(schedules, ended, completed);
  end if;
  return null;
end $function$;
revoke all on function schedule_outcome_of_backup() from public;

CREATE OR REPLACE FUNCTION schedule_outcome_of_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  for look in 1..2 loop
    update schedule_outcome o set
      skipped = o.skipped + (new.outcome = 'skipped')::int,
      missed = o.missed + (new.outcome = 'missed')::int
    where o.schedule_id = new.schedule_id;
    exit when found;
    perform schedule_outcome_begin(array[new.schedule_id]);
  end loop;
  return null;
end $function$;
revoke all on function schedule_outcome_of_run() from public;

CREATE OR REPLACE FUNCTION schedule_outcome_of_schedule()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
  if tg_op = 'DELETE' then
    delete from schedule_outcome where schedule_id = old.id;
  elsif tg_op = 'UPDATE' then
    update schedule_outcome set paused = new.paused, active_since = new.updated_at where schedule_id = new.id;
  elsif tg_level = 'ROW' then
    perform schedule_outcome_begin(array[new.id]);
  else
    perform schedule_outcome_begin((select array_agg(id) from added));
  end if;
  return null;
end $function$;
revoke all on function schedule_outcome_of_schedule() from public;
