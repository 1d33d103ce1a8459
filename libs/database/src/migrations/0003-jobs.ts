/** Keeps long work and who holds it. A job is leased and never locked, so that no transaction is open across I/O. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class Jobs1700000000003 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table job (
        kind text not null,
        id uuid not null,
        -- What the work contends for; jobs of one lane never hold up another lane's. A region for copies.
        lane text not null default '',
        account_id text not null,
        ready_at timestamptz not null default now(),
        -- How often it was leased.
        attempt integer not null default 0,
        lease_owner text,
        lease_until timestamptz,
        done_bytes bigint not null default 0,
        total_bytes bigint,
        primary key (kind, id)
      );
      create index job_ready on job (kind, lane, ready_at);
    `);
  }

  down = noWayBack;
}
