/**
 * Puts back the jobs of copies that have not ended, and plans those of completed backups that nobody has planned. What a
 * message was lost of is found by the feed's second look; this finds what was lost later, or long before there was one. A
 * slow look, a few rows at a time; a job too much finds nothing to do, and a copy is planned once.
 */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { backupDecider, copyId, fold } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import type { Views } from '@strongroom/read-model';
import type { Jobs, Logger, Metrics } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export interface MissingCopiesParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  jobs: Jobs;
  metrics: Metrics;
  log: Logger;
  /** Asks for what a completed backup is owed and has not been asked for yet. */
  plan(event: RecordedEvent<'BackupCompleted'>): Promise<void>;
}

/** Of backups, in order of id: a round of a million takes three hours. */
const stepOfRound = 5_000;
const mostPlanned = 100;
const beforeTheFirst = '00000000-0000-0000-0000-000000000000';

/** Five minutes: what a feed needs to bring the news by itself, a broker's restart included. */
const unmade = `
  select c.id, c.account_id as "accountId", c.region as lane, c.size_bytes::float8 as "totalBytes" from copy_view c
  where c.status in ('PENDING', 'COPYING')
    -- What lies ahead was written by a clock that has been put right since.
    and (c.updated_at < now() - interval '5 minutes' or c.updated_at > now() + interval '5 minutes')
    and not exists (select from job j where j.kind = 'copy' and j.id = c.id)
  limit 100`;

const unplanned = `
  with step as (
    select id, account_id, status, region, copy_to, updated_at from backup_view where id > $1 order by id limit ${stepOfRound}
  )
  select (select id from step order by id desc limit 1) as end, coalesce((
    select json_agg(json_build_object('id', s.id, 'accountId', s.account_id) order by s.id) from step s
    where s.status = 'COMPLETED' and (s.updated_at < now() - interval '5 minutes' or s.updated_at > now() + interval '5 minutes')
      and exists (
        select from unnest(s.copy_to) as owed(region)
        where owed.region <> s.region and not exists (select from copy_view c where c.backup_id = s.id and c.region = owed.region))
  ), '[]') as missing`;

const steps = z
  .array(
    z.object({ end: z.string().nullable(), missing: z.array(z.object({ id: z.string(), accountId: z.string() })) }),
  )
  .length(1)
  .transform(([step]) => step ?? { end: null, missing: [] });
const found = z.array(z.object({ id: z.string(), accountId: z.string(), lane: z.string(), totalBytes: z.number() }));

export class MissingCopies {
  private readonly putBack;
  private roundAt = beforeTheFirst;

  constructor(private readonly parts: MissingCopiesParts) {
    this.putBack = parts.metrics.counter({
      name: 'strongroom_missing_work_total',
      help: 'Jobs and plans that should have been there and were put back by this process, by kind.',
      labels: ['kind'],
    });
  }

  async look(): Promise<void> {
    await this.lookForJobs();
    await this.lookForPlans();
  }

  private async lookForPlans(): Promise<void> {
    const ask = async () => steps.parse(await this.parts.dataSource.query(unplanned, [this.roundAt]));
    const suspected = await ask();
    await this.catchUp(suspected.missing);
    const { end, missing } = suspected.missing.length > 0 ? await ask() : suspected;
    for (const { id } of missing.slice(0, mostPlanned)) {
      // First, so that one that does not come right holds up nothing that comes after it.
      this.roundAt = id;
      await this.planMissing(id);
    }
    // More of one step than fit are looked at from there on.
    if (missing.length <= mostPlanned) this.roundAt = end ?? beforeTheFirst;
  }

  private async planMissing(backupId: string): Promise<void> {
    const { dataSource, ledger, log, plan } = this.parts;
    const history = await ledger.readStream(streamOf('backup', backupId));
    const completed = history.findLast(isCompletion);
    if (!completed || fold(backupDecider, history).is !== 'completed') return;
    const { copyTo } = completed.data;
    const planned = () =>
      ledger.readStreams(
        dataSource.manager,
        copyTo.map((region) => streamOf('copy', copyId(backupId, region))),
      );
    const before = await planned();
    await plan(completed);
    const news = (await planned()).size - before.size;
    if (news === 0) return;
    this.putBack.inc({ kind: 'plan' }, news);
    log.warn({ backup: backupId, copies: news }, 'missing copies planned: the message that they follow from was lost');
  }

  private async lookForJobs(): Promise<void> {
    const { dataSource, jobs, log } = this.parts;
    const ask = async () => found.parse(await dataSource.query(unmade));
    const suspected = await ask();
    if (suspected.length === 0) return;
    await this.catchUp(suspected);
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

  /** A view that is behind shows what has ended long ago. */
  private async catchUp(suspected: readonly { accountId: string }[]): Promise<void> {
    const accountIds = suspected.map(({ accountId }) => accountId);
    await this.parts.views.catchUpEach(accountIds, (accountId, err) =>
      this.parts.log.error(
        { err, accountId },
        `account ${accountId} has an event that can't be read: its views stop there`,
      ),
    );
  }
}

function isCompletion(event: RecordedEvent): event is RecordedEvent<'BackupCompleted'> {
  return event.type === 'BackupCompleted';
}
