/**
 * An append takes its requests apart once, and looks nothing up that it need not. A session plans it once, also where it is not called by
 * `ledger_append_with`.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class CheaperAppends1700000000085 implements MigrationInterface {
  static readonly installs = {
    ledger_append: '31845e27c55a2f49e6a6fcaeb91bfaf16ddfb449fa68911de4bc49e09b0a98dc',
    ledger_append_relying: 'dbcea67f4537243b2c592cd8ebb34f4e5eed0b30aae4d91bd1659466a38ccb81',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, CheaperAppends1700000000085.installs);
  }

  down = noWayBack;
}
