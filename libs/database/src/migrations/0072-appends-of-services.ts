/**
 * Lets a service take and count only what goes with its own events, and refuses an append whose snapshot is older than the ledger's lock.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class AppendsOfServices1700000000072 implements MigrationInterface {
  static readonly installs = {
    ledger_refuses: 'a246d7c60792c2309d9b6eaaaa0c8af08c1d879d4a932cae0288827944b8d1e1',
    ledger_goes_with: '477c7108e43d4545fa57ae1706fd76c8ceae6673819e650ada2527629c41d77c',
    ledger_append: 'a3dfbf60a2e70ca26a51f835962609aef80b2248a64cd5ab0166eeb4326e08d2',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, AppendsOfServices1700000000072.installs);
  }

  down = noWayBack;
}
