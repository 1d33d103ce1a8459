/** Which regions the replicators can't reach at the moment, and since when. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class RegionOutages1700000000108 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table region_outage (
        region text not null,
        seen_by text not null,
        since timestamptz not null,
        code text not null,
        reason text not null,
        seen_at timestamptz not null default now(),
        primary key (region, seen_by)
      );
      comment on table region_outage is
        'The regions that a process can not reach: one row for an outage, however many copies wait for it. The row goes when the region is back.';
      comment on column region_outage.seen_at is 'A row that is a minute old is of a process that has ended.';
    `);
  }

  down = noWayBack;
}
