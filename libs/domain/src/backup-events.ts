/** The events that a backup's decider adds to what was decided: each tells one thing of the backup, and has its whole fact. */
import { type Datastore, type EventData, type NewEvent, versionInFacts } from '@strongroom/contracts';
import type { BackupIdentity, Delay, MadeFull, PutOff, Requested } from './backup-state.js';
import { shortVersion, storable } from './reason.js';

/** For an attempt of an older version, which was lost between its seal and its event. */
export const lostReason: MadeFull = {
  ground: 'not-told',
  reason: 'An earlier attempt could not build on the parent, and died before it said why.',
};

export function toldAsFull(
  { backupId, instanceId, scheduleId, parentId }: EventData<'BackupRequested'>,
  madeFull: MadeFull | undefined,
): NewEvent[] {
  if (!madeFull) return [];
  const { ground, reason } = madeFull;
  const data = { backupId, instanceId, scheduleId, plannedParentId: parentId, ground, reason: storable(reason) };
  return [{ type: 'BackupMadeFull', data }];
}

export function toldAsLate(
  { backupId, instanceId, scheduleId }: EventData<'BackupRequested'>,
  delay: Delay | undefined,
): NewEvent[] {
  if (!delay) return [];
  const { ground, reason, delayMs } = delay;
  return [
    { type: 'BackupDelayed', data: { backupId, instanceId, scheduleId, ground, reason: storable(reason), delayMs } },
  ];
}

export function withStorable<Told extends { reason: string }>(told: Told): Told {
  return { ...told, reason: storable(told.reason) };
}

export function toldAs(
  { backupId, instanceId, scheduleId }: EventData<'BackupRequested'>,
  { lineage, facts, another }: BackupIdentity,
): NewEvent[] {
  const subject = { backupId, instanceId, scheduleId, lineage };
  const identified: NewEvent = { type: 'BackupIdentified', data: { ...subject, facts } };
  if (!another) return [identified];
  return [
    identified,
    { type: 'AnotherServerFound', data: { ...subject, ...another, reason: storable(another.reason) } },
  ];
}

export function toldAsPutOff(state: Requested, putOff: PutOff): NewEvent[] {
  return putOff.waitsFor.length > 0 ? [putOffEvent(state, putOff)] : [];
}

export function putOffEvent({ request }: Requested, { ground, reason, waitsFor }: PutOff): NewEvent {
  const { backupId, instanceId, scheduleId } = request;
  return {
    type: 'BackupDeletionPutOff',
    data: { backupId, instanceId, scheduleId, ground, reason: storable(reason), waitsFor },
  };
}

export function toldAsEncrypted(
  { backupId, instanceId, scheduleId }: EventData<'BackupRequested'>,
  encryptedFor: readonly string[],
): NewEvent[] {
  if (encryptedFor.length === 0) return [];
  const names = encryptedFor.map(storable);
  return [{ type: 'BackupEncrypted', data: { backupId, instanceId, scheduleId, encryptedFor: names } }];
}

/** The server's version, where it is another one than was known, and nothing else tells it. */
export function toldOfServer(
  { backupId, instanceId, scheduleId, datastore: known }: EventData<'BackupRequested'>,
  { type, version: told }: Datastore,
  identity: BackupIdentity | undefined,
): NewEvent[] {
  const version = shortVersion(told);
  if (versionInFacts(identity?.facts) === version) return [];
  if (version === '' || (type === known.type && version === known.version)) return [];
  return [{ type: 'BackupVersionFound', data: { backupId, instanceId, scheduleId, datastore: { type, version } } }];
}
