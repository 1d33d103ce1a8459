import { describe, expect, it } from '@jest/globals';
import { v5 } from 'uuid';
import { copyId, madeUpBackupId, scheduledBackupId } from './identities.js';

const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';

describe('identities that follow from what they name', () => {
  // These values are frozen: with others, slots that have run would run again.
  it('stay what they were in every release', () => {
    expect(scheduledBackupId(scheduleId, new Date('2026-11-23T14:30:00Z'))).toMatchInlineSnapshot(
      `"b5addafb-097f-5478-9c51-1008574b1f64"`,
    );
    expect(copyId('0e7a5d5c-6b6f-5d0a-9d3f-5f9a7f1a2b3c', 'IAD')).toMatchInlineSnapshot(
      `"b7ac8745-0a97-5cb4-96be-0f2be6b3d24f"`,
    );
  });

  it('are UUIDs of version 5, as the package that made them for earlier releases gives them', () => {
    for (let day = 0; day < 200; day += 1) {
      const at = new Date(Date.UTC(2026, 10, day, 14, 30));
      const slot = `${scheduleId} ${at.toISOString()}`;
      expect(scheduledBackupId(scheduleId, at)).toBe(v5(slot, 'b5a9c8a4-6d07-5c8c-9d0c-0c1c6b1f3e11'));
      expect(madeUpBackupId(scheduleId, at)).toBe(v5(`${slot} 1`, 'b5a9c8a4-6d07-5c8c-9d0c-0c1c6b1f3e11'));
    }
    for (const region of ['IAD', 'Zürich', '東京', '']) {
      expect(copyId(scheduleId, region)).toBe(v5(`${scheduleId} ${region}`, '6f2d3c55-7b0a-5c7e-8a55-51b1d0d8a9c2'));
    }
  });
});
