/** The functions come from files of their own, so that each is read whole, in the form that is in force. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class Functions1700000000018 implements MigrationInterface {
  static readonly installs = {
    backup_view_place: 'd8edd8bf818d55c953acc5e01965c53c1cd80f3ba87fe66507a9016d69c60219',
    ledger_append: 'cc8a4b20e00faa4e482c03e993c5f9ee66f4fbeb5b7df0aa04e598095f76bc75',
    ledger_refuses_change: '189cfebec4183e68e5fee8c52a3e8c67f5f7de8a8610bb19b59168277293d4b0',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, Functions1700000000018.installs);
  }

  down = noWayBack;
}
