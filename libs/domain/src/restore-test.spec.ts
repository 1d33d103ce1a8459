import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { historyOfCompleted } from '../fixtures/completed-backup.js';
import { type BackupCommand, backupDecider } from './backup.js';
import { account, given } from './given.js';

const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const completed = historyOfCompleted(backupId, 'DFW');
const ids = { backupId, instanceId, scheduleId: null };
const fault = { code: 'object-altered', reason: 'An object is not what was stored.' };

type Test = Extract<BackupCommand, { type: 'TellRestoreTest' }>;
const tell = (changes: Partial<Test> = {}): Test => ({
  ...{ type: 'TellRestoreTest', accountId: account, backupId, region: 'IAD', copy: { is: 'completed' }, seconds: 240 },
  ...{ result: { proof: 'tables-read' }, ...changes },
});
const on = (events: NewEvent[], changes?: Partial<Test>) => given(backupDecider, events).when(tell(changes)).gives;

describe('a restore that was tested', () => {
  it('is told of the backup, with the region and how long it took', () => {
    const test = { ...ids, region: 'IAD', seconds: 240 };
    expect(on(completed)).toEqual([{ type: 'RestoreTested', data: { ...test, proof: 'tables-read' } }]);
    expect(on(completed, { result: fault })).toEqual([{ type: 'RestoreTestFailed', data: { ...test, ...fault } }]);
  });

  it('can be told again, and changes nothing of what the backup is', () => {
    const tested: NewEvent = {
      type: 'RestoreTested',
      data: { ...ids, region: 'IAD', seconds: 1, proof: 'tables-read' },
    };
    const failed: NewEvent = { type: 'RestoreTestFailed', data: { ...ids, region: 'IAD', seconds: 1, ...fault } };
    const { state } = given(backupDecider, [...completed, tested, failed]);
    expect(state).toEqual(given(backupDecider, completed).state);
    expect(on([...completed, tested, failed])).toMatchObject([{ type: 'RestoreTested' }]);
  });

  it('was from where the backup was made, unless that region has lost it, or from a region with a completed copy', () => {
    const absent = { is: 'absent' };
    expect(on(completed, { region: 'DFW', copy: absent })).toMatchObject([{ data: { region: 'DFW' } }]);
    expect(on(completed, { region: 'DFW', copy: { is: 'pending' } })).toBe('copy-not-there');
    expect(on(completed, { copy: absent })).toBe('copy-not-there');
    for (const is of ['pending', 'copying', 'failed', 'deleting', 'deleted']) {
      expect(on(completed, { copy: { is } })).toBe('copy-not-there');
    }
  });

  it('is of a backup of the account that has completed and is not deleted', () => {
    const [requested] = completed;
    expect(on(requested ? [requested] : [])).toBe('backup-not-yet-completed');
    expect(on([])).toBe('backup-unknown');
    expect(on(completed, { accountId: 'another' })).toBe('backup-unknown');
    const mark = { trigger: 'request', rootId: backupId, purgeAt: '2026-12-01T00:00:00.000Z' } as const;
    expect(on([...completed, { type: 'BackupDeletionMarked', data: { ...ids, ...mark } }])).toBe('backup-unknown');
  });
});
