import { describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { backupDecider } from './backup.js';
import { given } from './given.js';

const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';
const slotAt = '2026-11-23T14:30:00.000Z';
const request: EventData<'BackupRequested'> = {
  backupId,
  instanceId,
  scheduleId,
  slotAt,
  trigger: 'slot',
  type: 'full',
  parentId: null,
  name: 'orders',
  description: null,
  datastore: { type: 'postgresql', version: '18' },
  copyTo: ['IAD'],
};
const slot = { scheduleId, instanceId, slotAt, reason: 'The schedule was paused.' };
const result = {
  region: 'DFW',
  location: 'backups/3c',
  sizeBytes: 10,
  rawBytes: 20,
  sha256: 'a'.repeat(64),
  startedAt: slotAt,
};
const requested: NewEvent = { type: 'BackupRequested', data: request };
const started = (attempt: number): NewEvent => ({
  type: 'BackupStarted',
  data: { backupId, attempt, region: 'DFW', runner: 'runner' },
});
const completed: NewEvent = {
  type: 'BackupCompleted',
  data: { backupId, instanceId, scheduleId, type: 'full', parentId: null, copyTo: ['IAD'], attempt: 1, ...result },
};
const failed: NewEvent = {
  type: 'BackupFailed',
  data: { backupId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'nothing answers' },
};
const requestIt = { type: 'RequestBackup' as const, request };
const start = (attempt: number) => ({
  type: 'StartBackup' as const,
  backupId,
  attempt,
  region: 'DFW',
  runner: 'runner',
});
const complete = (attempt: number) => ({ type: 'CompleteBackup' as const, backupId, attempt, result });
const fail = (attempt: number) => ({
  type: 'FailBackup' as const,
  backupId,
  attempt,
  code: 'server-unreachable',
  reason: 'nothing answers',
});

describe('a slot', () => {
  it('has one outcome: what comes second is refused, whatever it is', () => {
    const outcomes = [requestIt, { type: 'SkipSlot' as const, slot }, { type: 'MissSlot' as const, slot }];
    for (const first of outcomes) {
      const { decision } = given(backupDecider).when(first);
      for (const second of outcomes) {
        expect(given(backupDecider, decision.events).when(second).gives).toBe('slot-already-decided');
      }
    }
  });
});

describe('a backup', () => {
  it('claims its instance while it runs and gives it free when it has ended, well or not', () => {
    const claim = [{ kind: 'running-backup-of-instance', key: instanceId }];
    expect(given(backupDecider).when(requestIt).decision.claims).toEqual(claim);
    expect(given(backupDecider, [requested, started(1)]).when(complete(1)).decision.releases).toEqual(claim);
    expect(given(backupDecider, [requested, started(1)]).when(fail(1)).decision.releases).toEqual(claim);
  });

  it('tells with its completion everything that a replicator needs', () => {
    expect(given(backupDecider, [requested, started(1)]).when(complete(1)).gives).toEqual([completed]);
  });

  it('may fail before its first attempt', () => {
    expect(given(backupDecider, [requested]).when(fail(1)).gives).toHaveLength(1);
  });

  it('is ended by its newest attempt only', () => {
    const overtaken = given(backupDecider, [requested, started(1), started(2)]);
    expect(overtaken.when(complete(1)).gives).toBe('attempt-superseded');
    expect(overtaken.when(fail(1)).gives).toBe('attempt-superseded');
    expect(overtaken.when(start(2)).gives).toBe('attempt-superseded');
    expect(overtaken.when(start(3)).gives).toEqual([started(3)]);
    expect(overtaken.when(complete(2)).gives).toHaveLength(1);
  });

  it('ends once', () => {
    for (const end of [completed, failed]) {
      const over = given(backupDecider, [requested, started(1), end]);
      for (const command of [start(2), complete(1), fail(1)])
        expect(over.when(command).gives).toBe('backup-already-ended');
    }
  });

  it('is not there when its slot was passed over', () => {
    const passed = given(backupDecider, [{ type: 'SlotSkipped', data: slot }]);
    for (const command of [start(1), complete(1), fail(1)]) expect(passed.when(command).gives).toBe('backup-unknown');
  });
});
