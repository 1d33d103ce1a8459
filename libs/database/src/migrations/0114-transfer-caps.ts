/** How many transfers at a time operators allow in the vaults, while everything runs. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class TransferCaps1700000000114 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table transfer_cap (
        region text primary key,
        at_a_time integer check (at_a_time between 1 and 1000),
        set_at timestamptz not null default now()
      );
      comment on table transfer_cap is
        'How many transfers of one process may move bytes in the vault of a region at a time, as operators have set it by "strongroom limits". It counts before STRONGROOM_TRANSFERS_AT_A_TIME.';
      comment on column transfer_cap.at_a_time is 'Null: as many as there are, whatever the settings say.';
    `);
  }

  down = noWayBack;
}
