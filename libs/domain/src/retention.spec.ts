import { describe, expect, it } from '@jest/globals';
import { beyondRetention, type JudgedBackup, judgeRetention } from './retention.js';

const server = '00000000-0000-4000-8000-0000000000a1';
const another = '00000000-0000-4000-8000-0000000000b1';
const dayMs = 86_400_000;

/** @param day the day of its slot */
const backup = (backupId: string, day: number, more: Partial<JudgedBackup> = {}): JudgedBackup => ({
  backupId,
  parentId: null,
  slotAt: new Date(day * dayMs),
  planned: 'full',
  type: 'full',
  lineage: server,
  is: 'completed',
  isCopied: true,
  ...more,
});
const incremental = (backupId: string, day: number, parentId: string, more: Partial<JudgedBackup> = {}) =>
  backup(backupId, day, { parentId, planned: 'incremental', type: 'incremental', ...more });
const promoted = (backupId: string, day: number, more: Partial<JudgedBackup> = {}) =>
  backup(backupId, day, { planned: 'incremental', ...more });
const askedFor = (backupId: string, more: Partial<JudgedBackup> = {}) => backup(backupId, 0, { slotAt: null, ...more });

const goes = (held: JudgedBackup[], cycles: number, accepted: Record<string, string[]> = {}) =>
  beyondRetention(held, { cycles, accepted: new Map(Object.entries(accepted)) }).join('');

describe('retention', () => {
  it('deletes the oldest when there are more than are to be kept', () => {
    const held = [backup('a', 0), backup('b', 7), backup('c', 14), backup('d', 21)];
    expect(goes(held, 2)).toBe('ab');
    expect(goes(held, 4)).toBe('');
    expect(goes([], 1)).toBe('');
  });

  it('counts cycles of a schedule that is moved as one, so that nothing is pushed out by moving it', () => {
    const nearMs = 3.5 * dayMs;
    const weeks = [backup('a', 0, { nearMs }), backup('b', 7, { nearMs })];
    const moved = ['c', 'd', 'e'].map((id, index) => backup(id, 14 + index / 100, { nearMs }));
    expect(goes([...weeks, ...moved], 2)).toBe('a');
    expect(goes([...weeks, ...moved], 3)).toBe('');
    // A schedule that is moved for ever keeps no backup for ever.
    const often = Array.from({ length: 10 }, (_, index) => backup(`${index}`, index, { nearMs }));
    expect(goes(often, 2)).toBe('01');
  });

  it('counts one that misses a copy with a whole one that is near, so that its copy keeps nothing that would have gone before', () => {
    const nearMs = 3.5 * dayMs;
    const heldWith = (isCopied: boolean) => [
      backup('a', 0, { nearMs }),
      backup('b', 10, { nearMs, isCopied }),
      backup('c', 12, { nearMs }),
    ];
    expect([goes(heldWith(false), 1), goes(heldWith(true), 1)]).toEqual(['a', 'a']);
    expect([goes(heldWith(false), 2), goes(heldWith(true), 2)]).toEqual(['', '']);
  });

  it('deletes nothing while the newest is not in every region where it is owed', () => {
    expect(goes([backup('a', 0), backup('b', 7), backup('c', 14, { isCopied: false })], 1)).toBe('');
  });

  it('does not count one that misses a copy, and keeps it until enough others are whole', () => {
    const held = [backup('a', 0), backup('b', 7), backup('c', 14, { isCopied: false }), backup('d', 21)];
    expect(goes(held, 2)).toBe('a');
  });

  it('tries again what could not be deleted, but not before there are enough', () => {
    expect(goes([backup('a', 0), backup('b', 7, { is: 'delete-failed' }), backup('c', 14)], 2)).toBe('b');
    expect(goes([backup('b', 7, { is: 'delete-failed' }), backup('c', 14)], 2)).toBe('');
    // It failed before its server was known.
    expect(goes([backup('a', 0, { is: 'delete-failed', lineage: null }), backup('b', 7)], 1)).toBe('a');
  });

  it('counts planned cycles: a full backup in place of an incremental belongs to the cycle of its time', () => {
    const week = [backup('a', 0), promoted('b', 1), promoted('c', 2), incremental('d', 3, 'c')];
    expect(goes([...week, promoted('e', 4), promoted('f', 5)], 1)).toBe('');
    expect(goes([...week, backup('g', 7), promoted('h', 8)], 1)).toBe('abcd');
  });

  it('deletes what ran before the first planned full backup once there are enough cycles', () => {
    const before = [promoted('a', 0), incremental('b', 1, 'a')];
    expect(goes([...before, backup('c', 2)], 2)).toBe('');
    expect(goes([...before, backup('c', 2), backup('d', 9)], 2)).toBe('ab');
  });

  it('neither counts nor deletes what somebody asked for', () => {
    const held = [backup('a', 0), incremental('b', 1, 'a'), askedFor('x'), askedFor('y')];
    expect(goes(held, 1)).toBe('');
    expect(goes([...held, backup('c', 7)], 1)).toBe('ab');
  });

  it('keeps the parents of every backup that stays: one asked for, one running, one of a cycle that is kept', () => {
    const week = [backup('a', 0), incremental('b', 1, 'a'), incremental('c', 2, 'b')];
    const of = (last: JudgedBackup) => goes([...week, last, backup('d', 7)], 1);
    expect(of(askedFor('x', { type: 'incremental', parentId: 'b' }))).toBe('c');
    expect(of(askedFor('x', { type: 'incremental', parentId: 'c', is: 'unended' }))).toBe('');
    expect(goes([...week, backup('d', 7), incremental('e', 8, 'a')], 1)).toBe('bc');
  });

  it('deletes incrementals that are built on a backup that somebody asked for, and keeps that backup', () => {
    expect(goes([backup('a', 0), askedFor('x'), incremental('b', 1, 'x'), backup('c', 7)], 1)).toBe('ab');
  });

  it('never replaces a backup by those of another server, however many there are', () => {
    const former = [backup('a', 0), incremental('b', 1, 'a'), backup('c', 7)];
    const ofAnother = [14, 21, 28].map((day) => backup(`n${day}`, day, { lineage: another }));
    expect(goes([...former, ...ofAnother], 1)).toBe('abn14n21');
    expect(goes([...former, ...ofAnother.slice(0, 1)], 2)).toBe('');
  });

  it('neither deletes nor counts a backup whose server is not known', () => {
    const unknown = [backup('a', 0, { lineage: null }), backup('b', 7, { lineage: null })];
    expect(goes([...unknown, backup('c', 14)], 1)).toBe('');
    expect(goes([...unknown, backup('c', 14), backup('d', 21)], 1)).toBe('c');
  });

  it('deletes what an accepted lineage replaces once that has enough cycles of its own, and never the reverse', () => {
    const former = [backup('a', 0), backup('b', 7)];
    const now = [backup('n', 14, { lineage: another }), backup('o', 21, { lineage: another })];
    expect(goes([...former, ...now.slice(0, 1)], 2, { [another]: [server] })).toBe('');
    expect(goes([...former, ...now], 2, { [another]: [server] })).toBe('ab');
    // The former server is back, and its new backups are newer than all of the other server.
    expect(goes([...former, ...now, backup('c', 28)], 2, { [another]: [server] })).toBe('ab');
    expect(goes([...former, ...now, backup('c', 28)], 2, { [server]: [another] })).toBe('a');
  });

  it('counts a slot once, though a wrong clock had it run twice', () => {
    const twice = [backup('a', 0), backup('b', 7), backup('c', 7)];
    expect(goes(twice, 2)).toBe('');
    expect(goes([...twice, backup('d', 14)], 2)).toBe('a');
  });

  it('goes by the order of making: a slot of next year that a wrong clock had run replaces nothing newer', () => {
    const held = [backup('a', 0), backup('x', 365), backup('b', 7), backup('c', 14)];
    expect(goes(held.slice(0, 2), 1)).toBe('a');
    expect(goes(held.slice(0, 3), 1)).toBe('ax');
    expect(goes(held, 2)).toBe('ax');
    expect(goes(held, 3)).toBe('a');
    const unproven = held.map((each) => ({ ...each, isCopied: each.backupId !== 'c' }));
    expect(goes(unproven, 1)).toBe('');
  });

  it('keeps what ran after a full whose slot was still to come, until that slot has run at its time', () => {
    const held = [backup('a', 0), backup('x', 7), incremental('b', 5, 'x'), promoted('c', 6)];
    expect(goes(held, 1)).toBe('a');
    expect(goes([...held, backup('d', 7, { isCopied: false })], 1)).toBe('');
    expect(goes([...held, backup('d', 7), backup('e', 14)], 1)).toBe('axbcd');
  });

  it('keeps every cycle that begins on a day of day_of_week 7', () => {
    const daily = Array.from({ length: 5 }, (_, day) => backup(String(day), day));
    expect(goes(daily, 3)).toBe('01');
  });
});

describe('retention says of each backup that has had its time and stays why it does', () => {
  const putOff = (held: JudgedBackup[], cycles = 1, accepted: Record<string, string[]> = {}) =>
    judgeRetention(held, { cycles, accepted: new Map(Object.entries(accepted)) }).putOff.map(
      ({ backupId, ground, waitsFor }) => `${backupId} ${ground} ${waitsFor.join()}`,
    );

  it('a newer one, by its id, is not in every region where it is owed', () => {
    const week = [backup('a', 0), incremental('b', 1, 'a')];
    const newer = backup('c', 7, { isCopied: false });
    expect(putOff([...week, newer])).toEqual(['a copies-missing c', 'b copies-missing c']);
    expect(putOff([...week, { ...newer, isCopied: true }])).toEqual([]);
    // It is not the newest that misses a copy.
    expect(putOff([...week, newer, backup('d', 14)], 2)).toEqual(['a copies-missing c', 'b copies-missing c']);
  });

  it('the same one as before while that is true, though another has come since', () => {
    const held = [backup('a', 0), backup('b', 7, { isCopied: false }), backup('c', 14, { isCopied: false })];
    expect(putOff(held, 2)).toEqual(['a copies-missing c']);
    expect(putOff([backup('a', 0, { toldWaitsFor: ['b'] }), ...held.slice(1)], 2)).toEqual(['a copies-missing b']);
    expect(putOff([backup('a', 0, { toldWaitsFor: ['x'] }), ...held.slice(1)], 2)).toEqual(['a copies-missing c']);
  });

  it('those that are built on it stay: the nearest of them, by their ids', () => {
    const week = [backup('a', 0), incremental('b', 1, 'a')];
    const byHand = askedFor('x', { type: 'incremental', parentId: 'b' });
    const onThat = askedFor('y', { type: 'incremental', parentId: 'x' });
    expect(putOff([...week, byHand, onThat, backup('c', 7)])).toEqual(['a built-on x', 'b built-on x']);
    const running = incremental('r', 2, 'b', { is: 'unended' });
    expect(putOff([...week, running, backup('c', 7)])).toEqual(['a built-on r', 'b built-on r']);
    const failed = { ...byHand, is: 'delete-failed' as const };
    expect(putOff([...week, failed, backup('c', 7)])).toEqual(['a built-on x', 'b built-on x']);
  });

  it('and of no other', () => {
    const held = [backup('a', 0), askedFor('x'), backup('n', 3, { lineage: another }), backup('c', 7)];
    expect(putOff(held, 2)).toEqual([]);
    expect(putOff([...held, backup('d', 14)], 2)).toEqual([]);
    expect(
      putOff([
        backup('u', 0, { lineage: null }),
        backup('f', 1, { is: 'delete-failed' }),
        backup('c', 7, { isCopied: false }),
      ]),
    ).toEqual([]);
  });

  it('that an accepted lineage is to replace, too', () => {
    const held = [backup('a', 0), backup('n', 7, { lineage: another, isCopied: false })];
    expect(putOff(held)).toEqual([]);
    expect(putOff(held, 1, { [another]: [server] })).toEqual(['a copies-missing n']);
  });
});
