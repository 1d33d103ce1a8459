/** Makes all jobs of a lane ready that wait: what they have waited for is there. */
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { Jobs } from './jobs.js';

const atOnce = 1_000;
const rows = z.array(z.object({ id: z.string() }));

export async function wakeLane(dataSource: DataSource, jobs: Pick<Jobs, 'wake'>, kind: string, lane: string) {
  for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
    const found: unknown = await dataSource.query(
      `select id from job where kind = $1 and lane = $2 and id > $3 and ready_at > now() order by id limit ${atOnce}`,
      [kind, lane, after],
    );
    const ids = rows.parse(found).map(({ id }) => id);
    await dataSource.transaction((manager) => jobs.wake(manager, kind, ids));
    if (ids.length < atOnce) return;
    after = ids.at(-1) ?? after;
  }
}
