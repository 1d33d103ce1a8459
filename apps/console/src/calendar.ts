/** What became of the slots of each day. */
import type { RunResource, SlotOutcome } from '@strongroom/contracts';

export interface Month {
  /** `2026-11`. */
  name: string;
  /** What became of the slots of each day, from the first day on; undefined where there was none. */
  days: readonly (SlotOutcome | undefined)[];
}

/** When a day had more than one slot, what counts is the worst. */
const worstFirst: readonly SlotOutcome[] = ['failed', 'missed', 'running', 'skipped', 'completed'];
const monthsShown = 12;

/** What became of a slot; undefined when it is to come. */
export function outcomeOf({ outcome, backup_status, fault }: RunResource): SlotOutcome | undefined {
  if (outcome === 'coming') return undefined;
  if (outcome !== 'ran') return outcome;
  if (backup_status === 'NEW' || backup_status === 'BUILDING') return 'running';
  if (backup_status === 'FAILED' || (backup_status === null && fault !== null)) return 'failed';
  return 'completed';
}

/** The last twelve months, in UTC, the newest first. */
export function calendarOf(runs: readonly RunResource[], now: Date): Month[] {
  const byDay = new Map<string, SlotOutcome>();
  for (const run of runs) {
    const outcome = outcomeOf(run);
    const day = run.slot.slice(0, 10);
    const before = byDay.get(day);
    if (outcome === undefined) continue;
    if (before === undefined || worstFirst.indexOf(outcome) < worstFirst.indexOf(before)) byDay.set(day, outcome);
  }
  return Array.from({ length: monthsShown }, (_, at) => {
    const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - at, 1));
    const length = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
    const name = first.toISOString().slice(0, 7);
    const days = Array.from({ length }, (_, day) => byDay.get(`${name}-${String(day + 1).padStart(2, '0')}`));
    return { name, days };
  });
}
