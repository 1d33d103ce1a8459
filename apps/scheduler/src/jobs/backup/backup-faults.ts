/** What ends an attempt at a backup, and whether another attempt can help. */
import { Fault, faultOf, type RecordedEvent } from '@strongroom/contracts';
import { IncrementalNotPossible } from '@strongroom/engines';
import { isOutageOfVault, isSpoilt, VaultFault } from '@strongroom/vault';

/** The instance was forgotten while its backup was to be taken. */
export class InstanceForgotten extends Fault<'instance-forgotten'> {
  override readonly name = 'InstanceForgotten';

  constructor(instanceId: string) {
    super('instance-forgotten', false, `Instance ${instanceId} is not registered any more.`);
  }
}

/**
 * Whether another attempt can help. What was read back damaged was written by this attempt, and the next one writes it anew;
 * a parent that is damaged is no such fault, because nothing can be built on it. Where the vault knows a later attempt, a
 * ledger that was put back to an earlier time may not: its attempts go on until their number is the highest.
 */
export function canPass(error: unknown): boolean {
  const isLate = error instanceof VaultFault && error.code === 'upload-superseded';
  return faultOf(error).retryable || isSpoilt(error) || isLate;
}

/** The parent could not be read because its vault was away for a moment: nothing is wrong with it. */
export function isOutageOfParent(error: unknown): error is IncrementalNotPossible {
  if (!(error instanceof IncrementalNotPossible)) return false;
  const { cause } = error;
  return cause instanceof VaultFault && isOutageOfVault(cause.code);
}

/** After this many lost runners the backup is failed and not tried again, because it may be what ends them. */
export const mostLost = 5;
export const runnersLost = {
  code: 'runner-lost',
  reason: `The backup lost its runner ${mostLost} times, and may be what ended them. Look into the scheduler's log.`,
};

/**
 * How many attempts began and told no end. An older version that can't read the stream loses the job without having begun an
 * attempt, and such a loss says nothing about the backup.
 */
export function unended(history: readonly RecordedEvent[]): number {
  const count = (type: RecordedEvent['type']) => history.filter((event) => event.type === type).length;
  return count('BackupStarted') - count('BackupAttemptFailed');
}
