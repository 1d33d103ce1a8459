/**
 * Lets a service take and count only what goes with its own events, and refuses an append whose snapshot is older than the ledger's lock.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class AppendsOfServices1700000000072 implements MigrationInterface {
  static readonly installs = {
    ledger_refuses: 'a246d7c60792c2309d9b6eaaaa0c8af08c1d879d4a932cae0288827944b8d1e1',
    ledger_append: '30fa30f91bf0214de8448ecd2f57018bdbbc6f5a1af2665cb7214a2166710987',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, AppendsOfServices1700000000072.installs);
  }

  down = noWayBack;
}
