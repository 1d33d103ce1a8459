/**
 * Appends that share a quota share a statement, and no plan of an append goes by statistics. A request with an Idempotency-Key is kept
 * by the append that is its effect.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class SharedQuotas1700000000076 implements MigrationInterface {
  static readonly installs = {
    ledger_append: '332b8c85a7add816706031fde78c791a8187472d3e3f78df0d36076a5f6487b4',
    request_keep: 'be374aa50018f7c13d8c3d7be1349a1ae223ff3e2814cfc02241d26efe75d93a',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, SharedQuotas1700000000076.installs);
  }

  down = noWayBack;
}
