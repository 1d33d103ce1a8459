/**
 * The slot dispatcher decides every slot that has come due. Any number of schedulers may run it at once. The slot's own
 * identity is the lock: a slot has one outcome, whoever decides it and however often.
 *
 * A clock that was wrong may have decided slots before their time and moved timers beyond them. Such timers are put back,
 * and the slots are decided again when their time has come, under a further identity.
 *
 * What a schedule said at a slot's time is read from the ledger, not from the timer. So a schedule that was paused or
 * deleted a second ago does not fire, though the feed has not brought the news yet.
 *
 * A schedule whose slots can't be judged is set aside and tried again. It holds up no other.
 */
import { begunBy, isRefusal, messageOf, type RecordedEvent, streamOf } from '@strongroom/contracts';
import {
  backupDecider,
  definitionsOf,
  dueSlots,
  fold,
  instanceDecider,
  plannedType,
  scheduleDecider,
} from '@strongroom/domain';
import { type AppendRequest, isOutageForAll, type Ledger, plan } from '@strongroom/ledger';
import { storedBytesOf, type Views } from '@strongroom/read-model';
import { type Ids, type Logger, type Quota, quotaOf, SetAside } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { whyBusy } from './busy-instances.js';
import type { DueClock, DueTime } from './due-clock.js';
import { HeldSchedules } from './held-schedules.js';
import { LateTimers, timesAhead } from './late-timers.js';
import {
  begin,
  idOfSlot,
  miss,
  type SlotDecision,
  skipBusy,
  skipOverQuota,
  skipPaused,
  skipTaken,
} from './slot-decision.js';
import { SlotParents } from './slot-parents.js';
import { accountsDue, claimDue, dropTimers, moveTimers, type SlotTimer } from './slot-timers.js';
import { SlotWatch } from './slot-watch.js';

export interface Decided {
  fired: number;
  skipped: number;
  missed: number;
  /** The greatest delay between a fired slot's nominal time and now, in milliseconds. */
  lagMs: number;
}

/** What one transaction has done. */
interface Batch {
  /** How many timers were taken. Each was moved, dropped or held back, but for those that found no room. */
  claimed: number;
  recorded: SlotDecision[];
}

const mostTimers = 200;
/** How many slots are decided in one transaction. After a long outage one schedule alone may have hundreds. */
const mostDecisions = 500;
/** How many timers' accounts are looked at before they are taken. Others may take some of them. */
const mostLookedAt = 1_000;
/** How long a slot is left whose parent is not known yet. A pass waits less, and so it ends. */
const soonMs = 2_000;
const nothing: Decided = { fired: 0, skipped: 0, missed: 0, lagMs: 0 };

export class SlotDispatcher {
  private readonly parents: SlotParents;
  private readonly late: LateTimers;
  private readonly setAside: SetAside;
  private readonly held = new HeldSchedules();
  private readonly watch = new SlotWatch();
  /** The part of a full batch that is taken. It gets smaller when the process is too slow for a full one. */
  private share = 1;

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    views: Views,
    private readonly ids: Ids,
    private readonly clock: DueClock,
    private readonly log: Logger,
    private readonly catchUpMs: number,
    /** How many GiB an account may store. */
    private readonly storageQuota: Quota = { usual: null, byAccount: new Map() },
  ) {
    this.setAside = new SetAside(dataSource, log);
    this.parents = new SlotParents({ dataSource, ledger, views, log });
    this.late = new LateTimers({ dataSource, ledger, log, catchUpMs, setAside: this.setAside, held: this.held });
  }

  /** How many schedules have slots that are due and can't be judged now: their history can't be read, or the time is in doubt. */
  get heldBack(): number {
    return this.held.now().length;
  }

  /**
   * Decides due slots until none is left, or until the signal is aborted.
   * @param moved is called after each transaction
   */
  async decideDue(signal?: AbortSignal, moved: () => void = () => {}): Promise<Decided> {
    let total = nothing;
    const begun = await this.clock.time(this.dataSource.manager);
    this.watch.look(begun);
    await this.late.putBack(begun, signal, moved);
    while (!signal?.aborted) {
      const time = await this.clock.time(this.dataSource.manager);
      this.watch.look(time);
      await this.parents.catchUp(await accountsDue(this.dataSource.manager, time.now, mostLookedAt));
      const { claimed, recorded } = await this.decideSome(time);
      for (const each of recorded) total = count(total, each, time.now);
      this.tell(recorded, time.now);
      moved();
      if (claimed === 0) break;
    }
    return total;
  }

  private async decideSome(time: DueTime): Promise<Batch> {
    try {
      const size = Math.ceil(mostTimers * this.share);
      const batch = await this.dataSource.transaction((manager) => this.decideNext(manager, time, size));
      this.share = Math.min(1, this.share * 2);
      return batch;
    } catch (error) {
      if (isOutageForAll(error)) {
        this.share = Math.max(1 / mostTimers, this.share / 4);
        throw error;
      }
    }
    // One timer has made the transaction of all fail. Each is decided apart, to find that one.
    return this.decideApart(time);
  }

  private async decideApart(time: DueTime): Promise<Batch> {
    const all: Batch = { claimed: 0, recorded: [] };
    while (all.claimed < mostTimers) {
      let taken: SlotTimer | undefined;
      try {
        const onTaken = (timer: SlotTimer) => {
          taken = timer;
        };
        const { claimed, recorded } = await this.dataSource.transaction((manager) =>
          this.decideNext(manager, time, 1, onTaken),
        );
        if (claimed === 0) break;
        all.recorded.push(...recorded);
      } catch (error) {
        if (!taken || isOutageForAll(error)) throw error;
        await this.hold(this.dataSource.manager, taken.scheduleId, taken.accountId, messageOf(error));
      }
      all.claimed += 1;
    }
    return all;
  }

  private async decideNext(
    manager: EntityManager,
    time: DueTime,
    size: number,
    onTaken?: (timer: SlotTimer) => void,
  ): Promise<Batch> {
    const { timers, unreadable } = await claimDue(manager, time.now, size, this.held.now());
    for (const timer of timers) onTaken?.(timer);
    for (const { scheduleId, reason } of unreadable) await this.hold(manager, scheduleId, null, reason);
    // A timer is made anew from its schedule where it is missing.
    const broken = unreadable.map(({ scheduleId }) => scheduleId);
    if (broken.length > 0) await dropTimers(manager, broken);
    const decisions = await this.decide(manager, timers, time, Math.ceil(mostDecisions * (size / mostTimers)));
    await this.skipOverQuota(manager, decisions);
    await this.parents.find(manager, decisions);
    return { claimed: timers.length + unreadable.length, recorded: await this.record(manager, decisions) };
  }

  /** Judges the due slots of timers, and moves the timers on. */
  private async decide(
    manager: EntityManager,
    timers: readonly SlotTimer[],
    { now, isInDoubt, doubtMs }: DueTime,
    most: number,
  ): Promise<SlotDecision[]> {
    const { told, unreadable } = await this.ledger.readEach(manager, timers.flatMap(streamsOf));
    const decisions: SlotDecision[] = [];
    const moved: { scheduleId: string; nextSlotAt: Date }[] = [];
    const gone: string[] = [];
    for (const timer of timers) {
      const { scheduleId, accountId, instanceId } = timer;
      const room = most - decisions.length;
      // The others stay due, and are taken next.
      if (room <= 0) break;
      const [broken] = streamsOf(timer).flatMap((stream) => unreadable.get(stream) ?? []);
      if (broken) {
        await this.hold(manager, scheduleId, accountId, broken.message);
        continue;
      }
      const history = told.get(streamOf('schedule', scheduleId)) ?? [];
      const schedule = fold(scheduleDecider, history);
      const instance = fold(instanceDecider, told.get(streamOf('instance', instanceId)) ?? []);
      if (schedule.is !== 'active' || instance.is !== 'registered') {
        gone.push(scheduleId);
        continue;
      }
      if (isApart(timer, schedule, instance)) {
        // The timer is made anew from its schedule, if that is the instance's.
        if (instance.accountId === schedule.accountId) gone.push(scheduleId);
        else await this.hold(manager, scheduleId, schedule.accountId, 'it is not of the account of its instance');
        continue;
      }
      const { paused, missed, fire, next } = slotsOf(timer, history, { now, doubtMs, room, catchUpMs: this.catchUpMs });
      if (fire && isIncremental(fire) && this.parents.mayLack(accountId)) {
        this.held.hold(scheduleId, soonMs);
        continue;
      }
      for (const { slotAt } of paused) decisions.push(skipPaused(timer, slotAt));
      if (fire) {
        const delay = this.watch.delayOf(fire.slotAt, now, timesAhead(timer.ahead, fire.slotAt) > 0);
        decisions.push(begin(timer, fire, { instance, delay }));
      }
      if (isInDoubt && missed.length > 0) {
        this.held.hold(scheduleId);
        continue;
      }
      for (const { slotAt } of missed) {
        const reason = this.watch.whyMissed(slotAt, now, { inItsPlace: fire?.slotAt, catchUpMs: this.catchUpMs });
        decisions.push(miss(timer, slotAt, reason));
      }
      moved.push({ scheduleId, nextSlotAt: next });
    }
    if (gone.length > 0) await dropTimers(manager, gone);
    if (moved.length > 0) await moveTimers(manager, moved);
    await this.setAside.takeBack('schedule', [...gone, ...moved.map(({ scheduleId }) => scheduleId)], manager);
    return decisions;
  }

  private async hold(
    manager: EntityManager,
    scheduleId: string,
    accountId: string | null,
    reason: string,
  ): Promise<void> {
    this.held.hold(scheduleId);
    await this.setAside.put(
      'schedule',
      [{ id: scheduleId, accountId, reason: `its slots can't be judged: ${reason}` }],
      manager,
    );
  }

  /**
   * Appends the decisions. From its first statement on it holds the lock that every other append waits for, so nothing is
   * logged before the commit. @returns the decisions that are the slots' outcomes
   */
  private async record(manager: EntityManager, decisions: SlotDecision[]): Promise<SlotDecision[]> {
    if (decisions.length === 0) return [];
    await this.skipBusy(manager, decisions);
    const { recorded, busy } = await this.append(manager, decisions);
    if (busy.length === 0) return recorded;
    // Another request has begun a backup of these instances since they were looked at.
    return [...recorded, ...(await this.append(manager, busy.map(skipTaken))).recorded];
  }

  /** No backup is begun of an account that stores as much as it may. Its views are up to date, or it waits for them. */
  private async skipOverQuota(manager: EntityManager, decisions: SlotDecision[]): Promise<void> {
    const asked = decisions.filter(({ command }) => command.type === 'RequestBackup');
    const most = new Map(
      asked.flatMap(({ timer: { accountId } }) => {
        const gib = quotaOf(this.storageQuota, accountId);
        return gib === null ? [] : [[accountId, gib] as const];
      }),
    );
    const stored = await storedBytesOf(manager, [...most.keys()]);
    for (const decision of asked) {
      const { accountId } = decision.timer;
      const [bytes, mostGib] = [stored.get(accountId) ?? 0, most.get(accountId)];
      if (mostGib === undefined || bytes < mostGib * 1_073_741_824) continue;
      decision.command = skipOverQuota(decision, { bytes, mostGib }).command;
    }
  }

  /** A slot whose backup can't begin, because another of the instance has not ended, is skipped. */
  private async skipBusy(manager: EntityManager, decisions: SlotDecision[]): Promise<void> {
    const asked = decisions.flatMap(({ timer, command }) => (command.type === 'RequestBackup' ? timer.instanceId : []));
    const busy = await this.ledger.claimedOf(manager, 'running-backup-of-instance', asked);
    const why = await whyBusy(manager, this.ledger, [...busy.values()]);
    for (const decision of decisions) {
      if (decision.command.type !== 'RequestBackup') continue;
      const { timer, slotAt } = decision;
      const holder = busy.get(timer.instanceId);
      if (holder !== undefined) decision.command = skipBusy(decision, why(holder)).command;
      // No two requests of one append may share a claim.
      busy.set(timer.instanceId, streamOf('backup', idOfSlot(timer, slotAt)));
    }
  }

  /** @returns the decisions that were recorded, and those that found a backup of their instance running */
  private async append(
    manager: EntityManager,
    decisions: SlotDecision[],
  ): Promise<{ recorded: SlotDecision[]; busy: SlotDecision[] }> {
    const requests = decisions.map((decision) => this.request(decision));
    const outcomes = await this.ledger.appendWithin(manager, requests);
    const which = (outcome: 'appended' | 'claimed') =>
      decisions.filter((_, index) => outcomes[index]?.outcome === outcome);
    return { recorded: which('appended'), busy: which('claimed') };
  }

  private request({ timer, slotAt, command }: SlotDecision): AppendRequest {
    const id = idOfSlot(timer, slotAt);
    const context = begunBy('strongroom-scheduler', `slot-${id}`);
    // It is decided on an empty history. When another scheduler was faster this append is a conflict, and that outcome stays.
    const request = plan({ ids: this.ids }, backupDecider, { ...timer, id, context }, command, noHistory);
    if (isRefusal(request)) throw new TypeError(`a slot without a history was refused: ${request.message}`);
    return request;
  }

  private tell(recorded: readonly SlotDecision[], now: Date): void {
    for (const { timer, slotAt, command } of recorded) {
      const lagMs = now.getTime() - slotAt.getTime();
      const of = { schedule: timer.scheduleId, instance: timer.instanceId, slotAt: slotAt.toISOString(), lagMs };
      this.log.info(of, `slot decided: ${command.type}`);
    }
  }
}

const noHistory: readonly RecordedEvent[] = [];

function streamsOf({ scheduleId, instanceId }: SlotTimer) {
  return [streamOf('schedule', scheduleId), streamOf('instance', instanceId)];
}

/** A timer is a row that can be changed. What is asked for is what the ledger says of the schedule and of its instance. */
function isApart(
  { accountId, instanceId }: SlotTimer,
  schedule: { accountId: string; instanceId: string },
  instance: { accountId: string },
): boolean {
  const isOfSchedule = accountId === schedule.accountId && instanceId === schedule.instanceId;
  return !isOfSchedule || instance.accountId !== schedule.accountId;
}

interface Judging {
  now: Date;
  doubtMs: number;
  catchUpMs: number;
  /** How many slots may be judged. */
  room: number;
}

function slotsOf(timer: SlotTimer, history: readonly RecordedEvent[], { now, doubtMs, catchUpMs, room }: Judging) {
  const spans = definitionsOf(history, { now, latest: new Date(timer.nextSlotAt.getTime() - 1) });
  return dueSlots(spans, timer.nextSlotAt, now, catchUpMs + doubtMs, room);
}

function isIncremental({ slotAt, definition }: NonNullable<ReturnType<typeof slotsOf>['fire']>): boolean {
  return plannedType(definition.dayOfWeek, slotAt) === 'incremental';
}

function count(total: Decided, { slotAt, command }: SlotDecision, now: Date): Decided {
  if (command.type === 'SkipSlot') return { ...total, skipped: total.skipped + 1 };
  if (command.type !== 'RequestBackup') return { ...total, missed: total.missed + 1 };
  return { ...total, fired: total.fired + 1, lagMs: Math.max(total.lagMs, now.getTime() - slotAt.getTime()) };
}
