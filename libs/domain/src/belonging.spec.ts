import { describe, expect, it } from '@jest/globals';
import type { EventData } from '@strongroom/contracts';
import { isCopyId, isCopyOf, mustBelong } from './belonging.js';
import { copyRequest } from './copy-request.js';
import { copyId } from './identities.js';

/** An id like no other here. */
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const instanceId = id(0);
const backup: EventData<'BackupCompleted'> = {
  ...{ backupId: id(1), instanceId, scheduleId: null, parentId: id(2), copyTo: ['IAD'] },
  ...{ attempt: 1, region: 'DFW', location: 'spec', sizeBytes: 5, rawBytes: 9, sha256: 'a'.repeat(64) },
  ...{ type: 'incremental', startedAt: '2026-11-24T00:00:00.000Z' },
};

describe('what belongs together', () => {
  const owner = { accountId: 'acme', instanceId };

  it.each([
    ['account', { accountId: 'other', instanceId }],
    ['instance', { accountId: 'acme', instanceId: id(3) }],
  ])('is refused when the %s is another one, and no account is named', (_, thing) => {
    const refused = () => mustBelong('The instance does not belong to the backup.', thing, owner);
    expect(refused).toThrow(expect.objectContaining({ code: 'belongs-elsewhere', retryable: false }));
    expect(refused).toThrow(/^The instance does not belong to the backup\. Nothing was done with it\.$/);
  });

  it('is of one account and one instance, where both tell one', () => {
    expect(() => mustBelong('It is apart.', owner, owner)).not.toThrow();
    expect(() => mustBelong('It is apart.', { accountId: 'acme' }, owner)).not.toThrow();
  });

  it('is a copy when it says what its backup says, whatever region it is made from', () => {
    const request = copyRequest(backup, 'IAD');
    const of = { backup, id: request.copyId };
    expect(isCopyOf(request, of)).toBe(true);
    expect(isCopyOf({ ...request, sourceRegion: 'ORD' }, of)).toBe(true);
    const others = {
      copyId: id(4),
      backupId: id(5),
      instanceId: id(6),
      region: 'HKG',
      parentId: null,
      sizeBytes: 6,
      sha256: 'b'.repeat(64),
    };
    for (const [field, value] of Object.entries(others))
      expect(isCopyOf({ ...request, [field]: value }, of)).toBe(false);
    expect(isCopyOf(request, { ...of, id: id(7) })).toBe(false);
  });

  it('is named by its backup and its region', () => {
    const { backupId } = backup;
    expect(isCopyId(copyId(backupId, 'IAD'), { backupId, region: 'IAD' })).toBe(true);
    expect(isCopyId(copyId(backupId, 'IAD'), { backupId, region: 'HKG' })).toBe(false);
    expect(isCopyId(copyId(backupId, 'IAD'), { backupId: id(8), region: 'IAD' })).toBe(false);
  });
});
