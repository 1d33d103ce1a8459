import { describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { historyOfCompleted } from '../fixtures/completed-backup.js';
import { backupDecider } from './backup.js';
import { copyDecider } from './copy.js';
import { account, given } from './given.js';
import { copyId as copyIdOf } from './identities.js';

const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const copyId = copyIdOf(backupId, 'IAD');
const request: EventData<'CopyRequested'> = {
  copyId,
  backupId,
  instanceId,
  region: 'IAD',
  sourceRegion: 'DFW',
  parentId: null,
  sizeBytes: 10,
  sha256: 'a'.repeat(64),
};
const requested: NewEvent = { type: 'CopyRequested', data: request };
const started = (attempt: number): NewEvent => ({
  type: 'CopyStarted',
  data: { copyId, backupId, region: 'IAD', attempt, replicator: 'replicator' },
});
const start = (attempt: number) => ({ type: 'StartCopy' as const, copyId, attempt, replicator: 'replicator' });
const startedAt = '2026-11-23T14:31:00.000Z';
const complete = (attempt: number) => ({
  type: 'CompleteCopy' as const,
  copyId,
  attempt,
  location: 'backups/3c',
  sizeBytes: 10,
  sha256: request.sha256,
  startedAt,
});
const fail = (attempt: number) => ({
  type: 'FailCopy' as const,
  copyId,
  attempt,
  code: 'object-altered',
  reason: 'altered',
});
const failAttempt = (attempt: number) => ({
  type: 'FailCopyAttempt' as const,
  copyId,
  attempt,
  code: 'vault-unavailable',
  reason: 'away',
  retryAt: startedAt,
});

const named = { copyId, backupId, region: 'IAD' };
const completed = (attempt: number): NewEvent => ({
  type: 'CopyCompleted',
  data: {
    ...named,
    instanceId,
    attempt,
    location: 'backups/3c',
    sizeBytes: 10,
    sha256: request.sha256,
    startedAt,
  },
});
const deletionRequested: NewEvent = { type: 'CopyDeletionRequested', data: { ...named, instanceId } };
const gone: NewEvent = { type: 'CopyDeleted', data: named };
const strand = { type: 'StrandCopy' as const, reason: 'no vault' };
const lose = { type: 'LoseCopy' as const, code: 'object-missing', reason: 'gone' };

describe('a copy', () => {
  it('is owed once to a region, however often it is asked for', () => {
    expect(given(copyDecider).when({ type: 'RequestCopy', request }).gives).toEqual([requested]);
    expect(given(copyDecider, [requested]).when({ type: 'RequestCopy', request }).gives).toBe('copy-exists');
    expect(copyIdOf(backupId, 'IAD')).toBe(copyId);
    expect(copyIdOf(backupId, 'ORD')).not.toBe(copyId);
  });

  it('that somebody asks for is owed where it is missing, and is read back where it is there', () => {
    const ask = (events: NewEvent[], backup = given(backupDecider, historyOfCompleted(backupId)).state) =>
      given(copyDecider, events).when({
        type: 'CopyBackup',
        accountId: account,
        backupId,
        backup,
        region: 'IAD',
        sourceRegion: undefined,
      }).gives;
    expect(ask([])).toMatchObject([{ type: 'CopyRequested', data: { region: 'IAD', sourceRegion: 'DFW' } }]);
    const stranded: NewEvent = { type: 'CopyStranded', data: { ...named, reason: 'no vault' } };
    expect(ask([requested, stranded])).toMatchObject([{ type: 'CopyRequested' }]);
    for (const underWay of [[requested], [requested, started(1)], [requested, deletionRequested]]) {
      expect(ask(underWay)).toEqual([]);
    }
    expect(ask([requested, started(1), completed(1)])).toMatchObject([{ type: 'CopyCheckRequested' }]);
    expect(ask([], given(backupDecider, historyOfCompleted(backupId).slice(0, 1)).state)).toBe(
      'backup-not-yet-completed',
    );
    expect(ask([], given(backupDecider).state)).toBe('backup-unknown');
  });

  it('can be asked for again when it was given up, and begins anew with the next number of an attempt', () => {
    const failed = [
      requested,
      started(1),
      { type: 'CopyFailed', data: { copyId, backupId, region: 'IAD', attempt: 1, code: 'x', reason: 'y' } },
    ] satisfies NewEvent[];
    expect(given(copyDecider, failed).when({ type: 'RequestCopy', request }).gives).toEqual([requested]);
    expect(given(copyDecider, [...failed, requested]).state).toMatchObject({ is: 'pending', attempt: 1, failures: 0 });
    expect(given(copyDecider, [...failed, requested]).when(start(1)).gives).toBe('attempt-superseded');
  });

  it('is deleted with its backup in every state, and no attempt can end it after the request', () => {
    expect(given(copyDecider).when({ type: 'RequestCopyDeletion' }).gives).toEqual([]);
    for (const history of [[requested], [requested, started(1)], [requested, started(1), completed(1)]]) {
      expect(given(copyDecider, history).when({ type: 'RequestCopyDeletion' }).gives).toEqual([deletionRequested]);
      expect(given(copyDecider, history).when({ type: 'ConfirmCopyDeletion' }).gives).toEqual([]);
    }
    for (const after of [[deletionRequested], [deletionRequested, gone], [gone]]) {
      const ended = given(copyDecider, [requested, started(1), ...after]);
      for (const command of [start(2), complete(1), fail(1), failAttempt(1)]) {
        expect(ended.when(command).gives).toBe('copy-deleted');
      }
      expect(ended.when({ type: 'RequestCopyDeletion' }).gives).toEqual([]);
      expect(ended.when({ type: 'RequestCopy', request }).gives).toBe('copy-exists');
    }
  });

  it('is deleted once, and only when that was asked for', () => {
    const going = [requested, deletionRequested];
    expect(given(copyDecider, going).when({ type: 'ConfirmCopyDeletion' }).gives).toEqual([gone]);
    expect(given(copyDecider, [...going, gone]).when({ type: 'ConfirmCopyDeletion' }).gives).toEqual([]);
    for (const command of [strand, lose, { type: 'CheckCopy' }, { type: 'PassCheck' }] as const) {
      expect(given(copyDecider, going).when(command).gives).toEqual([]);
    }
  });

  it('that is lost is owed again, once, and the numbers of its attempts go on', () => {
    const held = [requested, started(3), completed(3)];
    const { gives } = given(copyDecider, held).when(lose);
    const lost: NewEvent = {
      type: 'CopyLost',
      data: { ...named, instanceId, sizeBytes: 10, code: 'object-missing', reason: 'gone' },
    };
    expect(gives).toEqual([lost]);
    const owed = given(copyDecider, [...held, lost]);
    expect(owed.state).toMatchObject({ is: 'pending', attempt: 3, failures: 0 });
    expect(owed.when(lose).gives).toEqual([]);
    expect(owed.when(start(4)).gives).toEqual([started(4)]);
    expect(given(copyDecider, [requested, started(1)]).when(lose).gives).toEqual([]);
  });

  it('is read back when somebody asks for it though it is there, and stays completed meanwhile', () => {
    const held = [requested, started(1), completed(1)];
    const asked: NewEvent = { type: 'CopyCheckRequested', data: { ...named, instanceId } };
    expect(given(copyDecider, held).when({ type: 'CheckCopy' }).gives).toEqual([asked]);
    expect(given(copyDecider, [requested]).when({ type: 'CheckCopy' }).gives).toEqual([]);
    expect(given(copyDecider, [...held, asked]).state).toMatchObject({ is: 'completed', isCheckAsked: true });
    const checked: NewEvent = { type: 'CopyChecked', data: named };
    expect(given(copyDecider, [...held, asked]).when({ type: 'PassCheck' }).gives).toEqual([checked]);
    expect(given(copyDecider, [...held, asked, checked]).when({ type: 'PassCheck' }).gives).toEqual([]);
  });

  it('to a region that has no vault any more is given up with the reason, and can be asked for again', () => {
    const stranded: NewEvent = { type: 'CopyStranded', data: { ...named, reason: 'no vault' } };
    for (const history of [[requested], [requested, started(1)]]) {
      expect(given(copyDecider, history).when(strand).gives).toEqual([stranded]);
    }
    expect(given(copyDecider, [requested, started(1), completed(1)]).when(strand).gives).toEqual([]);
    const over = given(copyDecider, [requested, started(1), stranded]);
    expect(over.when(complete(1)).gives).toBe('copy-already-ended');
    expect(over.when({ type: 'RequestCopy', request }).gives).toEqual([requested]);
  });

  it('tells which region its bytes came from when that is not the requested one', () => {
    const copying = given(copyDecider, [requested, started(1)]);
    expect(copying.when({ ...complete(1), sourceRegion: 'DFW' }).gives).toEqual([completed(1)]);
    expect(copying.when({ ...complete(1), sourceRegion: 'ORD' }).gives).toEqual([
      { type: 'CopySourceChanged', data: { ...named, attempt: 1, sourceRegion: 'ORD' } },
      completed(1),
    ]);
  });

  it('holds reasons of any length', () => {
    const reason = 'x'.repeat(3_000);
    const cut = 'x'.repeat(2_000);
    const copying = given(copyDecider, [requested, started(1)]);
    expect(copying.when({ ...fail(1), reason }).gives).toMatchObject([{ data: { reason: cut } }]);
    expect(copying.when({ ...failAttempt(1), reason }).gives).toMatchObject([{ data: { reason: cut } }]);
    expect(copying.when({ ...strand, reason }).gives).toMatchObject([{ data: { reason: cut } }]);
  });

  it('is tried again after a failed attempt', () => {
    const { gives } = given(copyDecider, [requested, started(1)]).when(failAttempt(1));
    expect(gives).toEqual([
      {
        type: 'CopyAttemptFailed',
        data: {
          copyId,
          backupId,
          region: 'IAD',
          attempt: 1,
          code: 'vault-unavailable',
          reason: 'away',
          retryAt: startedAt,
        },
      },
    ]);
    expect(given(copyDecider, [requested, started(1), ...(gives as NewEvent[])]).when(start(2)).gives).toEqual([
      started(2),
    ]);
  });

  it('has failed once, though the failure is recorded again because its answer was lost', () => {
    const copying = [requested, started(1)];
    const [failed] = given(copyDecider, copying).when(failAttempt(1)).decision.events;
    expect(given(copyDecider, [...copying, ...(failed ? [failed] : [])]).when(failAttempt(1)).gives).toEqual([]);
  });

  it('is ended by its newest attempt only', () => {
    const overtaken = given(copyDecider, [requested, started(1), started(2)]);
    for (const command of [complete(1), fail(1), failAttempt(1), start(2)]) {
      expect(overtaken.when(command).gives).toBe('attempt-superseded');
    }
    expect(overtaken.when(complete(2)).gives).toHaveLength(1);
  });

  it('ends once', () => {
    const [end] = given(copyDecider, [requested, started(1)]).when(complete(1)).decision.events;
    const over = given(copyDecider, [requested, started(1), ...(end ? [end] : [])]);
    for (const command of [start(2), complete(1), fail(1), failAttempt(1)]) {
      expect(over.when(command).gives).toBe('copy-already-ended');
    }
  });

  it('cannot move before it was asked for', () => {
    for (const command of [start(1), complete(1), fail(1), failAttempt(1)]) {
      expect(given(copyDecider).when(command).gives).toBe('copy-unknown');
    }
  });
});
