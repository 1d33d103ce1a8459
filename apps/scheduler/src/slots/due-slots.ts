/** Which slots of timers are due, by the rules of the domain. What finds no room in a batch stays due. */
import { dueSlots, plannedType, type Slot } from '@strongroom/domain';
import type { DueTime } from './due-clock.js';
import type { Judged } from './slot-decision.js';

/** The slots of a timer that are due. */
export type Due = Judged & ReturnType<typeof dueSlots>;

/** As many as there is room for. The others stay due, and are taken next. */
export function dueOf(
  known: readonly Judged[],
  { now, doubtMs }: DueTime,
  { most, catchUpMs }: { most: number; catchUpMs: number },
): Due[] {
  const due: Due[] = [];
  let room = most;
  for (const { timer, basis } of known) {
    if (room <= 0) break;
    const slots = dueSlots(basis.spans, timer.nextSlotAt, now, catchUpMs + doubtMs, room);
    room -= slots.paused.length + slots.missed.length + (slots.fire ? 1 : 0);
    due.push({ timer, basis, ...slots });
  }
  return due;
}

export function isIncremental({ slotAt, definition }: Slot): boolean {
  return plannedType(definition.dayOfWeek, slotAt) === 'incremental';
}
