/** An append with all that goes with it, and a read of streams, are functions: a session plans them once, and not by statistics. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class PlannedOnce1700000000078 implements MigrationInterface {
  static readonly installs = {
    ledger_append_with: '23735720ca4e1501f260a0608395480e7d38bc01cba58323c8e7b775d5b73b60',
    ledger_read: 'eda47fade730f46cad94a4b727b5c2874677d58208a3e090a2650cf11d2e3df5',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, PlannedOnce1700000000078.installs);
  }

  down = noWayBack;
}
