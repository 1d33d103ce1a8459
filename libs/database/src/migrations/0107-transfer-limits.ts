/** What operators allow transfers in a second, and how far the processes of the deployment have used it up. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class TransferLimits1700000000107 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table transfer_limit (
        scope text primary key,
        bytes_per_second bigint check (bytes_per_second > 0),
        set_at timestamptz not null default now()
      );
      comment on table transfer_limit is
        'What operators have set for transfers by "strongroom limits": of a region, of a pair of regions as DFW:ORD, or of each process. It counts before STRONGROOM_TRANSFER_LIMITS.';
      comment on column transfer_limit.bytes_per_second is 'Null: no limit, whatever the settings say.';
      create table transfer_budget (
        scope text primary key,
        taken_until timestamptz not null
      );
      comment on table transfer_budget is
        'Until when the bytes of a limit are given out to processes. Each takes a piece of time, and sends as many bytes as the limit allows for it.';
    `);
  }

  down = noWayBack;
}
