/**
 * Why a backup is as it is, for its own resource and for that of its run: why it is full, was late, was tried again, or is not
 * deleted.
 */
import type { BackupResource } from '@strongroom/contracts';
import type { BackupRow } from '@strongroom/read-model';
import { utc } from '../edge/times.js';

export function faultResource(fault: BackupRow['fault']): BackupResource['fault'] {
  return fault && { code: fault.code, message: fault.reason };
}

export function madeFullResource(madeFull: BackupRow['madeFull']): BackupResource['made_full'] {
  return madeFull && { planned_parent_id: madeFull.plannedParentId, ground: madeFull.ground, reason: madeFull.reason };
}

export function failedAttempts({
  failedAttempts,
}: Pick<BackupRow, 'failedAttempts'>): BackupResource['failed_attempts'] {
  return failedAttempts.map(({ attempt, at, code, reason, retryAt }) => ({
    attempt,
    failed: at,
    code,
    message: reason,
    retry_at: retryAt,
  }));
}

export function delays({ delays }: Pick<BackupRow, 'delays'>): BackupResource['delays'] {
  return delays.map(({ at, delayMs, ground, reason }) => ({
    told: at,
    seconds: Math.round(delayMs / 1_000),
    ground,
    reason,
  }));
}

/**
 * Why the backup is there though retention or a client wants it gone. The fault of a deletion that failed says so as well.
 * @param aside why the deletion is set aside; undefined when it is not
 */
export function notDeletedBecause(
  { status, fault, putOff, updatedAt }: Pick<BackupRow, 'status' | 'fault' | 'putOff' | 'updatedAt'>,
  aside: string | undefined,
): BackupResource['not_deleted_because'] {
  if (status === 'DELETE_FAILED' && fault) {
    const why = { ground: fault.code, reason: fault.reason, waits_for: putOff?.waitsFor ?? [], since: utc(updatedAt) };
    if (aside === undefined) return why;
    const reason = `${fault.reason} It is set aside at the moment: ${aside}. An operator has to look at it.`;
    return { ...why, ground: 'set-aside', reason };
  }
  return putOff && { ground: putOff.ground, reason: putOff.reason, waits_for: putOff.waitsFor, since: putOff.at };
}

/** `full_because` of a full backup that was planned as one, by what has triggered it. */
export const planned = {
  slot: { ground: 'planned', reason: 'The schedule plans a full backup for the day of this slot.' },
  'run-now': { ground: 'run-now', reason: 'A run that is asked for by run_now is full.' },
  request: { ground: 'asked-for', reason: 'A full backup was asked for.' },
  catalogued: {
    ground: 'catalogued',
    reason: 'It was found in a vault as a full backup. What asked for it is not known.',
  },
} as const;

export function fullBecause({
  type,
  trigger,
  madeFull,
}: Pick<BackupRow, 'trigger' | 'madeFull'> & { type: BackupRow['type'] | null }): BackupResource['full_because'] {
  if (type !== 'full') return null;
  return madeFull ? { ground: madeFull.ground, reason: madeFull.reason } : planned[trigger];
}
