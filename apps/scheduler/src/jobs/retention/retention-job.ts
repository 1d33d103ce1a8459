/** The job of applying retention, when a backup or one of its copies has completed. */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { askedWork, backupDecider, copyId, fold, mustBelong } from '@strongroom/domain';
import { inJobSpan, type JobKind } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { Retention } from './retention.js';

type Completion = RecordedEvent<'BackupCompleted' | 'CopyCompleted'>;

export const retentionJob: JobKind<SchedulerParts> = {
  kind: 'retention',
  queuedBy: askedWork.retention,
  concurrency: () => 2,
  async perform(parts, job) {
    const { id: backupId } = job;
    const backup = fold(backupDecider, await parts.ledger.readStream(streamOf('backup', backupId)));
    if (!('request' in backup)) return 'finished';
    const { accountId } = backup;
    await parts.views.catchUp(accountId);
    const cause = await newestCompletion(parts, backupId);
    if (!cause) return 'finished';
    mustBelong(`A copy does not belong to the account of backup ${backupId}.`, cause, { accountId });
    await inJobSpan(cause, job, () => new Retention(parts).apply(accountId, backupId, cause));
    return 'finished';
  },
};

/** The newest completion of the backup or of one of its copies: the deletions follow from it. */
async function newestCompletion(
  { dataSource, ledger, copies }: SchedulerParts,
  backupId: string,
): Promise<Completion | undefined> {
  const regions = await copies.regionsOf(backupId);
  const streams = [
    streamOf('backup', backupId),
    ...regions.map((region) => streamOf('copy', copyId(backupId, region))),
  ];
  const { told, unreadable } = await ledger.readEach(dataSource.manager, streams);
  const events = [...told.values()].flat();
  // A copy whose history can't be read holds nothing up, as long as another tells of a completion.
  const [fault] = unreadable.values();
  if (fault && !events.some(isCompletion)) throw fault;
  return events.filter(isCompletion).sort((one, other) => other.position - one.position)[0];
}

function isCompletion(event: RecordedEvent): event is Completion {
  return event.type === 'BackupCompleted' || event.type === 'CopyCompleted';
}
