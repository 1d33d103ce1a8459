import { describe, expect, it } from '@jest/globals';
import { backupName } from './backup-name.js';

describe('the name of a backup that nobody named', () => {
  it('is the instance and the instant', () => {
    expect(backupName('orders', '20261123T1430Z')).toBe('orders-20261123T1430Z');
  });

  it('has at most 64 characters', () => {
    expect(backupName('x'.repeat(255), '20261123T1430Z')).toHaveLength(64);
  });

  it('never ends its instance in half a character, which no database takes', () => {
    for (const before of [47, 48, 49]) {
      const name = backupName(`${'x'.repeat(before)}🐘🐘`, '20261123T1430Z');
      expect(name).toMatch(/^x+(🐘)?-20261123T1430Z$/u);
      expect(name.length).toBeLessThanOrEqual(64);
    }
  });
});
