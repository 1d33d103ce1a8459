import { describe, expect, it } from '@jest/globals';
import { type EventData, type NewEvent, unknownVersion } from '@strongroom/contracts';
import { historyOfCompleted } from '../fixtures/completed-backup.js';
import { workAskedBy } from './asked-work.js';
import { backupDecider } from './backup.js';
import type { CatalogBackup } from './backup-catalog.js';
import { copyDecider } from './copy.js';
import { account, given, recorded } from './given.js';
import { verdictOn } from './held-backup.js';
import { copyId } from './identities.js';
import { backupToBuildFrom } from './instance.js';
import { whyNotCounted } from './schedule-retention.js';

const [backupId, parentId, instanceId] = [1, 2, 3].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`) as [
  string,
  string,
  string,
];
const at = { startedAt: '2026-11-14T14:30:00.000Z', completedAt: '2026-11-14T14:35:00.000Z' };
const found: EventData<'BackupCatalogued'> = {
  ...{ backupId, instanceId, scheduleId: null, instanceName: 'orders', type: 'full', parentId: null },
  ...{ name: 'orders-20261114T1430Z', datastore: { type: 'postgresql', version: '18.1' }, region: 'DFW' },
  ...{ location: 'backups/01/x', attempt: 3, sizeBytes: 10, rawBytes: 20, sha256: 'a'.repeat(64), ...at },
  ...{ encryptedFor: null, facts: null },
};
const parentFound = { ...found, backupId: parentId, sha256: 'b'.repeat(64) };
const sealed = { instanceName: null, encryptedFor: ['office safe'] };
const unopened = { ...found, ...sealed, datastore: { type: 'postgresql', version: null } } as const;
const catalogued = (data = found): NewEvent => ({ type: 'BackupCatalogued', data });
const catalog = (changes: Partial<CatalogBackup> = {}): CatalogBackup => ({
  ...{ type: 'CatalogBackup', accountId: account, found },
  ...changes,
});
const on = (events: NewEvent[], changes?: Partial<CatalogBackup>) =>
  given(backupDecider, events).when(catalog(changes)).gives;

describe('a backup that a vault was found to hold', () => {
  it('is completed from then on, with what its manifest says', () => {
    expect(on([])).toEqual([catalogued()]);
    const { state } = given(backupDecider, [catalogued()]);
    expect(state).toMatchObject({
      ...{ is: 'completed', accountId: account, attempt: 3 },
      request: { scheduleId: null, slotAt: null, type: 'full', datastore: { type: 'postgresql', version: '18.1' } },
      completed: { region: 'DFW', location: 'backups/01/x', sizeBytes: 10, sha256: 'a'.repeat(64), copyTo: [] },
    });
  });

  it('is recorded once, however often it is found and whatever became of it since', () => {
    const ids = { backupId, instanceId, scheduleId: null };
    const mark = { trigger: 'request', rootId: backupId, purgeAt: at.completedAt } as const;
    const histories: NewEvent[][] = [
      [catalogued()],
      historyOfCompleted(backupId),
      [catalogued(), { type: 'BackupDeletionMarked', data: { ...ids, ...mark } }],
      [
        catalogued(),
        { type: 'BackupDeletionRequested', data: { ...ids, trigger: 'request' } },
        { type: 'BackupDeleted', data: ids },
      ],
    ];
    for (const history of histories) expect(on(history)).toEqual([]);
  });

  it('changes nothing where the ledger has another backup by its id', () => {
    expect(on([catalogued()], { found: { ...found, sha256: 'c'.repeat(64) } })).toBe('backup-exists');
    expect(on([catalogued()], { accountId: 'another' })).toBe('backup-exists');
    const skipped = { scheduleId: parentId, instanceId, slotAt: at.startedAt, reason: 'The schedule was paused.' };
    expect(on([{ type: 'SlotSkipped', data: skipped }])).toBe('backup-exists');
  });

  it('comes after the one that it is built on, which is of the same account and instance and has the bytes that it names', () => {
    const child = { found: { ...found, type: 'incremental', parentId } as const };
    const parent = given(backupDecider, [catalogued(parentFound)]).state;
    expect(on([], { ...child, parent })).toMatchObject([{ type: 'BackupCatalogued', data: { parentId } }]);
    expect(on([], { ...child, parent, parentSha256: parentFound.sha256 })).toHaveLength(1);
    expect(on([], { ...child, parent, parentSha256: 'd'.repeat(64) })).toBe('backup-not-completed');
    expect(on([], child)).toBe('backup-unknown');
    expect(on([], { ...child, parent, accountId: 'another' })).toBe('backup-unknown');
    const ofAnother = given(backupDecider, [catalogued({ ...parentFound, instanceId: backupId })]).state;
    expect(on([], { ...child, parent: ofAnother })).toBe('backup-not-completed');
  });

  it('can not claim the instance of another account', () => {
    expect(on([], { instanceOwner: 'another' })).toBe('instance-unknown');
    expect(on([], { instanceOwner: account })).toHaveLength(1);
  });

  it('is of an unknown version while nobody has opened it, and that is told once when somebody has', () => {
    const { state } = given(backupDecider, [catalogued(unopened)]);
    expect(state).toMatchObject({ request: { datastore: { version: unknownVersion } } });
    const version: NewEvent = {
      type: 'BackupVersionFound',
      data: { backupId, instanceId, scheduleId: null, datastore: { type: 'postgresql', version: '18.1' } },
    };
    expect(on([catalogued(unopened)], { found: unopened })).toEqual([]);
    expect(on([catalogued(unopened)])).toEqual([version]);
    expect(on([catalogued(unopened), version])).toEqual([]);
    expect(backupToBuildFrom(account, backupId, state)).toMatchObject({ refused: 'backup-not-completed' });
    const opened = given(backupDecider, [catalogued(unopened), version]).state;
    expect(backupToBuildFrom(account, backupId, opened)).toMatchObject({ request: { backupId } });
  });

  it('asks for no work, and is kept by the sweep where it lies under the number of its newest attempt', () => {
    expect(workAskedBy(catalogued())).toEqual([]);
    const verdict = (region: string) => verdictOn({ region, backup: recorded([catalogued()]), copy: [] });
    expect(verdict('DFW')).toEqual({ is: 'kept', attempt: 3, location: 'backups/01/x' });
    expect(verdict('IAD')).toEqual({ is: 'unknown' });
  });

  it('is never deleted by retention', () => {
    const row = { trigger: 'catalogued', scheduleId: null, slotAt: null, isKeptByHand: false, fault: null } as const;
    const held = {
      id: backupId,
      type: 'full',
      parentId: null,
      copyTo: [],
      status: 'COMPLETED',
      madeFull: null,
    } as const;
    const ofRow = { ...row, ...held, lineage: null, region: 'DFW', putOff: null };
    expect(whyNotCounted(ofRow, parentId)).toBe('catalogued');
  });
});

describe('a copy that a vault was found to hold', () => {
  const there = { backupId, region: 'IAD', attempt: 2, location: 'backups/01/y', sha256: found.sha256, ...at };
  const backup = given(backupDecider, [catalogued()]).state;
  const copied = (changes: Partial<typeof there> = {}, events: NewEvent[] = []) =>
    given(copyDecider, events).when({
      ...{ type: 'CatalogCopy', accountId: account, backup, found: { ...there, ...changes } },
    }).gives;
  const id = copyId(backupId, 'IAD');
  const event: NewEvent = {
    type: 'CopyCatalogued',
    data: { ...there, copyId: id, instanceId, sourceRegion: 'DFW', parentId: null, sizeBytes: 10 },
  };

  it('is completed from then on, and recorded once', () => {
    expect(copied()).toEqual([event]);
    expect(given(copyDecider, [event]).state).toMatchObject({ is: 'completed', attempt: 2, request: { copyId: id } });
    expect(copied({}, [event])).toEqual([]);
    expect(workAskedBy(event)).toEqual([]);
    const histories = { region: 'IAD', backup: recorded([catalogued()]), copy: recorded([event]) };
    expect(verdictOn(histories)).toEqual({ is: 'kept', attempt: 2, location: 'backups/01/y' });
  });

  it('is owed again when it is lost, with numbers that go on', () => {
    const lost = given(copyDecider, [event]).when({ type: 'LoseCopy', code: 'object-missing', reason: 'It is gone.' });
    expect(lost.gives).toMatchObject([{ type: 'CopyLost' }]);
    const owed = given(copyDecider, [event, ...lost.decision.events]);
    expect(owed.when({ type: 'StartCopy', copyId: id, attempt: 2, replicator: 'spec' }).gives).toBe(
      'attempt-superseded',
    );
    expect(owed.when({ type: 'StartCopy', copyId: id, attempt: 3, replicator: 'spec' }).gives).toHaveLength(1);
  });

  it('is none where the backup itself lies, and none with other bytes or of a backup that is not there', () => {
    expect(copied({ region: 'DFW' })).toEqual([]);
    expect(copied({ sha256: 'c'.repeat(64) })).toBe('backup-exists');
    const command = { type: 'CatalogCopy', accountId: 'another', backup, found: there } as const;
    expect(given(copyDecider).when(command).gives).toBe('backup-unknown');
  });
});
