/** What the screens say of what the API tells of restorable backups. */
import type { RestorableRegion, RestorableResource, RestoreTest, SlotOutcome } from '@strongroom/contracts';
import type { Tone } from './parts/mark.js';

/** Schedules run every day. A point is old when the next one should have been there for half a day. */
export const oldAfterMs = 36 * 3_600_000;

export type Stand = 'restorable' | 'old' | 'nothing' | 'not-wanted';

/** How a region stands for a schedule. */
export function standOf({ wanted, newest, owed, lost, failed }: RestorableRegion, now: Date): Stand {
  if (newest) return now.getTime() - Date.parse(newest.completed) > oldAfterMs ? 'old' : 'restorable';
  return wanted || owed + lost + failed > 0 ? 'nothing' : 'not-wanted';
}

export const standWords: Readonly<Record<Stand, [Tone, string]>> = {
  restorable: ['good', 'Restorable'],
  old: ['warning', 'Old'],
  nothing: ['bad', 'Nothing to restore'],
  'not-wanted': ['quiet', 'Not copied here'],
};

export type TestStand = 'tested' | 'test-failed' | 'not-tested';

/** How the newest restore has ended that was tested from a region. @param tests the newest first */
export function testStandOf([newest]: readonly RestoreTest[]): TestStand {
  if (!newest) return 'not-tested';
  return newest.outcome === 'passed' ? 'tested' : 'test-failed';
}

export const testWords: Readonly<Record<TestStand, [Tone, string]>> = {
  tested: ['good', 'Restore tested'],
  'test-failed': ['bad', 'Restore test failed'],
  'not-tested': ['quiet', 'No restore tested'],
};

export const outcomeWords: Readonly<Record<SlotOutcome, [Tone, string]>> = {
  completed: ['good', 'Completed'],
  failed: ['bad', 'Failed'],
  running: ['busy', 'Running'],
  skipped: ['quiet', 'Skipped'],
  missed: ['warning', 'Missed'],
};

/** How often each outcome is there, in words: `28 completed, 1 failed`. */
export function countsOf(outcomes: readonly SlotOutcome[]): string {
  const counts = new Map<SlotOutcome, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ') || 'none yet';
}

/** As people count: server-2 comes before server-10. */
export const byName = new Intl.Collator(undefined, { numeric: true }).compare;

export function nameOf({
  instance_name,
  instance_id,
}: Pick<RestorableResource, 'instance_name' | 'instance_id'>): string {
  return instance_name ?? instance_id;
}

/** The schedules by the name of their instance. */
export function inOrder(restorable: Iterable<RestorableResource>): RestorableResource[] {
  return [...restorable].sort((a, b) => byName(nameOf(a), nameOf(b)) || (a.id < b.id ? -1 : 1));
}

/** Those that have every word that is sought. */
export function sought<T>(rows: readonly T[], text: string, textOf: (row: T) => string): T[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...rows];
  return rows.filter((row) => {
    const has = textOf(row).toLowerCase();
    return words.every((word) => has.includes(word));
  });
}
