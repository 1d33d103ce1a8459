import { describe, expect, it } from '@jest/globals';
import { broughtBackWith, bytesGoAt, type Deletable, deletionOf, keptUntil } from './deletion-delay.js';
import { account } from './given.js';

const day = 86_400_000;
const at = (days: number) => new Date(Date.UTC(2026, 0, 1) + days * day);
const backup = (id: string, fields: Partial<Deletable> = {}): Deletable => ({
  id,
  parentId: id === 'full' ? null : 'full',
  isDeleteFailed: false,
  completedAt: at(0),
  mark: null,
  ...fields,
});
const marked = (on: number, until: number) => ({ mark: { at: at(on), purgeAt: at(until) } });

describe('the bytes of a deleted backup', () => {
  const rules = { delayMs: 7 * day, minimumMs: 0 };

  it('go when the delay is over', () => {
    expect(bytesGoAt(backup('full'), rules, at(3))).toEqual(at(10));
  });

  it('stay until the minimum retention of the account is over, whoever deletes it and when', () => {
    expect(bytesGoAt(backup('full'), { ...rules, minimumMs: 30 * day }, at(3))).toEqual(at(30));
    expect(bytesGoAt(backup('full'), { delayMs: 0, minimumMs: 30 * day }, at(3))).toEqual(at(30));
    expect(bytesGoAt(backup('full'), { ...rules, minimumMs: 30 * day }, at(29))).toEqual(at(36));
  });

  it('have no minimum where the backup has failed', () => {
    expect(keptUntil(null, { minimumMs: 30 * day })).toBeUndefined();
    expect(bytesGoAt(backup('failed', { completedAt: null }), { ...rules, minimumMs: 30 * day }, at(3))).toEqual(
      at(10),
    );
  });

  it('stay longer when the operator made the delay or the minimum longer since, and never shorter than was told', () => {
    const deleted = backup('full', marked(3, 10));
    expect(bytesGoAt(deleted, rules, at(5))).toEqual(at(10));
    expect(bytesGoAt(deleted, { delayMs: 0, minimumMs: 0 }, at(5))).toEqual(at(10));
    expect(bytesGoAt(deleted, { delayMs: 14 * day, minimumMs: 0 }, at(5))).toEqual(at(17));
    expect(bytesGoAt(deleted, { ...rules, minimumMs: 60 * day }, at(5))).toEqual(at(60));
  });

  it('do not go sooner because the clock of whoever deleted it was behind that of the ledger', () => {
    expect(bytesGoAt(backup('full', marked(3, -20)), rules, at(3))).toEqual(at(10));
  });
});

describe('a deletion', () => {
  const ask = (chain: Deletable[], rules: { delayMs: number; minimumMs: number }) =>
    deletionOf(chain, { accountId: account, trigger: 'request', now: at(3), rules }).map(({ command }) => command);

  it('marks the backup with everything that is built on it, each with its own time', () => {
    const chain = [backup('full'), backup('child', { completedAt: at(2) })];
    expect(ask(chain, { delayMs: day, minimumMs: 10 * day })).toEqual([
      {
        type: 'MarkDeletion',
        backupId: 'full',
        accountId: account,
        trigger: 'request',
        rootId: 'full',
        purgeAt: at(10).toISOString(),
      },
      expect.objectContaining({ backupId: 'child', rootId: 'full', purgeAt: at(12).toISOString() }),
    ]);
  });

  it('begins at once where nothing keeps the bytes of any of them', () => {
    expect(ask([backup('full'), backup('child')], { delayMs: 0, minimumMs: 0 })).toEqual([
      { type: 'RequestDeletion', backupId: 'full', accountId: account, trigger: 'request' },
      { type: 'RequestDeletion', backupId: 'child', accountId: account, trigger: 'cascade' },
    ]);
  });

  it('waits for what was deleted before, though there is no delay any more', () => {
    const chain = [backup('full'), backup('child', marked(2, 9))];
    expect(ask(chain, { delayMs: 0, minimumMs: 0 }).map(({ type }) => type)).toEqual(['MarkDeletion', 'MarkDeletion']);
  });

  it('asks at once for what could not be removed before, once for a chain of it, and marks the others', () => {
    const failed = { isDeleteFailed: true };
    const chain = [
      ...[backup('full'), backup('child'), backup('left', failed)],
      backup('left too', { ...failed, parentId: 'left' }),
    ];
    expect(ask(chain, { delayMs: day, minimumMs: 0 })).toEqual([
      expect.objectContaining({ type: 'MarkDeletion', backupId: 'full' }),
      expect.objectContaining({ type: 'MarkDeletion', backupId: 'child', rootId: 'full' }),
      { type: 'RequestDeletion', backupId: 'left', accountId: account, trigger: 'request' },
      { type: 'RequestDeletion', backupId: 'left too', accountId: account, trigger: 'cascade' },
    ]);
  });

  it('that a second person may have to approve begins at no delay either: it waits for the look at it', () => {
    const rules = { delayMs: 0, minimumMs: 0 };
    const asked = { accountId: account, trigger: 'request', now: at(3), rules, mayNeedApproval: true } as const;
    expect(deletionOf([backup('full'), backup('child')], asked).map(({ command }) => command.type)).toEqual([
      'MarkDeletion',
      'MarkDeletion',
    ]);
  });

  it('of nothing asks for nothing', () => {
    expect(ask([], { delayMs: 0, minimumMs: 0 })).toEqual([]);
  });
});

describe('what comes back with a deleted backup', () => {
  const chain = (roots: Record<string, string | null>) =>
    Object.entries(roots).map(([id, rootId], index, all) => ({ id, parentId: all[index - 1]?.[0] ?? null, rootId }));

  it('is everything that was deleted together with it', () => {
    const together = chain({ full: 'full', monday: 'full', tuesday: 'full' });
    expect(broughtBackWith('full', together)).toEqual(['full', 'monday', 'tuesday']);
    expect(broughtBackWith('tuesday', together)).toEqual(['full', 'monday', 'tuesday']);
  });

  it('is not what was deleted before, by itself', () => {
    expect(broughtBackWith('full', chain({ full: 'full', monday: 'full', tuesday: 'tuesday' }))).toEqual([
      'full',
      'monday',
    ]);
  });

  it('is what it is built on, whenever that was deleted', () => {
    expect(broughtBackWith('tuesday', chain({ full: 'full', monday: 'full', tuesday: 'tuesday' }))).toEqual([
      'full',
      'monday',
      'tuesday',
    ]);
    expect(broughtBackWith('tuesday', chain({ full: null, monday: 'monday', tuesday: 'tuesday' }))).toEqual([
      'monday',
      'tuesday',
    ]);
  });

  it('is nothing where it is not deleted', () => {
    expect(broughtBackWith('full', chain({ full: null, monday: 'monday' }))).toEqual([]);
  });
});
