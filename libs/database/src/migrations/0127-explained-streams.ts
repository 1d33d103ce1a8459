/** What explains a thing is read from its streams by an index and in bounded parts, however long they are and whatever the statistics say. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class ExplainedStreams1700000000127 implements MigrationInterface {
  static readonly installs = {
    ledger_version_known: '780af1e1991293b326a75607445f6791db017389fcfa737bdb2331840848e078',
    ledger_newest_of_types: '433d9c402c73b127b351a3bf8d5ac995b1348e14e8299b41f7ddb27680f8aa0f',
    ledger_pause_of: '958b58813bb70952fe1c8b1eb7ee08e82728d006dac6d00e4ec058f096dd3994',
    ledger_page_of_streams: '56dfe3dc9ed139271b6d57c60868e34d0bc21a3c93d348d47bcbf092a270a67c',
    ledger_page_of_schedule: '95da19113d6745cc092b46b734e90af4dc9718b0ce130b0c7205b26ea3f75860',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, ExplainedStreams1700000000127.installs);
  }

  down = noWayBack;
}
