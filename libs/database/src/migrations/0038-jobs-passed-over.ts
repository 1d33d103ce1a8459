/** Lets a version pass a job over that only a newer one can read, without losing an attempt of it. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class JobsPassedOver1700000000038 implements MigrationInterface {
  async up(run: QueryRunner): Promise<void> {
    await run.query('alter table job add column passed_by text[], add column passed_until timestamptz');
    await run.query(
      `comment on column job.passed_by is 'The readers, which are versions, that could not read a stream of the job. They leave it to the others until passed_until.'`,
    );
  }

  down = noWayBack;
}
