/** How fast the regions give to each other. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class TransferRates1700000000103 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table transfer_rate (
        source_region text not null,
        target_region text not null,
        bytes_per_second double precision not null,
        measured_at timestamptz not null default now(),
        primary key (source_region, target_region)
      );
      comment on table transfer_rate is
        'How fast copies have come from one region to another. It says which region a copy comes from when several have the backup.';
    `);
  }

  down = noWayBack;
}
