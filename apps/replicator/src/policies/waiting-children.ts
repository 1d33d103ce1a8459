/** Wakes the copies that have waited in a region for what they are built on, when that has come there. */
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EventType } from '@strongroom/contracts';
import { type CopyCompletion, copyId } from '@strongroom/domain';
import { FeedContext } from '@strongroom/feed';
import { Backups, bringUpToDate, Views } from '@strongroom/read-model';
import { Jobs } from '@strongroom/runtime';

@Controller()
export class WaitingChildren {
  constructor(
    private readonly views: Views,
    private readonly backups: Backups,
    private readonly jobs: Jobs,
  ) {}

  @EventPattern<EventType[]>(['CopyCompleted', 'CopyCatalogued'])
  async wake(
    @Payload() { accountId, data: { instanceId, backupId, region } }: CopyCompletion,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await bringUpToDate(this.views, accountId);
    const children = await this.backups.childrenOf(instanceId, backupId);
    const ids = children.map((child) => copyId(child, region));
    await this.jobs.wake(manager, 'copy', ids);
  }
}
