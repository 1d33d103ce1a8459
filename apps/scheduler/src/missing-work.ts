/**
 * Puts back what should be there and is not: the job of a backup, a deletion or a server to build that has not ended, the
 * timer of a schedule. What a message was lost of is found by the feed's second look; this finds what was lost later, or
 * long before there was one. A slow look, a few rows at a time; a job too much finds nothing to do, so nothing can be put
 * back in error.
 */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { fold, nextSlot, scheduleDecider } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import type { Views } from '@strongroom/read-model';
import type { Jobs, Logger, Metrics } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { hasTimer, moveTimers, setTimer } from './slots/slot-timers.js';

export interface MissingWorkParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  jobs: Jobs;
  metrics: Metrics;
  log: Logger;
  /** Whether this deployment builds servers from backups. */
  buildsServers: boolean;
}

/** What a feed needs to bring the news by itself, a broker's restart included. */
const newsTakes = `interval '5 minutes'`;
/** What lies ahead was written by a clock that has been put right since. */
const isOld = (at: string) => `(${at} < now() - ${newsTakes} or ${at} > now() + ${newsTakes})`;
const batchSize = 100;
/** Of schedules, in order of id: a round of a million takes three hours. */
const stepOfRound = 5_000;
const beforeTheFirst = '00000000-0000-0000-0000-000000000000';

const unended = `
  select b.id, b.account_id as "accountId" from backup_view b
  where b.status in ('NEW', 'BUILDING') and ${isOld('b.updated_at')}
    and not exists (select from job j where j.kind = 'backup' and j.id = b.id)
  limit ${batchSize}`;

/** What is built on a backup that is being deleted goes by that one's job. */
const undeleted = `
  select b.id, b.account_id as "accountId" from backup_view b
  where b.status = 'DELETING' and ${isOld('b.updated_at')}
    and not exists (select from backup_view p where p.id = b.parent_id and p.status = 'DELETING')
    and not exists (select from job j where j.kind = 'deletion' and j.id = b.id)
  limit ${batchSize}`;

const unbuilt = `
  select i.id, i.account_id as "accountId" from instance_view i
  where i.status = 'BUILD' and ${isOld('i.updated_at')}
    and not exists (select from job j where j.kind = 'instance' and j.id = i.id)
  limit ${batchSize}`;

/** A timer of an older version of its schedule has missed the news of a change. */
const untimed = `
  with step as (select id, account_id, version, updated_at from schedule_view where id > $1 order by id limit ${stepOfRound})
  select (select id from step order by id desc limit 1) as end, coalesce((
    select json_agg(json_build_object('id', s.id, 'accountId', s.account_id) order by s.id) from step s
    where ${isOld('s.updated_at')}
      and not exists (select from slot_timer t where t.schedule_id = s.id and t.version >= s.version)
  ), '[]') as missing`;

const found = z.array(z.object({ id: z.string(), accountId: z.string() }));
type Found = z.infer<typeof found>;
const steps = z
  .array(z.object({ end: z.string().nullable(), missing: found }))
  .length(1)
  .transform(([step]) => step ?? { end: null, missing: [] });
const newestSlots = z.array(z.object({ slotAt: z.date().nullable() }));

export class MissingWork {
  private readonly putBack;
  private roundAt = beforeTheFirst;

  constructor(private readonly parts: MissingWorkParts) {
    this.putBack = parts.metrics.counter({
      name: 'strongroom_missing_work_total',
      help: 'Jobs and timers that should have been there and were put back by this process, by kind.',
      labels: ['kind'],
    });
  }

  async look(): Promise<void> {
    await this.lookFor('backup', unended);
    await this.lookFor('deletion', undeleted);
    if (this.parts.buildsServers) await this.lookFor('instance', unbuilt);
    await this.lookForTimers();
  }

  private async lookFor(kind: 'backup' | 'deletion' | 'instance', query: string): Promise<void> {
    const { dataSource, jobs } = this.parts;
    const ask = async () => found.parse(await dataSource.query(query));
    const suspected = await ask();
    if (suspected.length === 0) return;
    await this.catchUp(suspected);
    const missing = await ask();
    await jobs.add(
      dataSource.manager,
      missing.map((each) => ({ kind, ...each })),
    );
    for (const { id } of missing) this.tell(kind, id);
  }

  private async lookForTimers(): Promise<void> {
    const { end, missing } = steps.parse(await this.parts.dataSource.query(untimed, [this.roundAt]));
    await this.catchUp(missing);
    for (const { id } of missing.slice(0, batchSize)) {
      // First, so that one that does not come right holds up nothing that comes after it.
      this.roundAt = id;
      await this.setMissingTimer(id);
    }
    // More of one step than fit are looked at from there on.
    if (missing.length <= batchSize) this.roundAt = end ?? beforeTheFirst;
  }

  /** From the newest slot that has its outcome on: those since then are made up for or missed, as after any outage. */
  private async setMissingTimer(scheduleId: string): Promise<void> {
    const { dataSource, ledger } = this.parts;
    const history = await ledger.readStream(streamOf('schedule', scheduleId));
    const schedule = fold(scheduleDecider, history);
    const newest = history.findLast(isDefinition);
    if (schedule.is !== 'active' || !newest) return;
    const slots: unknown = await dataSource.query(
      `select max(slot_at) as "slotAt" from (
         select slot_at from run_view where schedule_id = $1
         union all select slot_at from backup_view where schedule_id = $1
       ) decided`,
      [scheduleId],
    );
    const changedAt = new Date(newest.at);
    const decidedAt = newestSlots.parse(slots)[0]?.slotAt ?? changedAt;
    const nextSlotAt = nextSlot(schedule.definition, decidedAt > changedAt ? decidedAt : changedAt);
    await dataSource.transaction(async (manager) => {
      // One that is there rings for what it has not decided yet, or for the change, whichever comes first.
      const isThere = await hasTimer(manager, scheduleId);
      await setTimer(manager, newest);
      if (!isThere) await moveTimers(manager, [{ scheduleId, nextSlotAt }]);
    });
    this.tell('timer', scheduleId);
  }

  /** A view that is behind shows what has ended long ago. */
  private async catchUp(suspected: Found): Promise<void> {
    const accountIds = suspected.map(({ accountId }) => accountId);
    await this.parts.views.catchUpEach(accountIds, (accountId, err) =>
      this.parts.log.error(
        { err, accountId },
        `account ${accountId} has an event that can't be read: its views stop there`,
      ),
    );
  }

  private tell(kind: 'backup' | 'deletion' | 'instance' | 'timer', id: string): void {
    this.putBack.inc({ kind });
    this.parts.log.warn({ kind, id }, 'missing work put back: the message that it follows from was lost or set aside');
  }
}

function isDefinition(event: RecordedEvent): event is RecordedEvent<'ScheduleCreated' | 'ScheduleUpdated'> {
  return event.type === 'ScheduleCreated' || event.type === 'ScheduleUpdated';
}
