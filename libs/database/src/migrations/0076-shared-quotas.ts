/**
 * Appends that share a quota share a statement, and no plan of an append goes by statistics. A request with an Idempotency-Key is kept
 * by the append that is its effect.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class SharedQuotas1700000000076 implements MigrationInterface {
  static readonly installs = {
    ledger_append: '7b8049ae71a07736d8e83121ae253c6659e8a85e4ec4075444deb6f5a0e4b1a2',
    request_keep: 'be374aa50018f7c13d8c3d7be1349a1ae223ff3e2814cfc02241d26efe75d93a',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, SharedQuotas1700000000076.installs);
  }

  down = noWayBack;
}
