/** What is decided about one slot: the command that records its outcome, under the identity of the slot. */
import type { EventData } from '@strongroom/contracts';
import {
  type BackupCommand,
  backupName,
  type Delay,
  madeUpBackupId,
  plannedType,
  type Slot,
  scheduledBackupId,
  whyOverQuota,
  whyPaused,
  whyTaken,
} from '@strongroom/domain';
import { isAhead } from './late-timers.js';
import type { SlotBasis } from './slot-basis.js';
import type { SlotTimer } from './slot-timers.js';

export interface SlotDecision {
  /** Of the slot's outcome: a backup, or what became of the slot instead. */
  id: string;
  /** Whether the slot has an outcome already, which is that it has no backup. Nothing but a backup is recorded then. */
  makesUp: boolean;
  timer: SlotTimer;
  slotAt: Date;
  command: BackupCommand;
  /** It counts as long as these streams are at these versions. */
  reliesOn: SlotBasis['reliesOn'];
}

/** A timer, and what the decisions about its slots rest on. */
export interface Judged {
  timer: SlotTimer;
  basis: SlotBasis;
}

/** A slot that was called missed or skipped before its time has another identity when its time has come. */
function identityOf({ scheduleId, ahead }: SlotTimer, slotAt: Date): Pick<SlotDecision, 'id' | 'makesUp'> {
  const makesUp = isAhead(ahead, slotAt);
  return { id: (makesUp ? madeUpBackupId : scheduledBackupId)(scheduleId, slotAt), makesUp };
}

/**
 * Asks for the backup that is planned. Whether its server can give an incremental is found out when the backup is taken.
 * @param options.delay why it is asked for late; undefined when it is in time
 */
export function begin(
  { timer, basis: { instance, reliesOn } }: Judged,
  { slotAt, definition }: Slot,
  delay: Delay | undefined,
): SlotDecision {
  const { id, makesUp } = identityOf(timer, slotAt);
  const request: EventData<'BackupRequested'> = {
    backupId: id,
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
  return { id, makesUp, timer, slotAt, command: { type: 'RequestBackup', request, delay }, reliesOn };
}

export function skipPaused({ timer, basis: { reliesOn } }: Judged, slotAt: Date): SlotDecision {
  return skip({ ...identityOf(timer, slotAt), timer, slotAt, reliesOn }, whyPaused);
}

/** @param reason what the backup of the instance does that has not ended */
export function skipBusy(decision: SlotDecision, reason: string): SlotDecision {
  return skip(decision, reason);
}

export function skipOverQuota(decision: SlotDecision, stored: { bytes: number; mostGib: number }): SlotDecision {
  return skip(decision, whyOverQuota(stored));
}

export function skipTaken(decision: SlotDecision): SlotDecision {
  return skip(decision, whyTaken);
}

export function miss({ timer, basis: { reliesOn } }: Judged, slotAt: Date, reason: string): SlotDecision {
  const { scheduleId, instanceId } = timer;
  const slot = { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason };
  return { ...identityOf(timer, slotAt), timer, slotAt, command: { type: 'MissSlot', slot }, reliesOn };
}

function skip(decision: Omit<SlotDecision, 'command'>, reason: string): SlotDecision {
  const { scheduleId, instanceId } = decision.timer;
  const slot = { scheduleId, instanceId, slotAt: decision.slotAt.toISOString(), reason };
  return { ...decision, command: { type: 'SkipSlot', slot } };
}

/** `orders-20261123T1430Z`, cut to the 64 characters that a backup's name may have. */
function scheduledBackupName(instanceName: string, slotAt: Date): string {
  const stamp = `${slotAt.toISOString().replaceAll(/[-:]/g, '').slice(0, 13)}Z`;
  return backupName(instanceName, stamp);
}
