import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { recorded } from './given.js';
import { verdictOn } from './held-backup.js';
import { copyId as copyIdOf } from './identities.js';

const backupId = '0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const sha256 = 'a'.repeat(64);
const startedAt = '2026-11-23T14:31:00.000Z';
const sizes = { sizeBytes: 10, sha256, startedAt };

const started = (attempt: number, region = 'DFW'): NewEvent => ({
  type: 'BackupStarted',
  data: { backupId, attempt, region, runner: 'runner' },
});
const completed = (attempt: number, region = 'DFW'): NewEvent => ({
  type: 'BackupCompleted',
  data: {
    backupId,
    instanceId,
    scheduleId: null,
    type: 'full',
    parentId: null,
    copyTo: [],
    attempt,
    region,
    location: `made/${attempt}`,
    rawBytes: 10,
    ...sizes,
  },
});
const requested: NewEvent = {
  type: 'BackupRequested',
  data: {
    backupId,
    instanceId,
    scheduleId: null,
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
const copy = (region: string) => {
  const named = { copyId: copyIdOf(backupId, region), backupId, region };
  const asked: NewEvent = {
    type: 'CopyRequested',
    data: { ...named, instanceId, sourceRegion: 'IAD', parentId: null, sizeBytes: 10, sha256 },
  };
  const begun = (attempt: number): NewEvent => ({
    type: 'CopyStarted',
    data: { ...named, attempt, replicator: 'replicator' },
  });
  const done = (attempt: number): NewEvent => ({
    type: 'CopyCompleted',
    data: { ...named, instanceId, attempt, location: `copied/${attempt}`, ...sizes },
  });
  const lost: NewEvent = {
    type: 'CopyLost',
    data: { ...named, instanceId, sizeBytes: 10, code: 'object-missing', reason: 'gone' },
  };
  const failed = (attempt: number): NewEvent => ({
    type: 'CopyFailed',
    data: { ...named, attempt, code: 'object-missing', reason: 'gone' },
  });
  return { asked, begun, done, lost, failed };
};
const verdict = (region: string, backup: NewEvent[], ofCopy: NewEvent[] = []) =>
  verdictOn({ region, backup: recorded([requested, ...backup]), copy: recorded(ofCopy) });

describe('what a region holds of a backup that was put back there', () => {
  const made = [started(1), started(2), completed(2)];
  const { asked, begun, done, lost, failed } = copy('DFW');

  it('lies where the copy says, and its attempts are numbered after those of the backup', () => {
    expect(verdict('DFW', made)).toEqual({ is: 'kept', attempt: 2, location: 'made/2' });
    expect(verdict('DFW', made, [asked, begun(1), done(1)])).toEqual({
      is: 'kept',
      attempt: 3,
      location: 'copied/1',
    });
  });

  it('is removed by nobody else while it is put back, nor when that was given up', () => {
    for (const history of [[asked], [asked, begun(1)], [asked, begun(1), failed(1)]]) {
      expect(verdict('DFW', made, history)).toEqual({ is: 'in-hand' });
    }
  });

  it('is not removed in another region either when it was whole once and could not be made anew', () => {
    const there = copy('IAD');
    const history = [there.asked, there.begun(1), there.done(1), there.lost, there.begun(2), there.failed(2)];
    expect(verdict('IAD', made, history)).toEqual({ is: 'in-hand' });
    expect(verdict('IAD', made, [there.asked, there.begun(1), there.failed(1)])).toMatchObject({ is: 'ended' });
    expect(verdict('DFW', made, [asked, begun(1), done(1), lost])).toEqual({ is: 'in-hand' });
  });

  it('has ended where an attempt had begun before another region became the home region', () => {
    const moved = [started(1), started(2, 'IAD'), completed(2, 'IAD')];
    expect(verdict('DFW', moved)).toEqual({ is: 'ended', attempt: 1, forGood: false });
    expect(verdict('ORD', moved)).toEqual({ is: 'unknown' });
    expect(verdict('DFW', moved, [asked, begun(1), done(1)])).toMatchObject({ is: 'kept', attempt: 2 });
  });
});
