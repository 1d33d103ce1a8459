import { describe, expect, it } from '@jest/globals';
import { rights as all, isOfAccount, operations, type Right, rightsInWords, usualRoles } from '@strongroom/contracts';
import { hasRight } from './rights.js';

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

describe('rights', () => {
  it('stand beside each operation of an account, so that none can be called without one', () => {
    const without = operations.filter((each) => isOfAccount(each) !== (each.rights ?? []).length > 0);
    expect(without.map(({ name }) => name)).toEqual([]);
  });

  it('are each asked for by an operation, or by what its body asks for', () => {
    const atTheDoor = new Set(operations.flatMap(({ rights = [] }) => rights));
    const byBody: Right[] = ['schedule.retention', 'instance.lead-elsewhere'];
    expect(all.filter((right) => !atTheDoor.has(right)).sort()).toEqual(byBody.sort());
  });

  it('are those that a deployment gives a role, instead of the usual ones', () => {
    const roles = new Map([...usualRoles, ['creator', ['backup.read'] as const], ['auditor', ['audit.read'] as const]]);
    expect(hasRight(principal('creator'), 'restore')).toBe(true);
    expect(hasRight(principal('creator'), 'restore', roles)).toBe(false);
    expect(hasRight(principal('auditor'), 'audit.read', roles)).toBe(true);
    expect(hasRight(principal('auditor'), 'backup.delete', roles)).toBe(false);
  });

  it('are those of the principal itself too', () => {
    const one = { ...principal('observer'), rights: ['restore' as const] };
    expect([hasRight(one, 'restore'), hasRight(one, 'backup.read'), hasRight(one, 'backup.delete')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('are written as words: roles, rights, groups of them, and what is taken away', () => {
    expect(rightsInWords(['backup.*'])).toEqual(all.filter((right) => right.startsWith('backup.')));
    expect(rightsInWords(['observer', 'restore'])).toEqual(expect.arrayContaining(['restore', 'event.read']));
    const lesser = rightsInWords(['creator', '!restore', '!instance.*']);
    expect(lesser).toEqual(expect.arrayContaining(['backup.create']));
    for (const gone of ['restore', 'instance.read', 'instance.register']) expect(lesser).not.toContain(gone);
    for (const wrong of ['backup', 'backup.delet', '*', '!', 'Admin', '.*', 'constructor']) {
      expect(rightsInWords([wrong])).toEqual({ unknown: wrong });
    }
  });
});
