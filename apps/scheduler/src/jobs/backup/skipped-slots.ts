/** Finds the slots that were skipped because a backup had not ended. Their reason names that backup. */
import type { Runs, Views } from '@strongroom/read-model';
import type { Logger } from '@strongroom/runtime';

export class SkippedSlots {
  constructor(
    private readonly views: Pick<Views, 'catchUpEach'>,
    private readonly runs: Pick<Runs, 'skippedFor'>,
    private readonly log: Logger,
  ) {}

  /** The nominal time of the newest such slot; undefined when there is none. */
  async newestFor(
    accountId: string,
    { instanceId, backupId }: { instanceId: string; backupId: string },
  ): Promise<Date | undefined> {
    await this.views.catchUpEach([accountId], this.log);
    return this.runs.skippedFor(accountId, instanceId, backupId);
  }
}
