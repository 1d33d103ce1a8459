/** Which limits of transfers the replicators keep to, as each of them tells it. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class LimitsInForce1700000000132 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query(`
      create table transfer_in_force (
        process text primary key,
        limits jsonb not null,
        told_at timestamptz not null default now()
      );
      comment on table transfer_in_force is
        'The limits of transfers that each replicator keeps to: of its settings, of operators, and of stores that are busy. A process without limits has a row too.';
      comment on column transfer_in_force.told_at is 'A row that is a minute old is of a process that has ended.';
    `);
  }

  down = noWayBack;
}
