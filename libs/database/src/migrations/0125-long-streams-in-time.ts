/** Finds the newest events of a long stream before an instant without reading all of it. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class LongStreamsInTime1700000000125 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_of_long_stream_in_time
      on ledger_event (stream, at, position) where version > 32`);
  }

  down = noWayBack;
}
