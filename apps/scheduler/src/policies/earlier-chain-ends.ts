/**
 * Ends the chains of earlier backups: only on the newest backup of an instance can another be built, and on none when
 * the instance is forgotten. A server that is back keeps the marker of what was its newest backup before.
 */
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EventType, RecordedEvent } from '@strongroom/contracts';
import { FeedContext } from '@strongroom/feed';
import { Backups, bringUpToDate, Views } from '@strongroom/read-model';
import { Jobs } from '@strongroom/runtime';

/**
 * Only the newest of the earlier backups should still have a marker. A few more are asked about, which costs little.
 */
const mostMarkers = 3;

@Controller()
export class EarlierChainEnds {
  constructor(
    private readonly views: Views,
    private readonly backups: Backups,
    private readonly jobs: Jobs,
  ) {}

  @EventPattern<EventType[]>(['BackupCompleted'])
  async afterBackup(
    @Payload() { accountId, position, data }: RecordedEvent<'BackupCompleted'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    const { instanceId, backupId } = data;
    await bringUpToDate(this.views, accountId);
    const completed = await this.backups.find(accountId, backupId);
    const before = { instanceId, position, lineage: completed?.lineage, except: backupId };
    await this.queue(manager, accountId, await this.backups.endedBefore(before, mostMarkers));
  }

  @EventPattern<EventType[]>(['InstanceForgotten'])
  async afterInstance(
    @Payload() { accountId, position, data: { instanceId } }: RecordedEvent<'InstanceForgotten'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await bringUpToDate(this.views, accountId);
    await this.queue(manager, accountId, await this.backups.endedBefore({ instanceId, position }, mostMarkers));
  }

  private async queue(manager: FeedContext['manager'], accountId: string, ended: readonly string[]): Promise<void> {
    await this.jobs.add(
      manager,
      ended.map((id) => ({ kind: 'chain-end', id, accountId })),
    );
  }
}
