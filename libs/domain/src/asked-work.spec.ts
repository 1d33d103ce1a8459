import { describe, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { workAskedBy } from './asked-work.js';

const [backupId, instanceId, copyId] = ['backup', 'instance', 'copy'];
const deletion = (trigger: 'request' | 'retention' | 'cascade'): NewEvent => ({
  type: 'BackupDeletionRequested',
  data: { backupId, instanceId, scheduleId: null, trigger },
});
const copy = { copyId, backupId, instanceId, region: 'IAD', parentId: null, sizeBytes: 7, sha256: 'aa' };
const completion: EventData<'BackupCompleted'> = {
  backupId,
  instanceId,
  scheduleId: null,
  type: 'full',
  parentId: null,
  attempt: 1,
  region: 'DFW',
  location: 'there',
  sizeBytes: 7,
  rawBytes: 7,
  sha256: 'aa',
  copyTo: ['IAD'],
  startedAt: 'now',
};

describe('the work that an event asks for', () => {
  it('is one job of the kind that does it, about what the event is of', () => {
    expect(workAskedBy({ type: 'InstanceForgotten', data: { instanceId } })).toEqual([
      { kind: 'instance', id: instanceId },
    ]);
    expect(workAskedBy(deletion('retention'))).toEqual([{ kind: 'deletion', id: backupId }]);
  });

  it('is that of several kinds where several follow from it', () => {
    expect(workAskedBy(deletion('request'))).toEqual([
      { kind: 'deletion', id: backupId },
      { kind: 'retention-reasons', id: instanceId },
    ]);
    expect(workAskedBy({ type: 'BackupCompleted', data: completion })).toEqual([
      { kind: 'retention', id: backupId },
      { kind: 'plan', id: backupId },
    ]);
  });

  it('of a copy is in the lane of its region, with its size', () => {
    const asked = [{ kind: 'copy', id: copyId, lane: 'IAD', totalBytes: 7 }];
    expect(workAskedBy({ type: 'CopyRequested', data: { ...copy, sourceRegion: 'DFW' } })).toEqual(asked);
  });

  it('is none where another job does the work, and none when an event asks for nothing', () => {
    expect(workAskedBy(deletion('cascade'))).toEqual([]);
    expect(workAskedBy({ type: 'BackupDeletionCalledOff', data: { backupId, instanceId, scheduleId: null } })).toEqual(
      [],
    );
  });
});
