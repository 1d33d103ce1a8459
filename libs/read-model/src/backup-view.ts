/** The view of an account's backups, from request to end: its fold. Its table is in `backup-row.ts`, and its queries are in `backups.ts`. */
import { type RecordedEvent, unknownVersion, versionInFacts } from '@strongroom/contracts';
import { type BackupRow, backupTable, type DelayOfRow, type FailedAttemptOfRow, isShownStatus } from './backup-row.js';
import { changing, unchanged, type View } from './view.js';

const change = changing<BackupRow>();

/** A row keeps so many failed attempts and delays; the events have them all. */
const mostKept = 20;

/** The list with one more failed attempt. */
export function withFailure(
  before: readonly FailedAttemptOfRow[],
  { at, data: { attempt, code, reason, retryAt } }: RecordedEvent<'BackupAttemptFailed'>,
): FailedAttemptOfRow[] {
  return [...before, { attempt, code, reason, at, retryAt }].slice(-mostKept);
}

/** The list with one more delay. */
export function withDelay(
  before: readonly DelayOfRow[],
  { at, data: { delayMs, ground, reason } }: RecordedEvent<'BackupDelayed'>,
): DelayOfRow[] {
  return [...before, { at, delayMs, ground, reason }].slice(-mostKept);
}

/** What there is to say of a backup on whose way nothing has failed, and that nobody wants gone or kept. */
const untroubled = {
  failedAttempts: [],
  retryAt: null,
  retryUntil: null,
  delays: [],
  putOff: null,
  mark: null,
  hold: null,
  isKeptByHand: false,
  fault: null,
  madeFull: null,
  anotherServer: null,
} satisfies Partial<BackupRow>;

export const backupView: View<'backup', BackupRow> = {
  aggregate: 'backup',
  table: backupTable,
  fold: {
    SlotSkipped: unchanged,
    SlotMissed: unchanged,
    // Each field by its name: an object of so many that is spread out of another one costs many times as much.
    BackupRequested: (_, { accountId, at, version, position, data }) => ({
      id: data.backupId,
      accountId,
      instanceId: data.instanceId,
      scheduleId: data.scheduleId,
      slotAt: data.slotAt === null ? null : new Date(data.slotAt),
      trigger: data.trigger,
      type: data.type,
      parentId: data.parentId,
      name: data.name,
      description: data.description,
      datastoreType: data.datastore.type,
      datastoreVersion: data.datastore.version,
      copyTo: data.copyTo,
      status: 'NEW',
      attempt: 0,
      failedAttempts: [],
      retryAt: null,
      retryUntil: null,
      delays: [],
      putOff: null,
      mark: null,
      hold: null,
      isKeptByHand: false,
      region: null,
      location: null,
      sizeBytes: null,
      rawBytes: null,
      sha256: null,
      fault: null,
      madeFull: null,
      lineage: null,
      facts: null,
      anotherServer: null,
      encryptedFor: null,
      createdAt: new Date(at),
      startedAt: null,
      endedAt: null,
      updatedAt: new Date(at),
      version,
      position,
    }),
    BackupStarted: change<'BackupStarted'>(({ at, data: { attempt, region } }) => ({
      status: 'BUILDING',
      attempt,
      retryAt: null,
      region,
      startedAt: new Date(at),
    })),
    BackupAttemptFailed: (row, event) =>
      row && {
        ...row,
        fault: { code: event.data.code, reason: event.data.reason },
        failedAttempts: withFailure(row.failedAttempts, event),
        retryAt: new Date(event.data.retryAt),
        retryUntil: new Date(event.data.retryUntil),
        updatedAt: new Date(event.at),
        version: event.version,
      },
    BackupDelayed: (row, event) =>
      row && {
        ...row,
        delays: withDelay(row.delays, event),
        updatedAt: new Date(event.at),
        version: event.version,
      },
    // The parent stays in the row until the backup has ended: an earlier attempt may have built on it.
    BackupMadeFull: change<'BackupMadeFull'>(({ data: { plannedParentId, ground, reason } }) => ({
      type: 'full',
      madeFull: { plannedParentId, ground, reason },
    })),
    BackupIdentified: change<'BackupIdentified'>(({ data: { lineage, facts } }) => {
      const version = versionInFacts(facts);
      return { lineage, facts, ...(version !== undefined && { datastoreVersion: version }) };
    }),
    BackupVersionFound: change<'BackupVersionFound'>(({ data: { datastore } }) => ({
      datastoreType: datastore.type,
      datastoreVersion: datastore.version,
    })),
    BackupEncrypted: change<'BackupEncrypted'>(({ data: { encryptedFor } }) => ({ encryptedFor })),
    AnotherServerFound: change<'AnotherServerFound'>(({ data: { formerLineage, formerBackupId, reason } }) => ({
      anotherServer: { formerLineage, formerBackupId, reason },
    })),
    BackupCompleted: change<'BackupCompleted'>(
      ({ at, data: { type, parentId, attempt, region, location, sizeBytes, rawBytes, sha256 } }) => ({
        status: 'COMPLETED',
        // A run that could not build on its parent is full. When the bytes were there already, their type counts.
        type,
        parentId,
        ...(type === 'incremental' && { madeFull: null }),
        attempt,
        retryAt: null,
        retryUntil: null,
        region,
        location,
        sizeBytes,
        rawBytes,
        sha256,
        // What failed on the way is told by the failed attempts.
        fault: null,
        endedAt: new Date(at),
      }),
    ),
    BackupFailed: change<'BackupFailed'>(({ at, data: { attempt, code, reason } }) => ({
      status: 'FAILED',
      attempt,
      retryAt: null,
      retryUntil: null,
      fault: { code, reason },
      endedAt: new Date(at),
    })),
    BackupCatalogued: (_, { accountId, at, version, position, data }) => ({
      id: data.backupId,
      accountId,
      instanceId: data.instanceId,
      scheduleId: data.scheduleId,
      slotAt: null,
      trigger: 'catalogued',
      type: data.type,
      parentId: data.parentId,
      name: data.name,
      description: null,
      datastoreType: data.datastore.type,
      datastoreVersion: data.datastore.version ?? unknownVersion,
      copyTo: [],
      status: 'COMPLETED',
      attempt: data.attempt,
      ...untroubled,
      region: data.region,
      location: data.location,
      sizeBytes: data.sizeBytes,
      rawBytes: data.rawBytes,
      sha256: data.sha256,
      lineage: null,
      facts: data.facts,
      encryptedFor: data.encryptedFor,
      // It is as old as its bytes, however late it was found.
      createdAt: new Date(data.startedAt),
      startedAt: new Date(data.startedAt),
      endedAt: new Date(data.completedAt),
      updatedAt: new Date(at),
      version,
      position,
    }),
    RestoreTested: change<'RestoreTested'>(() => ({})),
    RestoreTestFailed: change<'RestoreTestFailed'>(() => ({})),
    BackupDeletionPutOff: change<'BackupDeletionPutOff'>(({ at, data: { ground, reason, waitsFor } }) => ({
      putOff: { at, ground, reason, waitsFor },
    })),
    BackupDeletionCalledOff: change<'BackupDeletionCalledOff'>(() => ({ putOff: null })),
    BackupDeletionMarked: (row, { at, version, context: { actor }, data: { trigger, rootId, purgeAt } }) =>
      row && isShownStatus(row.status)
        ? {
            ...row,
            status: 'MARKED',
            putOff: null,
            mark: { at, by: actor, trigger, rootId, purgeAt, approvedBy: null, before: row.status },
            updatedAt: new Date(at),
            version,
          }
        : row,
    BackupDeletionReverted: (row, { at, version }) =>
      row?.mark
        ? {
            ...row,
            status: row.mark.before,
            isKeptByHand: row.isKeptByHand || row.mark.trigger === 'retention',
            mark: null,
            updatedAt: new Date(at),
            version,
          }
        : row,
    BackupDeletionApproved: (row, { at, version, context: { actor } }) =>
      row?.mark ? { ...row, mark: { ...row.mark, approvedBy: actor }, updatedAt: new Date(at), version } : row,
    BackupHeld: change<'BackupHeld'>(({ at, context: { actor }, data: { reason } }) => ({
      hold: { at, by: actor, reason },
    })),
    BackupHoldLifted: change<'BackupHoldLifted'>(() => ({ hold: null })),
    BackupDeletionRequested: change<'BackupDeletionRequested'>(() => ({
      status: 'DELETING',
      putOff: null,
      mark: null,
    })),
    BackupDeletionFailed: change<'BackupDeletionFailed'>(({ data: { code, reason } }) => ({
      status: 'DELETE_FAILED',
      fault: { code, reason },
    })),
    BackupDeleted: () => undefined,
  },
};
