/** Judges the faults of a build: whether it is tried again, and whether another region may give the backup. */
import { EngineFault } from '@strongroom/engines';
import { VaultFault } from '@strongroom/vault';

/** Whether the vault may give the backup later, or the restore was ended by what may not come again. */
export function canPass(error: unknown): boolean {
  if (error instanceof EngineFault) return error.code === 'engine-process-ended';
  return error instanceof VaultFault && error.retryable;
}

/** Whether the fault is the vault's: another region may hold what this one has lost. */
export function isOfVault(error: unknown): error is VaultFault | EngineFault {
  return error instanceof VaultFault || (error instanceof EngineFault && error.code === 'backup-content-invalid');
}
