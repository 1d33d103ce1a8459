import { describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { copyDecider } from './copy.js';
import { given } from './given.js';
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

describe('a copy', () => {
  it('is owed once to a region, however often it is asked for', () => {
    expect(given(copyDecider).when({ type: 'RequestCopy', request }).gives).toEqual([requested]);
    expect(given(copyDecider, [requested]).when({ type: 'RequestCopy', request }).gives).toBe('copy-exists');
    expect(copyIdOf(backupId, 'IAD')).toBe(copyId);
    expect(copyIdOf(backupId, 'ORD')).not.toBe(copyId);
  });

  it('can be asked for again when it was given up, and begins anew, its attempts numbered on', () => {
    const failed = [
      requested,
      started(1),
      { type: 'CopyFailed', data: { copyId, backupId, region: 'IAD', attempt: 1, code: 'x', reason: 'y' } },
    ] satisfies NewEvent[];
    expect(given(copyDecider, failed).when({ type: 'RequestCopy', request }).gives).toEqual([requested]);
    expect(given(copyDecider, [...failed, requested]).state).toMatchObject({ is: 'pending', attempt: 1, failures: 0 });
    expect(given(copyDecider, [...failed, requested]).when(start(1)).gives).toBe('attempt-superseded');
  });

  it('goes with its backup whatever it is at, and then no attempt can end it', () => {
    const gone: NewEvent = { type: 'CopyDeleted', data: { copyId, backupId, region: 'IAD' } };
    expect(given(copyDecider).when({ type: 'DeleteCopy' }).gives).toEqual([]);
    for (const history of [[requested], [requested, started(1)]]) {
      expect(given(copyDecider, history).when({ type: 'DeleteCopy' }).gives).toEqual([gone]);
    }
    const after = given(copyDecider, [requested, started(1), gone]);
    for (const command of [start(2), complete(1), fail(1), failAttempt(1)]) {
      expect(after.when(command).gives).toBe('copy-deleted');
    }
    expect(after.when({ type: 'DeleteCopy' }).gives).toEqual([]);
    expect(after.when({ type: 'RequestCopy', request }).gives).toBe('copy-exists');
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
