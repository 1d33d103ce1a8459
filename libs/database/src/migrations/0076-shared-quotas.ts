/**
 * Appends that share a quota share a statement, and no plan of an append goes by statistics. A request with an Idempotency-Key is kept
 * by the append that is its effect.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class SharedQuotas1700000000076 implements MigrationInterface {
  static readonly installs = {
    ledger_append: 'dc0e4d4ad27ed9d2167b05c7b2956affb7503b888ee4260ad519d8859cc7a256',
    request_keep: 'be374aa50018f7c13d8c3d7be1349a1ae223ff3e2814cfc02241d26efe75d93a',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, SharedQuotas1700000000076.installs);
  }

  down = noWayBack;
}
