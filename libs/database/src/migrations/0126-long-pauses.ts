/** Finds where a schedule that is changed often was paused, without reading all of its stream. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { noWayBack } from '../no-way-back.js';

export class LongPauses1700000000126 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    await run.query(`create index concurrently if not exists ledger_event_of_long_pause
      on ledger_event (stream, (data ->> 'paused'), version)
      where version > 32 and type = 'ScheduleUpdated' and ((data ->> 'paused') = 'false' or (context ->> 'reason') is not null)`);
  }

  down = noWayBack;
}
