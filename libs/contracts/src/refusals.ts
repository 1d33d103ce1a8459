/**
 * How the domain says no: a refusal is a value with a code from this closed list. The gateway maps each code to an answer, which names
 * it: programs of clients compare it, so one may be added, and none ever means something else.
 */
export const refusalCodes = [
  'instance-unknown',
  'instance-exists',
  'instance-being-built',
  'instance-build-failed',
  'instance-unchanged',
  'instance-built-here',
  'lineage-unknown',
  'schedule-unknown',
  'schedule-exists-for-instance',
  'schedule-unchanged',
  'schedule-quota-reached',
  'instance-quota-reached',
  'built-server-quota-reached',
  'backup-unknown',
  'backup-exists',
  'backup-running-for-instance',
  'backup-already-ended',
  'backup-still-running',
  'backup-not-yet-completed',
  'backup-not-completed',
  'backup-on-hold',
  'deletion-not-due',
  'second-person-needed',
  'attempt-superseded',
  'slot-already-decided',
  'copy-exists',
  'copy-unknown',
  'copy-already-ended',
  'copy-deleted',
  'copy-not-there',
  'webhook-unknown',
  'webhook-unchanged',
  'webhook-quota-reached',
  'changed-meanwhile',
  'key-in-use',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export interface Refusal {
  refused: RefusalCode;
  /** One sentence that tells what is refused, for which id, and what to do. The client sees it as it is. */
  message: string;
}

export function refuse(refused: RefusalCode, message: string): Refusal {
  return { refused, message };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}
