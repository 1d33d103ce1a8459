import { describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { recorded } from './given.js';
import { verdictOn } from './held-backup.js';
import { copyId as copyIdOf } from './identities.js';

const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const copyId = copyIdOf(backupId, 'IAD');
const ofBackup = { backupId, instanceId, scheduleId: null };
const sha256 = 'a'.repeat(64);
const at = '2026-11-23T14:31:00.000Z';
const requested: NewEvent = {
  type: 'BackupRequested',
  data: {
    ...ofBackup,
    slotAt: null,
    trigger: 'request',
    type: 'full',
    parentId: null,
    name: 'orders',
    description: null,
    datastore: { type: 'postgresql', version: '18' },
    copyTo: ['IAD'],
  },
};
const started = (attempt: number): NewEvent => ({
  type: 'BackupStarted',
  data: { backupId, attempt, region: 'DFW', runner: 'runner' },
});
const result = { attempt: 2, region: 'DFW', location: 'backups/3c/2.3', sizeBytes: 10, rawBytes: 20, sha256 };
const completed: NewEvent = {
  type: 'BackupCompleted',
  data: { ...ofBackup, ...result, type: 'full', parentId: null, copyTo: ['IAD'], startedAt: at },
};
const failed: NewEvent = { type: 'BackupFailed', data: { ...ofBackup, attempt: 3, code: 'x', reason: 'x' } };
const deleting: NewEvent = { type: 'BackupDeletionRequested', data: { ...ofBackup, trigger: 'request' } };
const deleted: NewEvent = { type: 'BackupDeleted', data: ofBackup };
const stuck: NewEvent = { type: 'BackupDeletionFailed', data: { backupId, instanceId, code: 'x', reason: 'x' } };
const made = [requested, started(2), completed];

const owed: EventData<'CopyRequested'> = {
  copyId,
  backupId,
  instanceId,
  region: 'IAD',
  sourceRegion: 'DFW',
  parentId: null,
  sizeBytes: 10,
  sha256,
};
const named = { copyId, backupId, region: 'IAD' };
const copyRequested: NewEvent = { type: 'CopyRequested', data: owed };
const copyStarted: NewEvent = { type: 'CopyStarted', data: { ...named, attempt: 4, replicator: 'r' } };
const copyCompleted: NewEvent = {
  type: 'CopyCompleted',
  data: { ...named, instanceId, attempt: 4, location: 'backups/3c/4.9', sizeBytes: 10, sha256, startedAt: at },
};
const copyFailed: NewEvent = { type: 'CopyFailed', data: { ...named, attempt: 4, code: 'x', reason: 'x' } };
const copyDeleted: NewEvent = { type: 'CopyDeleted', data: named };
const copying = [copyRequested, copyStarted];

const inHand = { is: 'in-hand' };
const unknown = { is: 'unknown' };

describe('what the ledger says of a backup that a vault holds', () => {
  const cases: [string, string, NewEvent[], NewEvent[], object][] = [
    ['that it does not know', 'DFW', [], [], unknown],
    ['that is requested', 'DFW', [requested], [], inHand],
    ['that runs', 'DFW', [requested, started(1)], [], inHand],
    ['that completed there', 'DFW', made, [], { is: 'kept', attempt: 2, location: 'backups/3c/2.3' }],
    ['that completed elsewhere and was never owed there', 'ORD', made, [], unknown],
    ['that failed', 'DFW', [requested, started(2), failed], [], { is: 'ended', attempt: 3, forGood: true }],
    ['that is being deleted', 'DFW', [...made, deleting], [], inHand],
    ['whose deletion failed', 'DFW', [...made, deleting, stuck], [], inHand],
    ['that is deleted', 'DFW', [...made, deleting, deleted], [], { is: 'ended', attempt: 2, forGood: true }],
    ['whose copy is owed', 'IAD', made, [copyRequested], inHand],
    ['whose copy is made', 'IAD', made, copying, inHand],
    [
      'whose copy is there',
      'IAD',
      made,
      [...copying, copyCompleted],
      { is: 'kept', attempt: 4, location: 'backups/3c/4.9' },
    ],
    ['whose copy was given up', 'IAD', made, [...copying, copyFailed], { is: 'ended', attempt: 4, forGood: false }],
    ['whose copy was given up and is owed again', 'IAD', made, [...copying, copyFailed, copyRequested], inHand],
    ['whose copy is deleted', 'IAD', made, [...copying, copyDeleted], { is: 'ended', attempt: 4, forGood: true }],
    [
      'that is deleted with its copy',
      'IAD',
      [...made, deleting, deleted],
      [...copying, copyCompleted, copyDeleted],
      { is: 'ended', attempt: 4, forGood: true },
    ],
    ['that is a backup and a copy in one region', 'DFW', made, [...copying, copyFailed], inHand],
  ];

  it.each(cases)('%s (in %s)', (_, region, backup, copy, verdict) => {
    expect(verdictOn({ region, backup: recorded(backup), copy: recorded(copy) })).toEqual(verdict);
  });
});
