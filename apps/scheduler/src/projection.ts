/** What the scheduler makes of the events that the feed brings: views, timers, and jobs for the runner. */
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { type EventType, eventTypes, type RecordedEvent } from '@strongroom/contracts';
import { FeedContext } from '@strongroom/feed';
import { Backups, Views } from '@strongroom/read-model';
import { Jobs } from '@strongroom/runtime';
import { Retention } from './jobs/retention/retention.js';
import { removeTimer, setTimer } from './slots/slot-timers.js';

/** Whether this deployment builds servers from backups. */
export const buildsServersToken = Symbol('builds servers');

/** Only the newest backup before should have a slot still; that of a few more is asked for, which costs little. */
const mostSlots = 3;

@Controller()
export class Projection {
  constructor(
    private readonly views: Views,
    private readonly backups: Backups,
    private readonly jobs: Jobs,
    private readonly retention: Retention,
    @Inject(buildsServersToken) private readonly buildsServers: boolean,
  ) {}

  @EventPattern<EventType[]>(eventTypes)
  async foldIntoViews(@Payload() event: RecordedEvent): Promise<void> {
    // In transactions of its own: two batches that fold the same accounts in different orders would deadlock.
    await this.views.catchUp(event.accountId);
  }

  @EventPattern<string>('ScheduleCreated')
  async setTimer(@Payload() event: RecordedEvent<'ScheduleCreated'>, @Ctx() { manager }: FeedContext): Promise<void> {
    await setTimer(manager, event);
  }

  @EventPattern<string>('ScheduleUpdated')
  async changeTimer(
    @Payload() event: RecordedEvent<'ScheduleUpdated'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await setTimer(manager, event);
  }

  @EventPattern<string>('ScheduleDeleted')
  async removeTimer(
    @Payload() event: RecordedEvent<'ScheduleDeleted'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await removeTimer(manager, event);
  }

  @EventPattern<string>('BackupRequested')
  async queueBackup(
    @Payload() { accountId, data }: RecordedEvent<'BackupRequested'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await this.jobs.add(manager, [{ kind: 'backup', id: data.backupId, accountId }]);
  }

  /** The server is kept running by whoever holds the job; a forgotten one is removed by it. */
  @EventPattern<string[]>(['InstanceBuildRequested', 'InstanceForgotten'])
  async queueInstance(
    @Payload() { accountId, data }: RecordedEvent<'InstanceBuildRequested' | 'InstanceForgotten'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    if (this.buildsServers) await this.jobs.add(manager, [{ kind: 'instance', id: data.instanceId, accountId }]);
  }

  /** What was made from the backup goes by the same job. */
  @EventPattern<string>('BackupDeletionRequested')
  async queueDeletion(
    @Payload() { accountId, data }: RecordedEvent<'BackupDeletionRequested'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    if (data.trigger !== 'cascade') await this.jobs.add(manager, [{ kind: 'deletion', id: data.backupId, accountId }]);
  }

  @EventPattern<string[]>(['BackupFailed', 'BackupDeleted'])
  async queueChainEnd(
    @Payload() { accountId, data }: RecordedEvent<'BackupFailed' | 'BackupDeleted'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await this.jobs.add(manager, [{ kind: 'chain-end', id: data.backupId, accountId }]);
  }

  /**
   * Only on the newest backup of an instance can another be built, and on none when the instance is forgotten. A server
   * that is back keeps the slot of what was its newest before. The views have the event already.
   */
  @EventPattern<string[]>(['BackupCompleted', 'InstanceForgotten'])
  async queueEarlierChainEnds(
    @Payload() {
      accountId,
      position,
      type,
      data,
    }: RecordedEvent<'BackupCompleted'> | RecordedEvent<'InstanceForgotten'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    const completed = type === 'BackupCompleted' ? await this.backups.find(accountId, data.backupId) : undefined;
    const earlier = await this.backups.endedBefore(
      {
        instanceId: data.instanceId,
        position,
        lineage: completed?.lineage,
        except: type === 'BackupCompleted' ? data.backupId : undefined,
      },
      mostSlots,
    );
    const jobs = earlier.map((id) => ({ kind: 'chain-end', id, accountId }));
    await this.jobs.add(manager, jobs);
  }

  /** The handler that folds the event into the views is before this one. */
  @EventPattern<string[]>(['BackupCompleted', 'CopyCompleted'])
  async retain(@Payload() event: RecordedEvent<'BackupCompleted' | 'CopyCompleted'>): Promise<void> {
    await this.retention.look(event.accountId, event.data.backupId, event);
  }
}
