/** The newest event of an account is found by one look into the index of accounts, whatever the statistics say. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class NewestOfAccounts1700000000081 implements MigrationInterface {
  static readonly installs = { ledger_newest_of: 'cc246ed4ca5416e6f71d8d771ef0e200f2bea63f330e8c4e0781ddd07444f094' };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, NewestOfAccounts1700000000081.installs);
  }

  down = noWayBack;
}
