/** The schemas and the operations of backups and their copies. */
import { z } from 'zod';
import { regionName } from '../primitives.js';
import type { Right } from '../rights.js';
import { addedLater, fault, idInBody, links, optional, regions, text, utcTime } from './fields.js';
import { accountPath, exampleId, type Operation } from './operation.js';
import { restoreTest, restoreTestedRequest } from './restore-tests.js';

const name = text(1, 64).refine((value) => /[\p{L}\p{N}]/u.test(value), {
  error: 'must have at least one letter or digit',
});

export const createBackupRequest = z.strictObject({
  backup: z.strictObject({
    name,
    instance: idInBody,
    description: optional(text(0, 1_000, 'text')),
    parent_id: optional(idInBody),
    incremental: optional(
      z.union([z.literal(0), z.literal(1), z.boolean()], { error: 'must be 0, 1, true or false' }).transform(Boolean),
    ),
    copy_to: optional(regions),
    // Known clients send these fields. They are accepted and have no effect.
    is_automated: z.unknown().optional(),
    backup_type: z.unknown().optional(),
    swift_container: z.unknown().optional(),
    source: z.unknown().optional(),
  }),
});
export type CreateBackupRequest = z.output<typeof createBackupRequest>['backup'];

export const copyBackupRequest = z.strictObject({
  'copy-backup': z.strictObject({
    target_backup_region: z.string({ error: 'must be the name of a region, as a string' }),
    // Known clients send these fields. They have no effect: a copy has the bytes of the backup, with its name and description.
    name: optional(text(1, 64)),
    description: optional(text(0, 1_000, 'text')),
  }),
});

const nothingMore = z.strictObject({}).nullable();
export const restoreDeletedRequest = z.strictObject({ 'restore-deleted': nothingMore });
export const approveDeletionRequest = z.strictObject({ 'approve-deletion': nothingMore });
export const holdRequest = z.strictObject({ hold: z.strictObject({ reason: text(1, 1_000, 'text') }) });
export const liftHoldRequest = z.strictObject({ 'lift-hold': nothingMore });

export const backupActionRequest = z.union([
  copyBackupRequest,
  restoreDeletedRequest,
  approveDeletionRequest,
  holdRequest,
  liftHoldRequest,
  restoreTestedRequest,
]);

/** The right that each action needs. An action is the one field of its body. */
const rightOfAction = {
  'copy-backup': 'backup.copy',
  'restore-deleted': 'backup.restore-deleted',
  'approve-deletion': 'backup.approve-deletion',
  hold: 'backup.hold',
  'lift-hold': 'backup.hold',
  'restore-tested': 'backup.restore-test',
} as const satisfies Record<string, Right>;
export type BackupAction = keyof typeof rightOfAction;

/** The action that a body names first. A body without one is a `copy-backup`, which known clients send. */
export function backupActionIn(body: unknown): BackupAction {
  const named = typeof body === 'object' && body !== null ? Object.keys(body).find(isBackupAction) : undefined;
  return named ?? 'copy-backup';
}

function isBackupAction(name: string): name is BackupAction {
  return Object.hasOwn(rightOfAction, name);
}

/** Why a backup does not continue the history of the one before it: its server is another one, or was set back. */
export const anotherServer = z.object({
  backup_id: z.string(),
  former_lineage: z.string(),
  former_backup_id: z.string(),
  reason: z.string(),
});

/** Why a backup is full though an incremental was planned: `ground` is for programs, `reason` is for people. */
export const madeFull = z.object({ planned_parent_id: z.string().nullable(), ground: z.string(), reason: z.string() });

/** Why a backup is full, whether that was planned or not: `ground` is for programs, `reason` is for people. */
export const fullBecause = z.object({ ground: z.string(), reason: z.string() });

/** Why a backup that should be gone is still there: `ground` is for programs, `reason` is for people. */
export const notDeletedBecause = z.object({
  ground: z.string(),
  reason: z.string(),
  /** The ids of the backups that it waits for. */
  waits_for: z.array(z.string()),
  since: utcTime,
});

/** That a backup is deleted, how, and when its bytes go. */
export const deletedResource = z.object({
  at: utcTime,
  /** The name of the token that deleted it, or of the service whose retention did. */
  by: z.string(),
  trigger: z.enum(['request', 'retention']),
  /** The backup that was deleted. Another one than this, when this one went with it because it is built on it. */
  with: z.string(),
  /** Nothing of it is removed before then, and it can be brought back. */
  bytes_go_at: utcTime,
  /** Whether a second person has to approve it before its bytes go. */
  approval: z.enum(['not-needed', 'needed', 'given']),
  approved_by: z.string().nullable(),
});

/** A backup on hold can be deleted by nobody. */
export const holdResource = z.object({ reason: z.string(), since: utcTime, by: z.string() });

/** An attempt that failed in a way that passes. Another one was due at `retry_at`. */
export const failedAttempt = z.object({
  attempt: z.int(),
  failed: utcTime,
  code: z.string(),
  message: z.string(),
  retry_at: utcTime,
});

/** Why a backup was begun, or begun again, later than it should have been. */
export const delay = z.object({ told: utcTime, seconds: z.int(), ground: z.string(), reason: z.string() });

/** How bytes were proven: read back and hashed, or compared by the store itself. */
export const verifiedBy = z.enum(['read', 'server']);

export const copyResource = z.object({
  id: z.string(),
  region: regionName,
  /** The region that its bytes come from. It can change until the copy is completed. */
  source_region: regionName.nullable(),
  status: z.enum(['PENDING', 'COPYING', 'COMPLETED', 'FAILED']),
  /** In percent. */
  progress: z.int().min(0).max(100),
  attempt: z.int(),
  size_bytes: z.int().nullable(),
  checksum: z.string().nullable(),
  verified: z.boolean(),
  /** When its bytes were last proven to be those of the backup. What the region holds is read again from time to time. */
  verified_at: utcTime.nullable(),
  verified_by: verifiedBy.nullable(),
  /**
   * `OWED`: the region has never had it. `LOST`: the region had it, and it was found altered or missing; it is made again. Null comes from an
   * older service alone.
   */
  state: z.enum(['OWED', 'WHOLE', 'LOST']).nullable(),
  locationRef: z.string().nullable(),
  /** Why the newest attempt has failed, and since when attempts fail for that reason. */
  fault: fault.extend({ since: utcTime.nullable() }).nullable(),
  /** When it is tried again at the latest. A region that was away and is back is tried at once. */
  retry_at: utcTime.nullable(),
  /** The backup that this one is built on, while the region does not have it: it is copied there first. */
  waits_for: z.string().nullable(),
  created: utcTime,
  updated: utcTime,
  started: utcTime.nullable(),
  completed: utcTime.nullable(),
});
export type CopyResource = z.infer<typeof copyResource>;

export const backupResource = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  status: z.enum(['NEW', 'BUILDING', 'COMPLETED', 'FAILED', 'DELETE_FAILED']),
  created: utcTime,
  updated: utcTime,
  instance_id: z.string(),
  source: z.object({ id: z.string(), type: z.literal('instance') }),
  parent_id: z.string().nullable(),
  /** In GB. */
  size: z.number().nullable(),
  size_bytes: z.int().nullable(),
  /** Where it lies. While the region where it was made has lost it, that is in another region. */
  locationRef: z.string().nullable(),
  /** The regions that hold all of its bytes, as far as is known. It can be restored from each that holds its parents as well. */
  whole_in: z.array(regionName),
  /** When the bytes in the region where it was made were last proven; null before it is completed, and while they are lost. */
  verified_at: utcTime.nullable(),
  verified_by: verifiedBy.nullable(),
  /** For each region, the newest restore of this backup that was tested and passed, and the newest that failed; the newest first. */
  restore_tests: z.array(restoreTest),
  datastore: z.object({ type: z.string(), version: z.string(), version_id: z.string() }),
  is_automated: z.union([z.literal(0), z.literal(1)]),
  type: z.enum(['full', 'incremental']),
  schedule_id: z.string().nullable(),
  checksum: z.string().nullable(),
  made_full: madeFull.nullable(),
  /** Null for an incremental. */
  full_because: fullBecause.nullable(),
  /** The history of a server that the backup is a state of: the id of the first backup of it. Null until it is known. */
  lineage: z.string().nullable(),
  another_server: anotherServer.nullable(),
  /** Whose keys opened it when it was made; null when it is not encrypted, and whoever has the vault can read it. */
  encrypted_for: addedLater(z.array(z.string()).nullable(), null),
  /** What the server warned of while it gave the backup, such as a file that it left out. */
  warnings: z.array(z.string()),
  /** In percent. */
  progress: z.int().min(0).max(100),
  /** The number of the newest attempt; 0 before the first. */
  attempt: addedLater(z.int(), 0),
  /** The fault of the newest attempt that failed, until the backup is completed. */
  fault: fault.nullable(),
  /** When a backup that failed in a way that passes is tried again; null unless that is waited for. */
  retry_at: utcTime.nullable(),
  /** Until when it is tried again. */
  retry_until: utcTime.nullable(),
  /** The newest 20, oldest first. */
  failed_attempts: z.array(failedAttempt),
  /** The newest 20, oldest first. */
  delays: z.array(delay),
  /** Null unless retention or a client wants it gone. */
  not_deleted_because: notDeletedBecause.nullable(),
  /** Null unless it is deleted. Then it is listed with `?deleted=true` alone, with the status that it had before. */
  deleted: deletedResource.nullable(),
  /** Null unless it is on hold. */
  hold: holdResource.nullable(),
  /** No call makes its bytes go before then; null when the account has no minimum retention. */
  keep_until: utcTime.nullable(),
  started: utcTime.nullable(),
  completed: utcTime.nullable(),
  copies: z.array(copyResource),
});
export type BackupResource = z.infer<typeof backupResource>;

export const backupResponse = z.object({ backup: backupResource });
export const backupsResponse = z.object({ backups: z.array(backupResource), links });
export const copiesResponse = z.object({ copies: z.array(copyResource), links });

export const postBackups = {
  name: 'postBackups',
  rights: ['backup.create'],
  method: 'POST',
  path: `${accountPath}/backups`,
  summary: 'Take a backup now',
  notes:
    'An incremental is built on the newest completed backup of its instance. A parent_id that names another backup is a 422. A backup whose server or vault is away is tried again for up to 15 minutes, and stays BUILDING with its fault and retry_at meanwhile.',
  status: 202,
  request: createBackupRequest,
  response: backupResponse,
  faults: ['itemNotFound', 'unprocessableEntity'],
  examples: [
    {
      name: 'backup',
      request: {
        backup: {
          name: 'before-migration',
          instance: exampleId,
          description: 'Before the new columns',
          copy_to: ['IAD'],
        },
      },
    },
  ],
} as const satisfies Operation;

export const getBackups = {
  name: 'getBackups',
  rights: ['backup.read'],
  method: 'GET',
  path: `${accountPath}/backups`,
  summary: 'List the backups, newest first',
  notes:
    'deleted=true lists the backups that were deleted and can be brought back, and no others. Their `deleted` says who deleted each, when, and when its bytes go.',
  status: 200,
  response: backupsResponse,
  query: ['limit', 'marker', 'instance_id', 'datastore', 'status', 'deleted'],
  faults: ['itemNotFound'],
} as const satisfies Operation;

export const getBackupsId = {
  name: 'getBackupsId',
  rights: ['backup.read'],
  method: 'GET',
  path: `${accountPath}/backups/{id}`,
  summary: 'Show a backup with its copies',
  notes:
    '`status` says how the backup was made, and stays COMPLETED when a region loses it later. `whole_in` has the regions that hold all of its bytes, as far as is known: a loss is known when the bytes were read, by a copy, by the scrub or because copy-backup asks for it. From then on the copy of that region has the state LOST, until it is WHOLE again. While the region where the backup was made has lost it, that region is among the copies, `locationRef` is in another region, and `verified_at` is null. It can be restored from each region in `whole_in` that has its parents as well.',
  status: 200,
  response: backupResponse,
} as const satisfies Operation;

export const deleteBackupsId = {
  name: 'deleteBackupsId',
  rights: ['backup.delete'],
  method: 'DELETE',
  path: `${accountPath}/backups/{id}`,
  summary: 'Delete a backup, everything made from it, and all their copies',
  notes:
    'It is a 404 at once. Its bytes go after a delay that the operator sets, and not before the minimum retention of the account is over. Until then restore-deleted brings it back. A backup on hold, or one that such a backup is built on, is a 422.',
  status: 202,
  faults: ['unprocessableEntity'],
  changes: true,
} as const satisfies Operation;

export const postBackupsIdAction = {
  name: 'postBackupsIdAction',
  rights: ['backup.copy', 'backup.restore-deleted', 'backup.approve-deletion', 'backup.hold', 'backup.restore-test'],
  rightsFor: (body) => [rightOfAction[backupActionIn(body)]],
  method: 'POST',
  path: `${accountPath}/backups/{id}/action`,
  summary:
    'Copy a backup to a region, bring a deleted one back, put one on hold, approve a deletion, or tell of a tested restore',
  notes:
    'copy-backup also puts a backup back into the region where it was made. restore-deleted brings a deleted backup back, with what it is built on and with what was deleted together with any of these. hold keeps a backup from being deleted until lift-hold. approve-deletion is for a second person, where the operator wants one for the deletion of many backups; it approves everything that was deleted together. restore-tested tells that the backup was restored from a region for a test: with a `proof` when that went well, with a `fault` when it failed. It is a statement of whoever tells it, and a region that does not hold the backup is a 422. Each has a right of its own, and all but copy-backup and restore-tested are for an admin by default.',
  status: 202,
  request: backupActionRequest,
  faults: ['unprocessableEntity'],
  examples: [
    { name: 'copy', request: { 'copy-backup': { target_backup_region: 'IAD' } } },
    { name: 'restore', request: { 'restore-deleted': {} } },
    { name: 'hold', request: { hold: { reason: 'Case 4711' } } },
    { name: 'lift', request: { 'lift-hold': {} } },
    { name: 'approve', request: { 'approve-deletion': {} } },
    { name: 'tested', request: { 'restore-tested': { region: 'DFW', seconds: 240, proof: 'tables-read' } } },
    {
      name: 'test-failed',
      request: {
        'restore-tested': {
          region: 'DFW',
          seconds: 12,
          fault: { code: 'object-altered', message: 'An object is not what was stored.' },
        },
      },
    },
  ],
} as const satisfies Operation;

export const getBackupsIdCopies = {
  name: 'getBackupsIdCopies',
  rights: ['backup.read'],
  method: 'GET',
  path: `${accountPath}/backups/{id}/copies`,
  summary: 'List the copies of a backup, by region',
  status: 200,
  response: copiesResponse,
} as const satisfies Operation;

export const backupOperations: readonly Operation[] = [
  postBackups,
  getBackups,
  getBackupsId,
  deleteBackupsId,
  postBackupsIdAction,
  getBackupsIdCopies,
];
