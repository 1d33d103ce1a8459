/**
 * The runs to come of a schedule, by the functions that its slots are decided by. They are told as things are now: whether a server can
 * give an incremental is found out when the backup is taken.
 */
import { type ComingGround, comingGrounds } from '@strongroom/contracts';
import { basisOfIncremental, type NewestOfInstance } from '../chains.js';
import { type DefinedSince, plannedType, slotsOf } from '../slots.js';

export interface ComingRun {
  slotAt: Date;
  /** A run of a paused schedule is skipped. */
  outcome: 'full' | 'incremental' | 'skipped';
  ground: ComingGround;
  /** The regions to which its backup is copied. */
  copyTo: readonly string[];
}

/**
 * The runs after an instant, in order and without end.
 * @param spans the definitions of the schedule, at least one
 * @param newest the newest completed backup of the instance; undefined when there is none
 */
export function* comingRuns(
  spans: readonly DefinedSince[],
  after: Date,
  newest: NewestOfInstance | undefined,
): Generator<ComingRun> {
  let parent = newest;
  for (const { slotAt, definition } of slotsOf(spans, new Date(after.getTime() + 1))) {
    const { copyTo, paused, dayOfWeek } = definition;
    if (paused) {
      yield { slotAt, outcome: 'skipped', ground: 'paused', copyTo: [] };
      continue;
    }
    const basis = plannedType(dayOfWeek, slotAt) === 'full' ? undefined : basisOfIncremental(parent);
    const ground = basis?.type === 'full' ? groundOf(basis.madeFull.ground) : 'planned';
    yield { slotAt, outcome: basis?.type ?? 'full', ground, copyTo };
    parent = { id: '', is: 'whole' };
  }
}

function groundOf(ground: string): ComingGround {
  return comingGrounds.find((each) => each === ground) ?? 'parent-not-there';
}

/** Why the run will be as it will be, for people. */
export function whyComing({ outcome, ground }: Pick<ComingRun, 'outcome' | 'ground'>): string {
  switch (ground) {
    case 'planned':
      return outcome === 'full'
        ? 'The schedule plans a full backup for the day of this slot.'
        : 'The schedule plans an incremental for the day of this slot.';
    case 'nothing-to-build-on':
      return 'An incremental is planned, and the instance has no completed backup to build on.';
    case 'parent-not-there':
      return 'An incremental is planned, and the newest backup of the instance, or what it is built on, is being deleted.';
    case 'paused':
      return 'The schedule is paused, so the slot is skipped.';
  }
}
