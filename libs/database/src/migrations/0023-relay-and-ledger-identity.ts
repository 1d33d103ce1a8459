/**
 * Lets the relay go on with the other partitions while one takes nothing, and keep to the number of partitions that it began
 * with. Gives the ledger an identity, so that readers notice when it was put back to an earlier time.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class RelayAndLedgerIdentity1700000000023 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      alter table relay_cursor add column ahead jsonb;
      comment on column relay_cursor.ahead is
        'By partition, the position up to which its events were sent, where that is beyond the cursor; and the cursor at that time.';
      alter table relay_cursor add column partitions integer;
      comment on column relay_cursor.partitions is
        'Over how many partitions the keys are spread. Partitions that are added later stay empty, so that the events of a key keep their order.';

      create table ledger_identity (
        n bigint generated always as identity primary key,
        id uuid not null default gen_random_uuid(),
        server text not null,
        reason text not null,
        began_at timestamptz not null default now()
      );
      comment on table ledger_identity is
        'The newest row names the ledger. A row is added when the ledger may have lost its end, and may give positions anew.';
      comment on column ledger_identity.server is
        'The system identifier, the timeline and the database that held the ledger.';
    `);
  }

  down = noWayBack;
}
