import { describe, expect, it } from '@jest/globals';
import { copyId, scheduledBackupId } from './identities.js';

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
});
