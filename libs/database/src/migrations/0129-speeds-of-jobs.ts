/** A job says how fast it moves bytes now, so that the speed of the copies to a region can be told. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class SpeedsOfJobs1700000000129 implements MigrationInterface {
  static readonly installs = {
    job_lease: 'b8b5ad1b2434fe5ced68dae738336f365bb6f9d008a0c4e70b5a50ccc4985022',
  };

  async up(run: QueryRunner): Promise<void> {
    await run.query('alter table job add column bytes_per_second bigint');
    await run.query(
      `comment on column job.bytes_per_second is 'How fast the job has moved bytes lately, as its holder tells with each renewal. Null: it has moved none yet.'`,
    );
    await installFunctions(run, SpeedsOfJobs1700000000129.installs);
  }

  down = noWayBack;
}
