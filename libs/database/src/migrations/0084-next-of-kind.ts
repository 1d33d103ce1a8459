/** The relay reads the next events of a kind by their index, whatever the statistics say. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class NextOfKind1700000000084 implements MigrationInterface {
  static readonly installs = {
    ledger_next_of_kind: '78180623070848c90af8aa2e77fdff13e03038d369d9e1662899dd655a4bacb5',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, NextOfKind1700000000084.installs);
  }

  down = noWayBack;
}
