/**
 * Asks for the copies that a completed backup is owed, one for each region. A copy's identity follows from its backup and
 * region, so planning twice plans once.
 */
import { isDeepStrictEqual } from 'node:util';
import { causedBy, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { ApartFault, backupDecider, copyDecider, copyRequest, fold, mustBelong } from '@strongroom/domain';
import { type ExecuteParts, execute } from '@strongroom/ledger';
import { inSpan, tracedContext } from '@strongroom/runtime';

const actor = 'strongroom-replicator';

/** The backup is already where it was made: a schedule may name that region since before it was the home region. */
export function owedRegions({ copyTo, region: madeIn }: RecordedEvent<'BackupCompleted'>['data']): string[] {
  return copyTo.filter((region) => region !== madeIn);
}

/**
 * Plans the copies of a backup, if it has completed and is not being deleted.
 * @throws {ApartFault} when its completion tells another backup, owner or regions than its request
 */
export async function planBackup(parts: ExecuteParts, backupId: string): Promise<void> {
  const history = await parts.ledger.readStream(streamOf('backup', backupId));
  const completed = history.findLast(isCompletion);
  const backup = fold(backupDecider, history);
  // What is being deleted is owed to no region any more.
  if (!completed || backup.is !== 'completed') return;
  const { accountId, request } = backup;
  const { instanceId, copyTo } = request;
  const what = `The completion of backup ${backupId} does not belong to its request.`;
  mustBelong(what, completed, { accountId, instanceId });
  const { data } = completed;
  if (data.backupId !== backupId || !isDeepStrictEqual(data.copyTo, copyTo)) throw new ApartFault(what);
  await planCopies(parts, completed);
}

export async function planCopies(parts: ExecuteParts, completed: RecordedEvent<'BackupCompleted'>): Promise<void> {
  const { accountId, instanceId, data } = completed;
  await inSpan([completed.context.traceparent], { name: 'plan copies' }, () => {
    const context = tracedContext(causedBy(completed, actor));
    return Promise.all(
      owedRegions(data).map((region) => {
        const request = copyRequest(data, region);
        const target = { id: request.copyId, accountId, instanceId, context };
        return execute(parts, copyDecider, target, { type: 'RequestCopy', request });
      }),
    );
  });
}

function isCompletion(event: RecordedEvent): event is RecordedEvent<'BackupCompleted'> {
  return event.type === 'BackupCompleted';
}
