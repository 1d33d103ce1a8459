/** An append whose key has an answer already is refused by the database, so that a key need not be looked for before. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class KeysWithAnswers1700000000090 implements MigrationInterface {
  static readonly installs = {
    request_keep: 'ffdd0780541ba408d611b37b9044700af667f9de00a21344044e6e075f9e6e10',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, KeysWithAnswers1700000000090.installs);
  }

  down = noWayBack;
}
