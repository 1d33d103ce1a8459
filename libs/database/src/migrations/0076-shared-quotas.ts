/**
 * Appends that share a quota share a statement, and no plan of an append goes by statistics. A request with an Idempotency-Key is kept
 * by the append that is its effect.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class SharedQuotas1700000000076 implements MigrationInterface {
  static readonly installs = {
    ledger_append: '03e86ae13dcf598bc67bdb8c8313bb426a8ba918dce26465b4ea267dc16f9263',
    request_keep: 'be374aa50018f7c13d8c3d7be1349a1ae223ff3e2814cfc02241d26efe75d93a',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, SharedQuotas1700000000076.installs);
  }

  down = noWayBack;
}
