/**
 * Wakes the backup that waits for its next attempt when its instance has changed: the change may be what it waits for. Its pauses
 * are long by then, and nobody who has mended a connection wants to wait for them.
 */
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EventType, RecordedEvent } from '@strongroom/contracts';
import { FeedContext } from '@strongroom/feed';
import { Backups, bringUpToDate, Views } from '@strongroom/read-model';
import { Jobs } from '@strongroom/runtime';

@Controller()
export class ChangedInstances {
  constructor(
    private readonly views: Views,
    private readonly backups: Backups,
    private readonly jobs: Jobs,
  ) {}

  @EventPattern<EventType[]>(['InstanceChanged'])
  async wake(
    @Payload() { accountId, data: { instanceId } }: RecordedEvent<'InstanceChanged'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await bringUpToDate(this.views, accountId);
    const waiting = await this.backups.waitingOf(accountId, instanceId);
    if (waiting !== undefined) await this.jobs.wake(manager, 'backup', [waiting]);
  }
}
