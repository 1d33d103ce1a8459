/** Finds the slots that were skipped because a backup had not ended. Their reason names that backup. */
import type { Runs, Views } from '@strongroom/read-model';

export class SkippedSlots {
  constructor(
    private readonly views: Pick<Views, 'catchUp'>,
    private readonly runs: Pick<Runs, 'skippedFor'>,
  ) {}

  /** The nominal time of the newest such slot; undefined when there is none. */
  async newestFor(
    accountId: string,
    { instanceId, backupId }: { instanceId: string; backupId: string },
  ): Promise<Date | undefined> {
    await this.views.catchUp(accountId);
    return this.runs.skippedFor(accountId, instanceId, backupId);
  }
}
