/** Why a slot has no backup of its own, as its event says it; and which of these reasons an event has. */
const bytesOfGib = 1_073_741_824;

export const whyPaused = 'The schedule was paused.';
export const whyTaken = 'Another backup of the instance was asked for at the same time.';

/** @param bytes what the account stores */
export function whyOverQuota({ bytes, mostGib }: { bytes: number; mostGib: number }): string {
  const gib = (bytes / bytesOfGib).toFixed(1);
  return `${overQuota} ${gib} GiB, and may take ${mostGib}. Delete some that are not needed, or ask the operator for more.`;
}

export function isWhyOverQuota(reason: string): boolean {
  return reason.startsWith(overQuota);
}

/** Whether it is what `whySkipped` says: another backup of the instance had not ended. */
export function isWhyBusy(reason: string): boolean {
  return /^Backup [0-9a-f-]{36} of the instance (had|was) /.test(reason);
}

const overQuota = "The account's backups and copies take";
