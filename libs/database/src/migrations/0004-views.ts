/** Makes the read model: a table for each view, which can be folded from the ledger, and how far each account is folded. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Views1700000000004 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table view_head (
        account_id text primary key,
        position bigint not null default 0
      );

      create table instance_view (
        id uuid primary key,
        account_id text not null,
        name text not null,
        datastore_type text not null,
        datastore_version text not null,
        endpoint jsonb not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        version integer not null
      );
      create index instance_view_of_account on instance_view (account_id, id);

      create table schedule_view (
        id uuid primary key,
        account_id text not null,
        instance_id uuid not null,
        day_of_week smallint not null,
        hour smallint not null,
        minute smallint not null,
        full_backup_retention integer not null,
        copy_to text[] not null,
        paused boolean not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        version integer not null
      );
      create index schedule_view_of_account on schedule_view (account_id, id);
      create index schedule_view_of_instance on schedule_view (instance_id);

      create table backup_view (
        id uuid primary key,
        account_id text not null,
        instance_id uuid not null,
        schedule_id uuid,
        slot_at timestamptz,
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
        created_at timestamptz not null,
        started_at timestamptz,
        ended_at timestamptz,
        updated_at timestamptz not null,
        version integer not null
      );
      create index backup_view_of_account on backup_view (account_id, created_at desc, id desc);
      create index backup_view_of_instance on backup_view (instance_id, created_at desc, id desc);
      create index backup_view_of_schedule on backup_view (schedule_id, created_at desc) where schedule_id is not null;
      create index backup_view_unended on backup_view (instance_id) where status in ('NEW', 'BUILDING');

      create table copy_view (
        id uuid primary key,
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
        retry_at timestamptz,
        created_at timestamptz not null,
        started_at timestamptz,
        ended_at timestamptz,
        updated_at timestamptz not null,
        version integer not null
      );
      create index copy_view_of_backup on copy_view (backup_id, region);
      create index copy_view_unended on copy_view (region, created_at) where status in ('PENDING', 'COPYING');

      create table run_view (
        id uuid primary key,
        account_id text not null,
        instance_id uuid not null,
        schedule_id uuid not null,
        slot_at timestamptz not null,
        outcome text not null,
        reason text,
        created_at timestamptz not null,
        version integer not null
      );
      create index run_view_of_schedule on run_view (schedule_id, slot_at desc);
    `);
  }

  down = noWayBack;
}
