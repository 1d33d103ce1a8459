/** Appends to several streams in one statement, so that no silent caller holds the ledger's lock. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class AppendTogether1700000000047 implements MigrationInterface {
  static readonly installs = {
    ledger_append_together: '518658cde7b86f0bfd4ab08caca5bfc1fc743d59096476b2ed817718fe25d2aa',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, AppendTogether1700000000047.installs);
  }

  down = noWayBack;
}
