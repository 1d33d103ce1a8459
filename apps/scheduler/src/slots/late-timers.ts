/**
 * Puts timers back that ring after the next slot of their schedule: a clock that was ahead has moved them, or has told of
 * the schedule. The slots in between that have an outcome already had it before their time; it is not their own, and when
 * their time comes they are decided again. Which they are is written down with the timer while that can be known.
 */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { type DefinedSince, definitionsOf, scheduledBackupId, slotsOf } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { ZodError } from 'zod';
import type { DueTime } from './due-clock.js';
import { claimLate, putBackTimer, type SlotTimer } from './slot-timers.js';

/** Schedulers of several hosts go by times that differ by less: what one has just decided is not early for another. */
const marginMs = 120_000;
/** So often a slot is decided again: two that contradict each other for long must not go on for ever. */
const mostAgain = 3;
const batchSize = 20;
/** Years of slots: a clock that was farther ahead has decided no more of them at a time. */
const mostSlots = 1_000;
const lookThroughMs = 60_000;
/** A timer is put back within seconds of the clock; what was told under the wrong time is in force since then. */
const soonMs = 60_000;

export class LateTimers {
  /** Not looked through since the start. */
  private lookedThroughAt: number | undefined;
  private wasSuspect = true;

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly log: Logger,
    private readonly catchUpMs: number,
  ) {}

  /** While the time is in doubt nobody can say what is early. */
  async putBack({ now, isSuspect, isInDoubt }: DueTime): Promise<void> {
    if (isInDoubt) {
      this.wasSuspect = true;
      return;
    }
    const all = this.isToLookThrough(isSuspect);
    while ((await this.dataSource.transaction((manager) => this.putBackSome(manager, now, all))) > 0);
    if (all) this.lookedThroughAt = performance.now();
    this.wasSuspect = isSuspect;
  }

  /** At the start, now and then while a clock is wrong, and when all are right again. */
  private isToLookThrough(isSuspect: boolean): boolean {
    if (this.lookedThroughAt === undefined) return true;
    if (!isSuspect) return this.wasSuspect;
    return performance.now() - this.lookedThroughAt > lookThroughMs;
  }

  private async putBackSome(manager: EntityManager, now: Date, all: boolean): Promise<number> {
    const timers = await claimLate(manager, later(now), batchSize, all);
    if (timers.length === 0) return 0;
    let moved = 0;
    for (const timer of timers) {
      try {
        const stream = streamOf('schedule', timer.scheduleId);
        const told = (await this.ledger.readStreams(manager, [stream])).get(stream) ?? [];
        if (await this.putBackOne(manager, timer, told, now)) moved += 1;
      } catch (error) {
        // It holds up no other: the slot dispatcher tells of it when it is due.
        if (!(error instanceof ZodError)) throw error;
      }
    }
    return moved;
  }

  private async putBackOne(
    manager: EntityManager,
    timer: SlotTimer,
    told: readonly RecordedEvent[],
    now: Date,
  ): Promise<boolean> {
    const wasToldAhead = told.some(({ at }) => Date.parse(at) > later(now).getTime());
    const from = new Date(now.getTime() - (wasToldAhead ? soonMs : this.catchUpMs));
    const spans = definitionsOf(told, { now, latest: from });
    const between = slotsBetween(spans, from, timer.nextSlotAt);
    const [first] = between;
    if (!first) return false;
    const ahead = [...timer.ahead];
    const histories = await this.ledger.readStreams(
      manager,
      between.map((slotAt) => streamOf('backup', idOf(timer, slotAt))),
    );
    for (const slotAt of between) {
      const [outcome] = histories.get(streamOf('backup', idOf(timer, slotAt))) ?? [];
      if (outcome && wasAhead(outcome, slotAt, later(now)) && timesAhead(ahead, slotAt) < mostAgain) ahead.push(slotAt);
    }
    await putBackTimer(manager, { scheduleId: timer.scheduleId, nextSlotAt: first, ahead });
    this.log.warn(
      { schedule: timer.scheduleId, from: timer.nextSlotAt.toISOString(), to: first.toISOString() },
      'timer put back: a clock that was ahead had set it',
    );
    return true;
  }
}

/** How often a slot was decided before its time. */
export function timesAhead(ahead: readonly Date[], slotAt: Date): number {
  return ahead.filter((each) => each.getTime() === slotAt.getTime()).length;
}

function idOf({ scheduleId, ahead }: SlotTimer, slotAt: Date): string {
  return scheduledBackupId(scheduleId, slotAt, timesAhead(ahead, slotAt));
}

/** What passed while the clock was ahead and was called missed by it is made up for; what ran has run. */
function wasAhead({ type, at }: RecordedEvent, slotAt: Date, now: Date): boolean {
  return slotAt > now || (type === 'SlotMissed' && new Date(at) > now);
}

function later(now: Date): Date {
  return new Date(now.getTime() + marginMs);
}

function slotsBetween(spans: readonly DefinedSince[], from: Date, until: Date): Date[] {
  const found: Date[] = [];
  if (spans.length === 0) return found;
  for (const { slotAt } of slotsOf(spans, from)) {
    if (slotAt >= until || found.length === mostSlots) break;
    found.push(slotAt);
  }
  return found;
}
