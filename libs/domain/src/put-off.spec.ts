import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { backupDecider } from './backup.js';
import { account, given } from './given.js';
import { putOffAsBroken, putOffByRetention, putOffUntilNext, putOffWhileRunning } from './put-off.js';

const [backupId, instanceId, scheduleId, newer, another] = [1, 2, 3, 4, 5].map(
  (digit) => `00000000-0000-4000-8000-00000000000${digit}`,
) as [string, string, string, string, string];
const ids = { backupId, instanceId, scheduleId };
const sha256 = 'a'.repeat(64);
const startedAt = '2026-11-23T14:30:00.000Z';

const requested: NewEvent = {
  type: 'BackupRequested',
  data: {
    ...ids,
    slotAt: startedAt,
    trigger: 'slot',
    type: 'full',
    parentId: null,
    name: 'orders',
    description: null,
    datastore: { type: 'postgresql', version: '18' },
    copyTo: ['IAD'],
  },
};
const completed: NewEvent = {
  type: 'BackupCompleted',
  data: {
    ...ids,
    type: 'full',
    parentId: null,
    attempt: 1,
    region: 'DFW',
    location: 'there',
    sizeBytes: 1,
    rawBytes: 1,
    sha256,
    copyTo: ['IAD'],
    startedAt,
  },
};
const started: NewEvent = { type: 'BackupStarted', data: { backupId, attempt: 1, region: 'DFW', runner: 'spec' } };
const ended = [requested, started, completed];
const why = putOffByRetention({ ground: 'copies-missing', waitsFor: [newer] });
const putOff: NewEvent = { type: 'BackupDeletionPutOff', data: { ...ids, ...why } };
const calledOff: NewEvent = { type: 'BackupDeletionCalledOff', data: ids };
const tell = { type: 'PutOffDeletion' as const, backupId, ...why };
const callOff = { type: 'CallOffDeletion' as const, backupId };
const remove = { type: 'RequestDeletion' as const, backupId, accountId: account, trigger: 'retention' as const };

describe('a deletion that is put off', () => {
  it('is told once, and again only when the reason is another one', () => {
    expect(given(backupDecider, ended).when(tell).gives).toEqual([putOff]);
    const told = given(backupDecider, [...ended, putOff]);
    expect(told.when(tell).gives).toEqual([]);
    expect(told.when({ ...tell, reason: 'in other words' }).gives).toEqual([]);
    expect(told.when({ ...tell, waitsFor: [another] }).gives).toMatchObject([{ data: { waitsFor: [another] } }]);
    expect(told.when({ ...tell, ground: 'built-on' }).gives).toMatchObject([{ data: { ground: 'built-on' } }]);
    const both = [...ended, { ...putOff, data: { ...putOff.data, waitsFor: [newer, another] } } as NewEvent];
    expect(given(backupDecider, both).when({ ...tell, waitsFor: [another, newer] }).gives).toEqual([]);
  });

  it('is called off where it was told, and only there', () => {
    expect(given(backupDecider, ended).when(callOff).gives).toEqual([]);
    expect(given(backupDecider, [...ended, putOff]).when(callOff).gives).toEqual([calledOff]);
    expect(given(backupDecider, [...ended, putOff, calledOff]).when(callOff).gives).toEqual([]);
    expect(given(backupDecider, [...ended, putOff, calledOff]).when(tell).gives).toEqual([putOff]);
  });

  it('is over when the deletion is asked for', () => {
    const asked = given(backupDecider, [...ended, putOff]).when(remove);
    expect(asked.gives).toMatchObject([{ type: 'BackupDeletionRequested' }]);
    const { state } = given(backupDecider, [...ended, putOff, ...(asked.gives as NewEvent[])]);
    expect(state).not.toHaveProperty('putOff');
    expect(state).toMatchObject({ is: 'deleting' });
  });

  it('is of a backup that is there', () => {
    expect(given(backupDecider).when(tell).gives).toBe('backup-unknown');
    expect(given(backupDecider).when(callOff).gives).toBe('backup-unknown');
    expect(given(backupDecider, [requested, started]).when(tell).gives).toEqual([]);
  });
});

describe('a deletion that has failed', () => {
  const asked = [...ended, { type: 'BackupDeletionRequested', data: { ...ids, trigger: 'request' } } as NewEvent];
  const fail = { type: 'FailDeletion' as const, backupId, code: 'vault-unavailable', reason: 'IAD is away.' };

  it('tells with it which backups it waits for', () => {
    expect(given(backupDecider, asked).when({ ...fail, waitsFor: [newer] }).gives).toMatchObject([
      { type: 'BackupDeletionPutOff', data: { ground: 'vault-unavailable', waitsFor: [newer] } },
      { type: 'BackupDeletionFailed', data: { code: 'vault-unavailable' } },
    ]);
    expect(given(backupDecider, asked).when(fail).gives).toMatchObject([{ type: 'BackupDeletionFailed' }]);
  });
});

describe('the refusal of a deletion', () => {
  it('says which backup is in the way when it is another one than the one that is to be deleted', () => {
    const { outcome } = given(backupDecider, [requested, started]).when({ ...remove, trigger: 'cascade' });
    expect(outcome).toMatchObject({
      refused: 'backup-still-running',
      message: `Backup ${backupId} is still running. It is built on the backup that is to be deleted. Wait until it has ended, then delete that backup again.`,
    });
  });
});

describe('the reason why a backup is kept that has had its time', () => {
  it('names what it waits for', () => {
    expect(why.reason).toBe(
      `It has had its time. It is kept until enough newer backups, and the newest of them, are in every region that is owed a copy. The newer backup ${newer} is not: its \`locationRef\` and \`copies\` say where it is.`,
    );
    expect(putOffByRetention({ ground: 'built-on', waitsFor: [newer] }).reason).toBe(
      `It has had its time. It is kept because backup ${newer} is built on it, and is kept.`,
    );
    expect(putOffByRetention({ ground: 'built-on', waitsFor: [newer, another] }).reason).toBe(
      `It has had its time. It is kept because backups ${newer}, ${another} are built on it, and are kept.`,
    );
    expect(putOffWhileRunning([newer]).reason).toBe(
      `It has had its time. It is kept because backup ${newer}, built on it, has not ended.`,
    );
    expect(putOffWhileRunning([])).toMatchObject({
      reason: 'It has had its time. It is kept because a backup that is built on it has not ended.',
      waitsFor: [],
    });
    expect(putOffUntilNext(scheduleId).reason).toContain(`the next backup of schedule ${scheduleId}`);
    expect(putOffAsBroken('event 7 of backup-x is damaged').reason).toContain('event 7 of backup-x is damaged');
  });

  it('names a few of many', () => {
    const many = Array.from(
      { length: 100 },
      (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    );
    const { reason, waitsFor } = putOffByRetention({ ground: 'built-on', waitsFor: many });
    expect(waitsFor).toEqual(many.slice(0, 20));
    expect(reason.length).toBeLessThan(2_000);
  });
});
