/** The one clock that says which slots are due: the database's, so that no two schedulers ever disagree. */
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

export abstract class DueClock {
  abstract now(manager: EntityManager): Promise<Date>;
}

export class DatabaseDueClock extends DueClock {
  async now(manager: EntityManager): Promise<Date> {
    const rows: unknown = await manager.query('select clock_timestamp() as now');
    const [row] = z.array(z.object({ now: z.date() })).parse(rows);
    if (!row) throw new Error('the database gave no time');
    return row.now;
  }
}
