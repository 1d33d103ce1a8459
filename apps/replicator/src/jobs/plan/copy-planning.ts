/**
 * Asks for the copies that a completed backup is owed, one for each region. A copy's identity follows from its backup and
 * region, so planning twice plans once.
 */
import type { RecordedEvent } from '@strongroom/contracts';
import { copyDecider, copyRequest } from '@strongroom/domain';
import { type ExecuteParts, execute } from '@strongroom/ledger';

const actor = 'strongroom-replicator';

/** The backup is already where it was made: a schedule may name that region since before it was the home region. */
export function owedRegions({ copyTo, region: madeIn }: RecordedEvent<'BackupCompleted'>['data']): string[] {
  return copyTo.filter((region) => region !== madeIn);
}

export async function planCopies(parts: ExecuteParts, completed: RecordedEvent<'BackupCompleted'>): Promise<void> {
  const { accountId, instanceId, data } = completed;
  const context = { ...completed.context, causationId: completed.id, actor };
  await Promise.all(
    owedRegions(data).map((region) => {
      const request = copyRequest(data, region);
      const target = { id: request.copyId, accountId, instanceId, context };
      return execute(parts, copyDecider, target, { type: 'RequestCopy', request });
    }),
  );
}
