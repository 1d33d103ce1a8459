/** What is decided about one slot: the command that records its outcome, under the identity of the slot. */
import type { EventData } from '@strongroom/contracts';
import {
  type BackupCommand,
  backupName,
  type Delay,
  plannedType,
  type RegisteredInstance,
  type Slot,
  scheduledBackupId,
} from '@strongroom/domain';
import { timesAhead } from './late-timers.js';
import type { SlotTimer } from './slot-timers.js';

export interface SlotDecision {
  timer: SlotTimer;
  slotAt: Date;
  command: BackupCommand;
}

/** An outcome that the slot was given before its time is not its own, so the slot has another identity then. */
export function idOfSlot({ scheduleId, ahead }: SlotTimer, slotAt: Date): string {
  return scheduledBackupId(scheduleId, slotAt, timesAhead(ahead, slotAt));
}

/**
 * Asks for the backup that is planned. Whether its server can give an incremental is found out when the backup is taken.
 * @param options.delay why it is asked for late; undefined when it is in time
 */
export function begin(
  timer: SlotTimer,
  { slotAt, definition }: Slot,
  { instance, delay }: { instance: RegisteredInstance; delay: Delay | undefined },
): SlotDecision {
  const request: EventData<'BackupRequested'> = {
    backupId: idOfSlot(timer, slotAt),
    instanceId: timer.instanceId,
    scheduleId: timer.scheduleId,
    slotAt: slotAt.toISOString(),
    trigger: 'slot',
    type: plannedType(definition.dayOfWeek, slotAt),
    parentId: null,
    name: scheduledBackupName(instance.name, slotAt),
    description: null,
    datastore: instance.datastore,
    copyTo: definition.copyTo,
  };
  return { timer, slotAt, command: { type: 'RequestBackup', request, delay } };
}

export function skipPaused(timer: SlotTimer, slotAt: Date): SlotDecision {
  return skip(timer, slotAt, 'The schedule was paused.');
}

/** @param reason what the backup of the instance does that has not ended */
export function skipBusy({ timer, slotAt }: SlotDecision, reason: string): SlotDecision {
  return skip(timer, slotAt, reason);
}

export function skipOverQuota(
  { timer, slotAt }: SlotDecision,
  stored: { bytes: number; mostGib: number },
): SlotDecision {
  const gib = (stored.bytes / 1_073_741_824).toFixed(1);
  const reason = `The account's backups and copies take ${gib} GiB, and may take ${stored.mostGib}. Delete some that are not needed, or ask the operator for more.`;
  return skip(timer, slotAt, reason);
}

export function skipTaken({ timer, slotAt }: SlotDecision): SlotDecision {
  return skip(timer, slotAt, 'Another backup of the instance was asked for at the same time.');
}

export function miss(timer: SlotTimer, slotAt: Date, reason: string): SlotDecision {
  const { scheduleId, instanceId } = timer;
  const slot = { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason };
  return { timer, slotAt, command: { type: 'MissSlot', slot } };
}

function skip(timer: SlotTimer, slotAt: Date, reason: string): SlotDecision {
  const { scheduleId, instanceId } = timer;
  const slot = { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason };
  return { timer, slotAt, command: { type: 'SkipSlot', slot } };
}

/** `orders-20261123T1430Z`, cut to the 64 characters that a backup's name may have. */
function scheduledBackupName(instanceName: string, slotAt: Date): string {
  const stamp = `${slotAt.toISOString().replaceAll(/[-:]/g, '').slice(0, 13)}Z`;
  return backupName(instanceName, stamp);
}
