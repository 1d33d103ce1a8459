-- The schema that the migrations make: `npm run schema` writes it, and `npm run check` compares it.
-- Tables come first, by name, then functions. TypeORM's own table, schema_migration, is left out.

create table backup_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  schedule_id uuid,
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
  size_bytes bigint,
  raw_bytes bigint,
  sha256 text,
  fault jsonb,
  created_at timestamp with time zone not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  version integer not null,
  made_full jsonb,
  lineage uuid,
  facts jsonb,
  another_server jsonb,
  "position" bigint,
  constraint backup_view_pkey PRIMARY KEY (id)
);
CREATE INDEX backup_view_deleting ON backup_view USING btree (updated_at) WHERE (status = 'DELETING'::text);
CREATE INDEX backup_view_left_behind ON backup_view USING btree (id) WHERE ((status = 'DELETE_FAILED'::text) AND ((fault ->> 'code'::text) = 'region-retired'::text));
CREATE INDEX backup_view_of_account ON backup_view USING btree (account_id, created_at DESC, id DESC);
CREATE INDEX backup_view_of_instance ON backup_view USING btree (instance_id, created_at DESC, id DESC);
CREATE INDEX backup_view_of_instance_in_order ON backup_view USING btree (instance_id, "position" DESC);
CREATE INDEX backup_view_of_parent ON backup_view USING btree (parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX backup_view_of_schedule ON backup_view USING btree (schedule_id, created_at DESC) WHERE (schedule_id IS NOT NULL);
CREATE INDEX backup_view_stored_fulls ON backup_view USING btree (schedule_id, created_at DESC) WHERE ((type = 'full'::text) AND (status = ANY (ARRAY['COMPLETED'::text, 'DELETE_FAILED'::text])));
CREATE INDEX backup_view_unended ON backup_view USING btree (instance_id) WHERE (status = ANY (ARRAY['NEW'::text, 'BUILDING'::text]));
CREATE TRIGGER backup_view_has_its_place BEFORE INSERT ON backup_view FOR EACH ROW WHEN ((new."position" IS NULL)) EXECUTE FUNCTION backup_view_place();

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
  retry_at timestamp with time zone,
  created_at timestamp with time zone not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  version integer not null,
  owed_at timestamp with time zone not null default now(),
  constraint copy_view_pkey PRIMARY KEY (id)
);
CREATE INDEX copy_view_of_backup ON copy_view USING btree (backup_id, region);
CREATE INDEX copy_view_stranded ON copy_view USING btree (region, owed_at) WHERE ((status = 'FAILED'::text) AND ((fault ->> 'code'::text) = 'region-retired'::text));
CREATE INDEX copy_view_unended ON copy_view USING btree (region, owed_at) WHERE (status = ANY (ARRAY['PENDING'::text, 'COPYING'::text]));

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
  replay_asked_at timestamp with time zone,
  replayed_at timestamp with time zone,
  constraint dead_letter_pkey PRIMARY KEY (id),
  constraint dead_letter_consumer_group_source_topic_partition_offset_key UNIQUE (consumer_group, source, topic, partition, "offset")
);

create unlogged table feed_handled (
  consumer_group text not null,
  "position" bigint not null,
  constraint feed_handled_pkey PRIMARY KEY (consumer_group, "position")
);

create table feed_handled_since (
  "position" bigint not null
);

create table feed_offset (
  consumer_group text not null,
  source text not null,
  topic text not null,
  partition integer not null,
  "offset" bigint not null default '-1'::integer,
  "position" bigint not null default 0,
  moved_at timestamp with time zone not null default now(),
  constraint feed_offset_pkey PRIMARY KEY (consumer_group, source, topic, partition)
);

create table idempotent_request (
  account_id text not null,
  key text not null,
  fingerprint bytea not null,
  resource_id uuid not null,
  begun_at timestamp with time zone not null default now(),
  status smallint,
  body json,
  constraint idempotent_request_pkey PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotent_request_by_age ON idempotent_request USING btree (begun_at);

create table instance_credential (
  instance_id uuid not null,
  ciphertext bytea not null,
  stored_at timestamp with time zone not null default now(),
  constraint instance_credential_pkey PRIMARY KEY (instance_id)
);

create table instance_view (
  id uuid not null,
  account_id text not null,
  name text not null,
  datastore_type text not null,
  datastore_version text not null,
  endpoint jsonb,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  version integer not null,
  status text not null default 'ACTIVE'::text,
  fault jsonb,
  accepted_lineages jsonb not null default '[]'::jsonb,
  constraint instance_view_pkey PRIMARY KEY (id)
);
CREATE INDEX instance_view_building ON instance_view USING btree (id) WHERE (status = 'BUILD'::text);
CREATE INDEX instance_view_of_account ON instance_view USING btree (account_id, id);

create table job (
  kind text not null,
  id uuid not null,
  lane text not null default ''::text,
  account_id text not null,
  ready_at timestamp with time zone not null default now(),
  attempt integer not null default 0,
  lease_owner text,
  lease_until timestamp with time zone,
  done_bytes bigint not null default 0,
  total_bytes bigint,
  asked integer not null default 1,
  failures integer not null default 0,
  lease_ms bigint,
  paused_at timestamp with time zone not null default now(),
  constraint job_pkey PRIMARY KEY (kind, id)
);
CREATE INDEX job_paused ON job USING btree (kind, lane, paused_at);
CREATE INDEX job_ready ON job USING btree (kind, lane, ready_at);

create table known_vault (
  region text not null,
  vault_id uuid not null,
  seen_at timestamp with time zone not null default now(),
  constraint known_vault_pkey PRIMARY KEY (region),
  constraint known_vault_vault_id_key UNIQUE (vault_id)
);

create table ledger_claim (
  kind text not null,
  key text not null,
  stream text not null,
  constraint ledger_claim_pkey PRIMARY KEY (kind, key)
);

create table ledger_event (
  "position" bigint not null generated always as identity,
  id uuid not null,
  stream text not null,
  version integer not null,
  aggregate text not null,
  type text not null,
  account_id text not null,
  instance_id uuid not null,
  at timestamp with time zone not null,
  data jsonb not null,
  context jsonb not null,
  constraint ledger_event_pkey PRIMARY KEY (stream, version),
  constraint ledger_event_version_check CHECK ((version > 0))
);
CREATE UNIQUE INDEX ledger_event_by_id ON ledger_event USING btree (id);
CREATE UNIQUE INDEX ledger_event_in_order ON ledger_event USING btree ("position");
CREATE INDEX ledger_event_of_account ON ledger_event USING btree (account_id, "position");
CREATE INDEX ledger_event_of_aggregate ON ledger_event USING btree (aggregate, "position");
CREATE TRIGGER ledger_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_event FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuses_change();
revoke delete, truncate, update on ledger_event from its owner;

create table ledger_quota (
  kind text not null,
  key text not null,
  used integer not null,
  constraint ledger_quota_pkey PRIMARY KEY (kind, key),
  constraint ledger_quota_used_check CHECK ((used >= 0))
);

create table relay_cursor (
  source text not null,
  topic text not null,
  "position" bigint not null default 0,
  moved_at timestamp with time zone not null default now(),
  holder text,
  held_until timestamp with time zone,
  held_ms bigint,
  ends jsonb not null default '{}'::jsonb,
  constraint relay_cursor_pkey PRIMARY KEY (source, topic)
);

create unlogged table request_count (
  account_id text not null,
  operation text not null,
  period_start timestamp with time zone not null,
  used integer not null,
  constraint request_count_pkey PRIMARY KEY (account_id, operation)
) with (fillfactor=50);

create table run_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  schedule_id uuid not null,
  slot_at timestamp with time zone,
  outcome text not null,
  reason text,
  created_at timestamp with time zone not null,
  version integer not null,
  made_full jsonb,
  constraint run_view_pkey PRIMARY KEY (id)
);
CREATE INDEX run_view_of_schedule ON run_view USING btree (schedule_id, slot_at DESC);
CREATE INDEX run_view_that_ran ON run_view USING btree (schedule_id, created_at DESC) WHERE (outcome = 'ran'::text);

create table schedule_view (
  id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  day_of_week smallint not null,
  hour smallint not null,
  minute smallint not null,
  full_backup_retention integer not null,
  copy_to text[] not null,
  paused boolean not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  version integer not null,
  constraint schedule_view_pkey PRIMARY KEY (id)
);
CREATE INDEX schedule_view_of_account ON schedule_view USING btree (account_id, id);
CREATE INDEX schedule_view_of_instance ON schedule_view USING btree (instance_id);

create table second_look (
  consumer_group text not null,
  "position" bigint not null,
  constraint second_look_pkey PRIMARY KEY (consumer_group)
);

create table slot_timer (
  schedule_id uuid not null,
  account_id text not null,
  instance_id uuid not null,
  hour smallint not null,
  minute smallint not null,
  day_of_week smallint,
  paused boolean,
  copy_to text[],
  version integer not null,
  next_slot_at timestamp with time zone not null,
  ahead timestamp with time zone[] not null default '{}'::timestamp with time zone[],
  constraint slot_timer_pkey PRIMARY KEY (schedule_id)
) with (fillfactor=80);
CREATE INDEX slot_timer_due ON slot_timer USING btree (next_slot_at);

create table steady_time (
  boot text not null,
  booted_at_ms double precision not null,
  seen_at_ms double precision not null,
  constraint steady_time_pkey PRIMARY KEY (boot)
);

create table view_head (
  account_id text not null,
  "position" bigint not null default 0,
  passed_over text[] not null default '{}'::text[],
  constraint view_head_pkey PRIMARY KEY (account_id)
);

CREATE OR REPLACE FUNCTION backup_view_place()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  select e.position into new.position from ledger_event e where e.stream = 'backup-' || new.id and e.version = 1;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION ledger_append(requests jsonb)
 RETURNS TABLE(request integer, outcome text, claim_kind text, claim_stream text, first_position bigint, appended_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_advisory_xact_lock(7236001);
  return query
  with asked as (
    select r.* from jsonb_to_recordset(requests) as r(
      request integer, stream text, "expectedVersion" integer, "accountId" text, "instanceId" uuid,
      aggregate text, context jsonb, events jsonb, claims jsonb, releases jsonb, quotas jsonb)
  ), judged as (
    select a.*, coalesce(taken.kind, used_up.kind) as taken_kind, taken.stream as taken_stream,
      case when head.version <> a."expectedVersion" then 'conflict'
           when taken.kind is not null then 'claimed'
           when used_up.kind is not null then 'used-up'
           else 'appended' end as verdict
    from asked a
    cross join lateral (select coalesce(max(e.version), 0) as version from ledger_event e where e.stream = a.stream) head
    left join lateral (
      select c.kind, c.stream from jsonb_to_recordset(a.claims) as wanted(kind text, key text)
      join ledger_claim c on c.kind = wanted.kind and c.key = wanted.key
      order by c.kind limit 1
    ) taken on true
    left join lateral (
      select wanted.kind from jsonb_to_recordset(a.quotas) as wanted(kind text, key text, "by" integer, most integer)
      left join ledger_quota q on q.kind = wanted.kind and q.key = wanted.key
      where wanted."by" > 0 and coalesce(q.used, 0) + wanted."by" > wanted.most
      order by wanted.kind limit 1
    ) used_up on true
  ), recorded as (
    insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
    select (e.event->>'id')::uuid, j.stream, j."expectedVersion" + e.ordinal, j.aggregate, e.event->>'type', j."accountId",
           j."instanceId", date_trunc('milliseconds', clock_timestamp()), e.event->'data', j.context
    from judged j cross join lateral jsonb_array_elements(j.events) with ordinality as e(event, ordinal)
    where j.verdict = 'appended'
    order by j.request, e.ordinal
    returning ledger_event.stream, ledger_event.position, ledger_event.at
  ), claimed as (
    insert into ledger_claim (kind, key, stream)
    select c.kind, c.key, j.stream from judged j
    cross join lateral jsonb_to_recordset(j.claims) as c(kind text, key text)
    where j.verdict = 'appended'
  ), released as (
    delete from ledger_claim c using judged j
    cross join lateral jsonb_to_recordset(j.releases) as r(kind text, key text)
    where j.verdict = 'appended' and c.kind = r.kind and c.key = r.key and c.stream = j.stream
  ), counted as (
    insert into ledger_quota as q (kind, key, used)
    select c.kind, c.key, greatest(c."by", 0) from judged j
    cross join lateral jsonb_to_recordset(j.quotas) as c(kind text, key text, "by" integer)
    where j.verdict = 'appended'
    on conflict (kind, key) do update set used = greatest(q.used + case when excluded.used > 0 then excluded.used else -1 end, 0)
  )
  select j.request, j.verdict, j.taken_kind, j.taken_stream, min(r.position), min(r.at)
  from judged j left join recorded r on r.stream = j.stream and j.verdict = 'appended'
  group by j.request, j.verdict, j.taken_kind, j.taken_stream;
  perform pg_notify('strongroom_ledger', '');
end $function$;

CREATE OR REPLACE FUNCTION ledger_refuses_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'the ledger is append-only: % on ledger_event is refused', tg_op using errcode = 'insufficient_privilege';
end $function$;
