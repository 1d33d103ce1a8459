/**
 * Puts timers back that ring after the next slot of their schedule. A clock that was ahead has moved such a timer, or has
 * dated the schedule. The slots in between may have been called missed or skipped before their time. They are decided again when their
 * time comes. Which slots they are is written down with the timer. A slot that became a backup has run, whatever the clocks say.
 */
import { messageOf, type RecordedEvent, type StreamName, streamOf } from '@strongroom/contracts';
import {
  type DefinedSince,
  definitionsOf,
  fold,
  scheduleDecider,
  scheduledBackupId,
  slotsOf,
} from '@strongroom/domain';
import { isOutageForAll, type Ledger } from '@strongroom/ledger';
import type { Logger, SetAside } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import type { DueTime } from './due-clock.js';
import type { HeldSchedules } from './held-schedules.js';
import { claimLate, dropTimers, putBackTimer, type SlotTimer } from './slot-timers.js';

/** The times of schedulers on several hosts differ by less: what one has just decided is not early for another. */
const marginMs = 120_000;
/** Every schedule has a slot within this time. */
const dayMs = 86_400_000;
const batchSize = 20;
/** How many slots are looked at for one timer: those of some years. */
const mostSlots = 1_000;
const lookThroughMs = 60_000;
/**
 * A timer is put back within seconds after the wrong clock was put right. A change that was recorded under the wrong
 * time counts from then on.
 */
const soonMs = 60_000;

export interface LateTimersParts {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  catchUpMs: number;
  setAside: SetAside;
  held: HeldSchedules;
}

export class LateTimers {
  /** Undefined until all timers have been looked through once. */
  private lookedThroughAt: number | undefined;
  private wasSuspect = true;

  constructor(private readonly parts: LateTimersParts) {}

  /**
   * Looks at each late timer once. Nothing is put back while the time is in doubt: nobody can say then what is early.
   * @param lastRingMs when the last of all timers rings, in milliseconds since 1970; infinite where that is not known. None is late
   *   when that is within a day
   * @param moved is called after each transaction
   * @returns whether timers were looked at: some may ring at another time now
   */
  async putBack(
    { now, isSuspect, isInDoubt }: DueTime,
    lastRingMs: number,
    signal?: AbortSignal,
    moved = () => {},
  ): Promise<boolean> {
    if (isInDoubt) {
      this.wasSuspect = true;
      return false;
    }
    const all = this.isToLookThrough(isSuspect);
    if (!all && lastRingMs < later(now).getTime() + dayMs) {
      this.wasSuspect = isSuspect;
      return false;
    }
    for (let after: string | undefined; !signal?.aborted; moved()) {
      const options = { limit: batchSize, all, except: this.parts.held.now(), after };
      after = await this.parts.dataSource.transaction((manager) => this.putBackSome(manager, now, options));
      if (after === undefined) break;
    }
    if (signal?.aborted) return true;
    if (all) this.lookedThroughAt = performance.now();
    this.wasSuspect = isSuspect;
    return true;
  }

  /** All timers are looked through at the start, once a minute while a clock is wrong, and when all clocks are right again. */
  private isToLookThrough(isSuspect: boolean): boolean {
    if (this.lookedThroughAt === undefined) return true;
    if (!isSuspect) return this.wasSuspect;
    return performance.now() - this.lookedThroughAt > lookThroughMs;
  }

  /** @returns the id of the last schedule that was looked at; undefined when there are no more */
  private async putBackSome(
    manager: EntityManager,
    now: Date,
    options: Parameters<typeof claimLate>[2],
  ): Promise<string | undefined> {
    const { timers, unreadable } = await claimLate(manager, later(now), options);
    for (const { scheduleId, reason } of unreadable) await this.hold(manager, scheduleId, null, reason);
    // A timer is made anew from its schedule where it is missing.
    const broken = unreadable.map(({ scheduleId }) => scheduleId);
    if (broken.length > 0) await dropTimers(manager, broken);
    for (const timer of timers) {
      try {
        await manager.transaction((apart) => this.putBackOne(apart, timer, now));
      } catch (error) {
        if (isOutageForAll(error)) throw error;
        await this.hold(manager, timer.scheduleId, timer.accountId, messageOf(error));
      }
    }
    const looked = [...broken, ...timers.map(({ scheduleId }) => scheduleId)];
    return looked.length < options.limit ? undefined : looked.sort().at(-1);
  }

  /** This timer holds up no other: those that are held are not taken again meanwhile. */
  private async hold(manager: EntityManager, scheduleId: string, accountId: string | null, why: string): Promise<void> {
    this.parts.held.hold(scheduleId);
    const reason = `its timer rings late and can't be put back: ${why}`;
    await this.parts.setAside.put('schedule', [{ id: scheduleId, accountId, reason }], manager);
  }

  private async putBackOne(manager: EntityManager, timer: SlotTimer, now: Date): Promise<void> {
    const stream = streamOf('schedule', timer.scheduleId);
    const told = (await this.parts.ledger.readStreams(manager, [stream])).get(stream) ?? [];
    // The news that the schedule is deleted may be on its way for as long as the feed is away.
    if (fold(scheduleDecider, told).is !== 'active') return dropTimers(manager, [timer.scheduleId]);
    const wasToldAhead = told.some(({ at }) => Date.parse(at) > later(now).getTime());
    const from = new Date(now.getTime() - (wasToldAhead ? soonMs : this.parts.catchUpMs));
    const spans = definitionsOf(told, { now, latest: from });
    const between = slotsBetween(spans, from, timer.nextSlotAt);
    const [first] = between;
    // Its schedule has changed: the news of that puts it right.
    if (!first) return;
    const ahead = [...timer.ahead];
    const histories = await this.parts.ledger.readStreams(
      manager,
      between.map((slotAt) => firstOutcomeOf(timer, slotAt)),
    );
    for (const slotAt of between) {
      const outcome = histories.get(firstOutcomeOf(timer, slotAt))?.[0];
      if (hasNoBackup(outcome) && wasAhead(outcome, slotAt, later(now)) && !isAhead(ahead, slotAt)) ahead.push(slotAt);
    }
    await putBackTimer(manager, { scheduleId: timer.scheduleId, nextSlotAt: first, ahead });
    this.parts.log.warn(
      { schedule: timer.scheduleId, from: timer.nextSlotAt.toISOString(), to: first.toISOString() },
      'timer put back: a clock that was ahead had set it',
    );
  }
}

/** Whether a slot was called missed or skipped before its time. */
export function isAhead(ahead: readonly Date[], slotAt: Date): boolean {
  return ahead.some((each) => each.getTime() === slotAt.getTime());
}

/** The stream whose first event is what became of a slot when it was decided first. That event never changes. */
export function firstOutcomeOf({ scheduleId }: SlotTimer, slotAt: Date): StreamName {
  return streamOf('backup', scheduledBackupId(scheduleId, slotAt));
}

/** Whether a slot came to nothing when it was decided first. Only such a slot may still become a backup. */
export function hasNoBackup(
  outcome: RecordedEvent | undefined,
): outcome is RecordedEvent<'SlotMissed' | 'SlotSkipped'> {
  return outcome?.type === 'SlotMissed' || outcome?.type === 'SlotSkipped';
}

/** A slot that was called missed only because the clock was ahead is made up for. */
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
