/** An append with all that goes with it, and a read of streams, are functions: a session plans them once, and not by statistics. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class PlannedOnce1700000000078 implements MigrationInterface {
  static readonly installs = {
    ledger_append_with: '58870cce6b2df990afe91092373016534403a46d6335b22d19a2ca68ee2cddc6',
    ledger_read: 'eda47fade730f46cad94a4b727b5c2874677d58208a3e090a2650cf11d2e3df5',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, PlannedOnce1700000000078.installs);
  }

  down = noWayBack;
}
