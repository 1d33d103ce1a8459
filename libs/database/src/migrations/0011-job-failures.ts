/** Counts how often a job came to nothing, apart from how often it was leased. A lease that was given back is no failure. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class JobFailures1700000000011 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query('alter table job add column failures integer not null default 0');
  }

  down = noWayBack;
}
