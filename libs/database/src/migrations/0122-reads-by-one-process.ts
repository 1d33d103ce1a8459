/** Streams are read by the session itself, and by no parallel workers, whatever the statistics of the ledger say. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class ReadsByOneProcess1700000000122 implements MigrationInterface {
  static readonly installs = {
    ledger_read: 'df676e83b9f56aedd282e488d2193897049888909dcc8a805f68f9e29f441fe8',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, ReadsByOneProcess1700000000122.installs);
  }

  down = noWayBack;
}
