/**
 * Puts back the jobs of copies that have not ended: a `CopyRequested` that was lost or set aside would leave its copy
 * owed for ever. A slow look, a few rows at a time; a job too much finds nothing to do.
 */
import type { Views } from '@strongroom/read-model';
import type { Jobs, Logger, Metrics } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export interface MissingCopiesParts {
  dataSource: DataSource;
  views: Views;
  jobs: Jobs;
  metrics: Metrics;
  log: Logger;
}

/** Five minutes: what a feed needs to bring the news by itself, a broker's restart included. */
const unmade = `
  select c.id, c.account_id as "accountId", c.region as lane, c.size_bytes::float8 as "totalBytes" from copy_view c
  where c.status in ('PENDING', 'COPYING') and c.updated_at < now() - interval '5 minutes'
    and not exists (select from job j where j.kind = 'copy' and j.id = c.id)
  limit 100`;

const found = z.array(z.object({ id: z.string(), accountId: z.string(), lane: z.string(), totalBytes: z.number() }));

export class MissingCopies {
  private readonly putBack;

  constructor(private readonly parts: MissingCopiesParts) {
    this.putBack = parts.metrics.counter({
      name: 'strongroom_missing_work_total',
      help: 'Jobs that should have been there and were put back by this process, by kind.',
      labels: ['kind'],
    });
  }

  async look(): Promise<void> {
    const { dataSource, views, jobs, log } = this.parts;
    const ask = async () => found.parse(await dataSource.query(unmade));
    const suspected = await ask();
    if (suspected.length === 0) return;
    // A view that is behind shows what has ended long ago.
    for (const accountId of new Set(suspected.map((each) => each.accountId))) await views.catchUp(accountId);
    const missing = await ask();
    await jobs.add(
      dataSource.manager,
      missing.map((each) => ({ kind: 'copy', ...each })),
    );
    for (const { id, lane: region } of missing) {
      this.putBack.inc({ kind: 'copy' });
      log.warn({ id, region }, 'missing copy job put back: the message that it follows from was lost or set aside');
    }
  }
}
