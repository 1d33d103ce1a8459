/** Adds the rows of schedule_outcome for schedules that were there before it, a piece in each transaction. */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { z } from 'zod';
import { noWayBack } from '../no-way-back.js';

const mostAtOnce = 500;
const lastRows = z.array(z.object({ last: z.string().nullable() })).length(1);
/** A fold beside it adds rows too, perhaps in another order. */
const isDeadlock = z.object({ code: z.literal('40P01') });

export class OutcomesOfOlderSchedules1700000000117 implements MigrationInterface {
  transaction = false;

  async up(run: QueryRunner): Promise<void> {
    for (let last: string | null | undefined = null; last !== undefined; ) last = await this.addPiece(run, last);
  }

  /** @returns the schedule after which there may be more; undefined when there are none */
  private async addPiece(run: QueryRunner, after: string | null): Promise<string | undefined> {
    try {
      const rows: unknown = await run.query(
        `with piece as materialized (
           select id from schedule_view where $1::uuid is null or id > $1 order by id limit ${mostAtOnce}
         ), begun as materialized (select schedule_outcome_begin(array_agg(id)) from piece)
         select (select id from piece order by id desc limit 1) as last from begun`,
        [after],
      );
      return lastRows.parse(rows)[0]?.last ?? undefined;
    } catch (error) {
      if (!isDeadlock.safeParse(error).success) throw error;
      return this.addPiece(run, after);
    }
  }

  down = noWayBack;
}
