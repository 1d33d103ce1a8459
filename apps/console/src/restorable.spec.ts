import { describe, expect, it } from '@jest/globals';
import { cellOf, type KnownBackup } from './restorable.js';

const now = new Date('2026-11-27T12:00:00Z');
const today = '2026-11-27T03:20:00.000Z';
const verified = '2026-11-27T03:25:00.000Z';

function backup(id: string, fields: Partial<KnownBackup> = {}): KnownBackup {
  return {
    id,
    instanceId: 'orders',
    scheduleId: null,
    parentId: null,
    status: 'COMPLETED',
    faultMessage: null,
    createdAt: today,
    completedAt: today,
    wholeIn: new Map([['DFW', verified]]),
    owedTo: new Map(),
    ...fields,
  };
}
const running = backup('running', { status: 'BUILDING', completedAt: null, wholeIn: new Map() });
const cell = (region: string, backups: KnownBackup[], { isAllRead = true, isWanted = true } = {}) =>
  cellOf({ region, isWanted, backups, isAllRead, now });

describe('what a region can restore', () => {
  it('is the newest backup that it holds, whatever runs or has failed since', () => {
    const failed = backup('failed', { status: 'FAILED', completedAt: null, wholeIn: new Map() });
    expect(cell('DFW', [running, failed, backup('b'), backup('a')])).toEqual({
      is: 'restorable',
      backupId: 'b',
      at: today,
      verifiedAt: verified,
      isOld: false,
      newer: null,
    });
  });

  it('is an incremental only with all that it is built on, and as well proven as the least of these', () => {
    const longAgo = '2026-11-20T00:00:00.000Z';
    const full = backup('full', {
      wholeIn: new Map([
        ['DFW', longAgo],
        ['IAD', longAgo],
      ]),
    });
    const second = backup('second', { parentId: 'full', wholeIn: new Map([['DFW', verified]]) });
    const third = backup('third', {
      parentId: 'second',
      wholeIn: new Map([
        ['DFW', verified],
        ['IAD', verified],
      ]),
    });
    expect(cell('DFW', [third, second, full])).toMatchObject({ backupId: 'third', verifiedAt: longAgo });
    expect(cell('IAD', [third, second, full])).toMatchObject({ backupId: 'full', verifiedAt: longAgo });
    const unproven = backup('full', { wholeIn: new Map([['DFW', null]]) });
    expect(cell('DFW', [second, unproven])).toMatchObject({ backupId: 'second', verifiedAt: null });
  });

  it.each([
    ['on-its-way', { status: 'COPYING', state: 'OWED' }],
    ['lost', { status: 'PENDING', state: 'LOST' }],
    ['failed', { status: 'FAILED', state: 'OWED' }],
  ] as const)('is an older backup while a newer one is %s there', (newer, owed) => {
    const newest = backup('newest', { owedTo: new Map([['IAD', owed]]) });
    const before = backup('before', { wholeIn: new Map([['IAD', verified]]) });
    expect(cell('IAD', [newest, before])).toMatchObject({ is: 'restorable', backupId: 'before', newer });
    expect(cell('IAD', [newest])).toEqual({ is: 'nothing', newer });
  });

  it('is old when the next backup should have been there for half a day', () => {
    const at = (completedAt: string) => cell('DFW', [backup('a', { completedAt })]);
    expect(at('2026-11-26T00:00:00.000Z')).toMatchObject({ isOld: false });
    expect(at('2026-11-25T23:59:59.000Z')).toMatchObject({ isOld: true });
  });

  it('is nothing where backups are wanted, and not a fault where they are not', () => {
    expect(cell('IAD', [backup('a')])).toEqual({ is: 'nothing', newer: null });
    expect(cell('IAD', [backup('a')], { isWanted: false })).toEqual({ is: 'not-wanted' });
    expect(cell('DFW', [])).toEqual({ is: 'nothing', newer: null });
  });

  it('is not known as long as what was read does not tell', () => {
    expect(cell('DFW', [running], { isAllRead: false })).toEqual({ is: 'unknown' });
    expect(cell('DFW', [backup('b', { parentId: 'not read' })], { isAllRead: false })).toEqual({ is: 'unknown' });
    // What is built on something that is nowhere cannot be restored.
    expect(cell('DFW', [backup('b', { parentId: 'gone' }), backup('a')])).toMatchObject({ backupId: 'a' });
  });
});
