/**
 * Finds the newest events in a long stream without reading all of it: by type, by time, and where a schedule was paused. A stream has seldom
 * more than 32 events, so these indexes are small, and most appends write nothing to them.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class LongStreams1700000000126 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_of_long_stream
      on ledger_event (stream, type, version) where version > 32`);
    await run.query(`create index concurrently if not exists ledger_event_of_long_stream_in_time
      on ledger_event (stream, at, position) where version > 32`);
    await run.query(`create index concurrently if not exists ledger_event_of_long_pause
      on ledger_event (stream, (data ->> 'paused'), version)
      where version > 32 and type = 'ScheduleUpdated' and ((data ->> 'paused') = 'false' or (context ->> 'reason') is not null)`);
  }

  down = noWayBack;
}
