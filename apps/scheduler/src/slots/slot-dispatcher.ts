/**
 * The slot dispatcher decides every slot that has come due. Any number of schedulers may run it at once. The slot's own
 * identity is the lock: a slot has one outcome, whoever decides it and however often.
 *
 * A clock that was wrong may have decided slots before their time and moved timers beyond them. Such timers are put back. A slot that was
 * called missed or skipped so is decided again when its time has come, under a second identity that nothing but a backup has. Nobody takes
 * it before the ledger has told that the first outcome is no backup. So no clock can make a slot two backups.
 *
 * What a schedule said at a slot's time is what the ledger says. A timer may keep it, with the versions of the streams, and the append
 * asks whether they are at those versions. So a schedule that was paused or deleted a second ago does not fire, though the feed has not
 * brought the news yet.
 *
 * A schedule whose slots can't be judged is set aside and tried again. It holds up no other.
 */
import { messageOf } from '@strongroom/contracts';
import { isOutageForAll, type Ledger } from '@strongroom/ledger';
import type { Views } from '@strongroom/read-model';
import { type Ids, type Logger, type Quota, SetAside } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import type { AskTime, DueClock, DueTime } from './due-clock.js';
import { type Due, dueOf, isIncremental } from './due-slots.js';
import { HeldSchedules } from './held-schedules.js';
import { isAhead, LateTimers } from './late-timers.js';
import { basesOf, type Unjudged } from './slot-bases.js';
import { begin as beginBackup, miss, type SlotDecision, skipPaused } from './slot-decision.js';
import { SlotParents } from './slot-parents.js';
import { SlotRecording } from './slot-recording.js';
import {
  claimDue,
  dropTimers,
  type MovedTimer,
  moveTimers,
  type Rings,
  readRings,
  type SlotTimer,
  undoMoves,
} from './slot-timers.js';
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
  /** How many timers were taken. Each was moved, dropped or held back, but for those that found no room or wait for views. */
  claimed: number;
  recorded: SlotDecision[];
  /** The accounts whose views must be up to date before some of the slots are decided. */
  behind: Set<string>;
}

/** One look at all that is due. */
interface Pass {
  total: Decided;
  signal: AbortSignal | undefined;
  moved: () => void;
  /** The time at the beginning, for the first batch. */
  begun: DueTime | undefined;
  lanes: Promise<void>[];
  failures: unknown[];
}

/** How a batch is decided. */
interface Asked {
  time: DueTime;
  /** How many timers are taken. */
  size: number;
  /** The accounts whose views were brought up to date just now. */
  fresh: ReadonlySet<string>;
  onTaken?: (timer: SlotTimer) => void;
  /** Called when as many timers were taken as one batch may have, before any is decided. */
  onFull?: () => void;
}

/** Larger batches are hardly cheaper, and would keep other appends waiting for longer. */
const mostTimers = 500;
/** How many slots are decided in one transaction. After a long outage one schedule alone may have hundreds. */
const mostDecisions = 500;
/** How many batches are in hand at a time, when there is more than one: one is decided while the other is written. */
const mostLanes = 2;
/** How long a slot is left whose parent is not known yet. A pass waits less, and so it ends. */
const soonMs = 2_000;
/** How soon is looked again for a slot that is due and that this process could not take, as another one has it. */
const takenMs = 200;
/** How soon is looked again while a clock is wrong. */
const suspectMs = 1_000;

export class SlotDispatcher {
  private readonly parents: SlotParents;
  private readonly late: LateTimers;
  private readonly recording: SlotRecording;
  private readonly setAside: SetAside;
  private readonly held = new HeldSchedules();
  private readonly watch = new SlotWatch();
  /** The part of a full batch that is taken. It gets smaller when the process is too slow for a full one. */
  private share = 1;
  private looked: { time: DueTime; at: number } | undefined;
  /** When the next timer rings, where nothing was due at the last look. */
  private next: { at: Date | undefined } | undefined;
  /** How many timers of each account were moved in this look. */
  private readonly turns = new Map<string, number>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    views: Views,
    ids: Ids,
    private readonly clock: DueClock,
    private readonly log: Logger,
    private readonly catchUpMs: number,
    /** How many GiB an account may store. */
    storageQuota: Quota = { usual: null, byAccount: new Map() },
  ) {
    this.setAside = new SetAside(dataSource, log);
    this.parents = new SlotParents({ dataSource, ledger, views, log });
    this.recording = new SlotRecording({ ledger, ids, storageQuota });
    this.late = new LateTimers({ dataSource, ledger, log, catchUpMs, setAside: this.setAside, held: this.held });
  }

  /** How many schedules have slots that are due and can't be judged now: their history can't be read, or the time is in doubt. */
  get heldBack(): number {
    return this.held.now().length;
  }

  /** In how many milliseconds is to be looked for due slots again, as far as this process knows; infinite when there are none. */
  async nextInMs(): Promise<number> {
    const { time, at } = this.looked ?? {};
    if (!time || at === undefined || time.isSuspect) return suspectMs;
    const held = this.held.now();
    const next = this.next ? this.next.at : (await readRings(this.dataSource.manager, held)).first;
    const nowMs = time.now.getTime() + performance.now() - at;
    const inMs = next ? next.getTime() - nowMs : Number.POSITIVE_INFINITY;
    return Math.min(
      inMs > 0 ? Math.ceil(inMs) : takenMs,
      held.length > 0 ? this.held.endsInMs() : Number.POSITIVE_INFINITY,
    );
  }

  /**
   * Decides due slots until none is left, or until the signal is aborted.
   * @param moved is called after each transaction
   */
  async decideDue(signal?: AbortSignal, moved: () => void = () => {}): Promise<Decided> {
    this.turns.clear();
    let rings: Rings | undefined;
    // While nothing is due, a look is this one statement.
    const begun = await this.look(async (manager) => {
      rings = await readRings(manager, this.held.now());
      return rings.now;
    });
    // Not every clock asks the database.
    rings ??= await readRings(this.dataSource.manager, this.held.now());
    if (await this.late.putBack(begun, rings.lastMs, signal, moved))
      rings = await readRings(this.dataSource.manager, this.held.now());
    this.next = { at: rings.first };
    if (!this.next.at || this.next.at > begun.now) return { fired: 0, skipped: 0, missed: 0, lagMs: 0 };
    this.next = undefined;
    const pass: Pass = {
      total: { fired: 0, skipped: 0, missed: 0, lagMs: 0 },
      signal,
      moved,
      begun,
      lanes: [],
      failures: [],
    };
    this.begin(pass);
    for (const lane of pass.lanes) {
      const [ended] = await Promise.allSettled([lane]);
      if (ended.status === 'rejected') pass.failures.push(ended.reason);
    }
    if (pass.failures.length > 0) throw pass.failures[0];
    return pass.total;
  }

  private async look(ask?: AskTime): Promise<DueTime> {
    const time = await this.clock.time(this.dataSource.manager, ask);
    this.watch.look(time);
    this.looked = { time, at: performance.now() };
    return time;
  }

  private begin(pass: Pass): void {
    const lane = this.decideOn(pass);
    // It is waited for later, and told then.
    lane.catch(() => {});
    pass.lanes.push(lane);
  }

  /** Decides one batch after the other. When a batch is full, another lane begins at once, and decides while this one is written. */
  private async decideOn(pass: Pass): Promise<void> {
    const { total, signal, moved, lanes } = pass;
    const onFull = () => {
      if (lanes.length < mostLanes && !signal?.aborted) this.begin(pass);
    };
    let fresh: ReadonlySet<string> = new Set();
    while (!signal?.aborted) {
      const time = pass.begun ?? (await this.look());
      pass.begun = undefined;
      const { claimed, recorded, behind } = await this.decideSome(time, fresh, onFull);
      for (const each of recorded) count(total, each, time.now);
      this.tell(recorded, time.now);
      moved();
      if (claimed === 0) break;
      await this.parents.catchUp(behind);
      fresh = behind;
    }
  }

  private async decideSome(time: DueTime, fresh: ReadonlySet<string>, onFull: () => void): Promise<Batch> {
    try {
      const size = Math.ceil(mostTimers * this.share);
      const asked = { time, size, fresh, onFull };
      const batch = await this.dataSource.transaction((manager) => this.decideNext(manager, asked));
      this.share = Math.min(1, this.share * 2);
      return batch;
    } catch (error) {
      if (isOutageForAll(error)) {
        this.share = Math.max(1 / mostTimers, this.share / 4);
        throw error;
      }
    }
    // One timer has made the transaction of all fail. Each is decided apart, to find that one.
    return this.decideApart(time, fresh);
  }

  private async decideApart(time: DueTime, fresh: ReadonlySet<string>): Promise<Batch> {
    const all: Batch = { claimed: 0, recorded: [], behind: new Set() };
    while (all.claimed < mostTimers) {
      let taken: SlotTimer | undefined;
      try {
        const onTaken = (timer: SlotTimer) => {
          taken = timer;
        };
        const { claimed, recorded, behind } = await this.dataSource.transaction((manager) =>
          this.decideNext(manager, { time, size: 1, fresh, onTaken }),
        );
        if (claimed === 0) break;
        all.recorded.push(...recorded);
        for (const accountId of behind) all.behind.add(accountId);
        // It is the one that is taken next again, until the views are up to date.
        if (behind.size > 0) break;
      } catch (error) {
        if (!taken || isOutageForAll(error)) throw error;
        await this.hold(this.dataSource.manager, { ...taken, reason: messageOf(error) });
      }
      all.claimed += 1;
    }
    return all.behind.size > 0 ? { ...all, claimed: Math.max(1, all.claimed) } : all;
  }

  private async decideNext(manager: EntityManager, asked: Asked): Promise<Batch> {
    const { time, size, fresh, onTaken, onFull } = asked;
    const { timers, unreadable } = await claimDue(manager, time.now, size, this.held.now());
    if (timers.length + unreadable.length >= mostTimers) onFull?.();
    for (const timer of timers) onTaken?.(timer);
    const { known, gone: ended, unjudged } = await basesOf(manager, this.ledger, timers, time.now);
    for (const each of unreadable) await this.hold(manager, { ...each, accountId: null });
    for (const each of unjudged) await this.hold(manager, each);
    // A timer is made anew from its schedule where it is missing.
    const gone = [...unreadable.map(({ scheduleId }) => scheduleId), ...ended];
    const due = dueOf(known, time, { most: Math.ceil(mostDecisions * (size / mostTimers)), catchUpMs: this.catchUpMs });
    const needy = due.flatMap((each) => (this.needsViews(each) ? each.timer.accountId : []));
    const behind = await this.parents.behind(needy.filter((accountId) => !fresh.has(accountId)));
    const { decisions, moved } = this.decide(due, time, behind);
    if (gone.length > 0) await dropTimers(manager, gone);
    if (moved.length > 0) await moveTimers(manager, moved);
    await this.setAside.takeBack('schedule', [...gone, ...moved.map(({ scheduleId }) => scheduleId)], manager);
    await this.recording.skipOverQuota(manager, decisions);
    await this.parents.find(manager, decisions);
    const { recorded, undone } = await this.recording.record(manager, decisions);
    if (undone.length > 0) await undoMoves(manager, [...new Set(undone.map(({ timer }) => timer))]);
    return { claimed: timers.length + unreadable.length, recorded, behind };
  }

  /** Decides due slots, and where their timers go. @param behind accounts whose slots wait for their views, where they need them */
  private decide(
    due: readonly Due[],
    { now, isInDoubt }: DueTime,
    behind: ReadonlySet<string>,
  ): { decisions: SlotDecision[]; moved: MovedTimer[] } {
    const decisions: SlotDecision[] = [];
    const moved: MovedTimer[] = [];
    for (const each of due) {
      const { timer, basis, paused, missed, fire, next } = each;
      const { scheduleId, accountId } = timer;
      if (behind.has(accountId) && this.needsViews(each)) continue;
      if (fire && isIncremental(fire) && this.parents.mayLack(accountId)) {
        this.held.hold(scheduleId, soonMs);
        continue;
      }
      for (const { slotAt } of paused) decisions.push(skipPaused(each, slotAt));
      if (fire) {
        const delay = this.watch.delayOf(fire.slotAt, now, isAhead(timer.ahead, fire.slotAt));
        decisions.push(beginBackup(each, fire, delay));
      }
      if (isInDoubt && missed.length > 0) {
        this.held.hold(scheduleId);
        continue;
      }
      for (const { slotAt } of missed) {
        const reason = this.watch.whyMissed(slotAt, now, { inItsPlace: fire?.slotAt, catchUpMs: this.catchUpMs });
        decisions.push(miss(each, slotAt, reason));
      }
      moved.push({ scheduleId, nextSlotAt: next, basis: basis.toKeep, turn: this.nextTurnOf(accountId) });
    }
    return { decisions, moved };
  }

  /**
   * The accounts take turns: the timers of an account that are decided in one look get turns one after the other. So the slots of the
   * next day are taken from all accounts alike, though one has thousands in that minute.
   */
  private nextTurnOf(accountId: string): number {
    const turn = this.turns.get(accountId) ?? 0;
    this.turns.set(accountId, turn + 1);
    return turn;
  }

  /** Whether the views tell what is built on, or how much the account stores. */
  private needsViews({ timer, fire }: Due): boolean {
    return fire !== undefined && (isIncremental(fire) || this.recording.isLimited(timer.accountId));
  }

  private async hold(manager: EntityManager, { scheduleId, accountId, reason }: Unjudged): Promise<void> {
    this.held.hold(scheduleId);
    await this.setAside.put(
      'schedule',
      [{ id: scheduleId, accountId, reason: `its slots can't be judged: ${reason}` }],
      manager,
    );
  }

  /** What is fired in time is told in one line: the ledger tells of each. */
  private tell(recorded: readonly SlotDecision[], now: Date): void {
    let [inTime, longestMs] = [0, 0];
    for (const { timer, slotAt, command } of recorded) {
      const lagMs = now.getTime() - slotAt.getTime();
      if (command.type === 'RequestBackup' && !command.delay) {
        inTime += 1;
        longestMs = Math.max(longestMs, lagMs);
        continue;
      }
      const of = { schedule: timer.scheduleId, instance: timer.instanceId, slotAt: slotAt.toISOString(), lagMs };
      this.log.info(of, `slot decided: ${command.type}`);
    }
    if (inTime > 0) this.log.info({ slots: inTime, lagMs: longestMs }, 'slots fired');
  }
}

function count(total: Decided, { slotAt, command }: SlotDecision, now: Date): void {
  if (command.type === 'SkipSlot') total.skipped += 1;
  else if (command.type !== 'RequestBackup') total.missed += 1;
  else {
    total.fired += 1;
    total.lagMs = Math.max(total.lagMs, now.getTime() - slotAt.getTime());
  }
}
