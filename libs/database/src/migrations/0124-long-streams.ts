/**
 * Finds the newest events of a type in a long stream without reading all of it. A stream has seldom more than 32 events, so this index and the
 * two that follow are small, and most appends write nothing to them.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class LongStreams1700000000124 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_of_long_stream
      on ledger_event (stream, type, version) where version > 32`);
  }

  down = noWayBack;
}
