import { describe, expect, it } from '@jest/globals';
import type { NewEvent, RecordedEvent } from '@strongroom/contracts';
import { workAskedBy } from './asked-work.js';
import { backupDecider } from './backup.js';
import { completedBackup, whyNotBuiltOn } from './completed-backup.js';
import { decide, fold } from './decider.js';
import { account, given, recorded } from './given.js';

const [backupId, instanceId, rootId] = [1, 2, 3].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`) as [
  string,
  string,
  string,
];
const ids = { backupId, instanceId, scheduleId: null };
const startedAt = '2026-11-23T14:30:00.000Z';
const purgeAt = '2026-12-01T00:00:00.000Z';
const requested: NewEvent = {
  type: 'BackupRequested',
  data: {
    ...ids,
    slotAt: null,
    trigger: 'request',
    type: 'full',
    parentId: null,
    name: 'orders',
    description: null,
    datastore: { type: 'postgresql', version: '18' },
    copyTo: [],
  },
};
const made = { attempt: 1, region: 'DFW', location: 'there', sizeBytes: 1, rawBytes: 1, sha256: 'a'.repeat(64) };
const completed: NewEvent = {
  type: 'BackupCompleted',
  data: { ...ids, ...made, type: 'full', parentId: null, copyTo: [], startedAt },
};
const failed: NewEvent = { type: 'BackupFailed', data: { ...ids, attempt: 1, code: 'x', reason: 'y' } };
const removal = (trigger: 'request' | 'retention' | 'cascade'): NewEvent => ({
  type: 'BackupDeletionRequested',
  data: { ...ids, trigger },
});
const marked = (fields: object = {}): NewEvent => ({
  type: 'BackupDeletionMarked',
  data: { ...ids, trigger: 'request', rootId: backupId, purgeAt, ...fields },
});
const deletionFailed: NewEvent = {
  type: 'BackupDeletionFailed',
  data: { backupId, instanceId, code: 'vault-unavailable', reason: 'away' },
};
const held: NewEvent = { type: 'BackupHeld', data: { ...ids, reason: 'case 4711' } };
const there = [requested, completed];
const of = { backupId, accountId: account };
const mark = { type: 'MarkDeletion' as const, ...of, trigger: 'request' as const, rootId: backupId, purgeAt };
const markWithRoot = { ...mark, rootId };
const remove = (trigger: 'request' | 'cascade') => ({ type: 'RequestDeletion' as const, ...of, trigger });
const begin = (now: string, trigger: 'request' | 'cascade' = 'request') => ({
  type: 'BeginRemoval' as const,
  backupId,
  trigger,
  now: new Date(now),
});
const revert = { type: 'RevertDeletion' as const, ...of };
const approve = (by: string) => ({ type: 'ApproveDeletion' as const, ...of, by });
const hold = { type: 'HoldBackup' as const, ...of, reason: 'case 4711' };
const lift = { type: 'LiftHold' as const, ...of };

describe('a backup that somebody deletes', () => {
  it('is marked, with the time until which its bytes stay, and once', () => {
    expect(given(backupDecider, there).when(mark).gives).toEqual([marked()]);
    expect(given(backupDecider, [...there, marked()]).when(mark).gives).toEqual([]);
    expect(given(backupDecider, [requested, failed]).when(mark).gives).toEqual([marked()]);
    expect(given(backupDecider, [...there, marked()]).when(remove('request')).gives).toEqual([]);
  });

  it('is of its account, and has ended', () => {
    expect(given(backupDecider, there).when({ ...mark, accountId: 'other' }).gives).toBe('backup-unknown');
    expect(given(backupDecider).when(mark).gives).toBe('backup-unknown');
    expect(given(backupDecider, [requested]).when(mark).gives).toBe('backup-still-running');
  });

  it('can not be built on, restored or copied any more', () => {
    const { state } = given(backupDecider, [...there, marked()]);
    expect(whyNotBuiltOn({ parentId: backupId, instanceId }, state)?.refused).toBe('backup-unknown');
    expect(completedBackup({ backupId, otherwise: 'nothing' }, state)).toMatchObject({ refused: 'backup-unknown' });
  });

  it('has its removal asked for when its time has come, and not before, whoever asks', () => {
    const deleted = given(backupDecider, [...there, marked()]);
    expect(deleted.when(begin('2026-11-30T23:59:59.999Z')).gives).toBe('deletion-not-due');
    expect(deleted.when(begin(purgeAt)).gives).toEqual([removal('request')]);
    expect(given(backupDecider, there).when(begin(purgeAt)).gives).toBe('deletion-not-due');
    expect(given(backupDecider, [...there, marked(), removal('request')]).when(begin(purgeAt)).gives).toEqual([]);
  });

  it('goes with the backup that it is built on', () => {
    expect(given(backupDecider, [...there, marked()]).when(remove('cascade')).gives).toEqual([removal('cascade')]);
  });

  it('has no time to wait for when a part of it may be gone already', () => {
    const broken = given(backupDecider, [...there, removal('request'), deletionFailed]);
    expect(broken.when(mark).gives).toEqual([removal('request')]);
    expect(broken.when(markWithRoot).gives).toEqual([]);
    expect(broken.when(revert).gives).toBe('backup-not-completed');
    expect(broken.when(begin(purgeAt, 'cascade')).gives).toEqual([removal('cascade')]);
  });

  it('asks for one job of its removal, also when more is deleted with it', () => {
    const jobs = (event: NewEvent) => workAskedBy(event).map(({ kind, id }) => [kind, id]);
    expect(jobs(marked())).toEqual([
      ['purge', backupId],
      ['chain-end', backupId],
      ['retention-reasons', instanceId],
    ]);
    expect(jobs(marked({ rootId }))).toEqual([['chain-end', backupId]]);
  });
});

describe('a deleted backup that is brought back', () => {
  const reverted: NewEvent = { type: 'BackupDeletionReverted', data: { ...ids, rootId: backupId } };

  it('is as it was before', () => {
    expect(given(backupDecider, [...there, marked()]).when(revert).gives).toEqual([reverted]);
    const before = given(backupDecider, there).state;
    expect(given(backupDecider, [...there, marked(), reverted]).state).toEqual(before);
    expect(given(backupDecider, [requested, failed, marked(), reverted]).state.is).toBe('failed');
  });

  it('can be deleted again', () => {
    expect(given(backupDecider, [...there, marked(), reverted]).when(mark).gives).toEqual([marked()]);
  });

  it('was not removed meanwhile: then it is unknown', () => {
    expect(given(backupDecider, [...there, marked(), removal('request')]).when(revert).gives).toBe('backup-unknown');
    expect(given(backupDecider, [...there, marked()]).when({ ...revert, accountId: 'other' }).gives).toBe(
      'backup-unknown',
    );
  });

  it('stays as it is where it was not deleted', () => {
    expect(given(backupDecider, there).when(revert).gives).toEqual([]);
  });
});

describe('a backup on hold', () => {
  it('is deleted by nobody, alone or with what it is built on, until the hold is lifted', () => {
    expect(given(backupDecider, there).when(hold).gives).toEqual([held]);
    const onHold = given(backupDecider, [...there, held]);
    for (const command of [mark, markWithRoot, remove('request'), remove('cascade')]) {
      expect(onHold.when(command).gives).toBe('backup-on-hold');
    }
    const lifted: NewEvent = { type: 'BackupHoldLifted', data: ids };
    expect(onHold.when(lift).gives).toEqual([lifted]);
    expect(given(backupDecider, [...there, held, lifted]).when(mark).gives).toEqual([marked()]);
  });

  it('keeps its bytes, though it was deleted before', () => {
    const deleted = given(backupDecider, [...there, marked(), held]);
    expect(given(backupDecider, [...there, marked()]).when(hold).gives).toEqual([held]);
    expect(deleted.when(begin(purgeAt)).gives).toBe('backup-on-hold');
    expect(deleted.when(begin(purgeAt, 'cascade')).gives).toBe('backup-on-hold');
    expect(deleted.when(revert).gives).toMatchObject([{ type: 'BackupDeletionReverted' }]);
  });

  it('is held once for each reason, and lifted once', () => {
    const onHold = given(backupDecider, [...there, held]);
    expect(onHold.when(hold).gives).toEqual([]);
    expect(onHold.when({ ...hold, reason: 'case 4712' }).gives).toMatchObject([{ data: { reason: 'case 4712' } }]);
    expect(given(backupDecider, there).when(lift).gives).toEqual([]);
  });

  it('is of its account, and is there', () => {
    expect(given(backupDecider, there).when({ ...hold, accountId: 'other' }).gives).toBe('backup-unknown');
    expect(given(backupDecider, [...there, removal('request')]).when(hold).gives).toBe('backup-unknown');
    expect(given(backupDecider, [...there, held]).when({ ...lift, accountId: 'other' }).gives).toBe('backup-unknown');
  });
});

describe('a deletion that a second person approves', () => {
  const approved: NewEvent = { type: 'BackupDeletionApproved', data: { ...ids, rootId: backupId } };

  it('is not approved by the one who deleted', () => {
    const deleted = given(backupDecider, [...there, marked()]);
    expect(deleted.when(approve('spec')).gives).toBe('second-person-needed');
    expect(deleted.when(approve('somebody else')).gives).toEqual([approved]);
    expect(deleted.when({ ...approve('somebody else'), accountId: 'other' }).gives).toBe('backup-unknown');
  });

  it('is told by who they are, and not by what they are called', () => {
    const who = (id: string, name = 'jane') => ({ kind: 'user' as const, id, name, domain: null, address: null });
    const byJane = (event: RecordedEvent) => ({
      ...event,
      context: { ...event.context, actor: 'jane', actorDetails: who('u1') },
    });
    const state = fold(backupDecider, recorded([...there, marked()]).map(byJane));
    const asked = (by: string, byDetails: ReturnType<typeof who>) =>
      decide(backupDecider, { ...approve(by), byDetails }, state);
    expect(asked('jane', who('u1'))).toMatchObject({ refused: 'second-person-needed' });
    expect(asked('jane the second', who('u1', 'jane the second'))).toMatchObject({ refused: 'second-person-needed' });
    expect(asked('jane', who('u2'))).toEqual({ events: [approved] });
    // An older version has recorded the name alone.
    const before = fold(backupDecider, recorded([...there, marked()]));
    const byName = (name: string) => decide(backupDecider, { ...approve(name), byDetails: who('u1', name) }, before);
    expect(byName('spec')).toMatchObject({ refused: 'second-person-needed' });
    expect(byName('somebody else')).toEqual({ events: [approved] });
  });

  it('is approved once, and only while the bytes are there', () => {
    expect(given(backupDecider, [...there, marked(), approved]).when(approve('third')).gives).toEqual([]);
    expect(given(backupDecider, there).when(approve('other')).gives).toBe('backup-unknown');
    const gone = given(backupDecider, [...there, marked(), removal('request')]);
    expect(gone.when(approve('other')).gives).toBe('backup-unknown');
  });
});
