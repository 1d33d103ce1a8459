/** What the replicator makes of the events that the feed brings: a copy owed for each region, and jobs to make them. */
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { RecordedEvent } from '@strongroom/contracts';
import { copyDecider, copyId, copyRequest } from '@strongroom/domain';
import { FeedContext } from '@strongroom/feed';
import { execute, Ledger } from '@strongroom/ledger';
import { Backups, Views } from '@strongroom/read-model';
import { Ids, Jobs } from '@strongroom/runtime';

const actor = 'strongroom-replicator';

@Controller()
export class CopyPlanning {
  constructor(
    private readonly ledger: Ledger,
    private readonly ids: Ids,
    private readonly jobs: Jobs,
    private readonly views: Views,
    private readonly backups: Backups,
  ) {}

  /**
   * A copy's identity follows from its backup and region, so planning twice plans once. Where the backup was made it is
   * already: a schedule may name that region since before it was the home region.
   */
  @EventPattern<string>('BackupCompleted')
  async planCopies(@Payload() event: RecordedEvent<'BackupCompleted'>): Promise<void> {
    const { ledger, ids } = this;
    const { accountId, instanceId, data } = event;
    const context = { ...event.context, causationId: event.id, actor };
    await Promise.all(
      data.copyTo
        .filter((region) => region !== data.region)
        .map((region) => {
          const request = copyRequest(data, region);
          return execute(
            { ledger, ids },
            copyDecider,
            { id: request.copyId, accountId, instanceId, context },
            { type: 'RequestCopy', request },
          );
        }),
    );
  }

  @EventPattern<string[]>(['CopyRequested', 'CopyLost'])
  async queueCopy(
    @Payload() { accountId, data }: RecordedEvent<'CopyRequested' | 'CopyLost'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    const { copyId: id, region: lane, sizeBytes: totalBytes } = data;
    await this.jobs.add(manager, [{ kind: 'copy', id, lane, accountId, totalBytes }]);
  }

  @EventPattern<string>('CopyCheckRequested')
  async queueCheck(
    @Payload() { accountId, data }: RecordedEvent<'CopyCheckRequested'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await this.jobs.add(manager, [{ kind: 'copy', id: data.copyId, lane: data.region, accountId }]);
  }

  /** What is built on it has waited for it there. */
  @EventPattern<string>('CopyCompleted')
  async wakeChildren(
    @Payload() { accountId, data: { instanceId, backupId, region } }: RecordedEvent<'CopyCompleted'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await this.views.catchUp(accountId);
    const children = await this.backups.childrenOf(instanceId, backupId);
    const ids = children.map((child) => copyId(child, region));
    await this.jobs.wake(manager, 'copy', ids);
  }
}
