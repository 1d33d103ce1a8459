import { describe, expect, it } from '@jest/globals';
import { hasRight, type Right } from './rights.js';

const principal = (...roles: string[]) => ({ name: 'someone', accountId: '1234', roles });
const rights: Right[] = [
  'backup.delete',
  'backup.restore-deleted',
  'backup.approve-deletion',
  'backup.hold',
  'schedule.delete',
  'schedule.retention',
  'instance.forget',
  'instance.accept-lineage',
  'instance.lead-elsewhere',
];

describe('a right that lets something go', () => {
  it.each(rights)('%s belongs to an admin alone', (right) => {
    expect(hasRight(principal('admin'), right)).toBe(true);
    expect(hasRight(principal('observer', 'admin'), right)).toBe(true);
    expect(hasRight(principal('creator'), right)).toBe(false);
    expect(hasRight(principal('observer', 'member'), right)).toBe(false);
    expect(hasRight(principal(), right)).toBe(false);
  });
});
