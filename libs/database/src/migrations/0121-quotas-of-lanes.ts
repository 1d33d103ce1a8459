/** An account has its quota of jobs in each lane: copies to a region that hangs take nothing of those to other regions. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class QuotasOfLanes1700000000121 implements MigrationInterface {
  static readonly installs = {
    job_lease: 'cf0b13be311f5816f53999fc4ba90058e2c86983711834cfb41da3186a0cc2c4',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, QuotasOfLanes1700000000121.installs);
  }

  down = noWayBack;
}
