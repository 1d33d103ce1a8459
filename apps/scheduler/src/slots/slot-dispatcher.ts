/**
 * The slot dispatcher decides every slot that has come due. Any number of schedulers may run it at once. The slot's own
 * identity is the lock: a slot has one outcome, whoever decides it and however often.
 *
 * A clock that was wrong may have decided slots before their time and moved timers beyond them. Such timers are put back,
 * and the slots are decided again when their time has come, under a further identity.
 *
 * What a schedule said at a slot's time is read from the ledger, not from the timer. So a schedule that was paused or
 * deleted a second ago does not fire, though the feed has not brought the news yet.
 */
import { type EventContext, type EventData, isRefusal, type RecordedEvent, streamOf } from '@strongroom/contracts';
import {
  type BackupCommand,
  backupDecider,
  backupName,
  definitionsOf,
  dueSlots,
  fold,
  instanceDecider,
  type MadeFull,
  plannedType,
  type RegisteredInstance,
  type Slot,
  scheduleDecider,
  scheduledBackupId,
} from '@strongroom/domain';
import { type AppendRequest, type Ledger, plan } from '@strongroom/ledger';
import { Backups } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { ZodError } from 'zod';
import { whyBusy } from './busy-instances.js';
import type { DueClock, DueTime } from './due-clock.js';
import { LateTimers, timesAhead } from './late-timers.js';
import { claimDue, dropTimers, moveTimers, type SlotTimer } from './slot-timers.js';
import { SlotWatch } from './slot-watch.js';

export interface Decided {
  fired: number;
  skipped: number;
  missed: number;
  /** The greatest delay between a fired slot's nominal time and now, in milliseconds. */
  lagMs: number;
}

type Told = Map<string, RecordedEvent[]>;

/** What is to be recorded about one slot. */
interface SlotDecision {
  timer: SlotTimer;
  slotAt: Date;
  command: BackupCommand;
}

const batchSize = 200;
/** How long a timer is left that waits for the clocks to agree, or for a version that can read its history. */
const heldMs = 60_000;
const nothing: Decided = { fired: 0, skipped: 0, missed: 0, lagMs: 0 };

export class SlotDispatcher {
  private readonly backups: Backups;
  private readonly late: LateTimers;
  private readonly watch = new SlotWatch();
  /** Schedules with slots that can't be judged now, and until when they are left. */
  private readonly held = new Map<string, number>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly ids: Ids,
    private readonly clock: DueClock,
    private readonly log: Logger,
    private readonly catchUpMs: number,
  ) {
    this.backups = new Backups(dataSource);
    this.late = new LateTimers(dataSource, ledger, log, catchUpMs);
  }

  /** How many schedules have slots that are due and can't be judged now: their history can't be read, or the time is in doubt. */
  get heldBack(): number {
    return this.heldNow().length;
  }

  /** Decides due slots until none is left. */
  async decideDue(): Promise<Decided> {
    let total = nothing;
    const time = await this.clock.time(this.dataSource.manager);
    this.watch.look(time);
    await this.late.putBack(time);
    for (;;) {
      const time = await this.clock.time(this.dataSource.manager);
      this.watch.look(time);
      const { claimed, decided } = await this.dataSource.transaction((manager) => this.decideBatch(manager, time));
      total = {
        fired: total.fired + decided.fired,
        skipped: total.skipped + decided.skipped,
        missed: total.missed + decided.missed,
        lagMs: Math.max(total.lagMs, decided.lagMs),
      };
      if (claimed === 0) return total;
    }
  }

  private async decideBatch(
    manager: EntityManager,
    { now, isInDoubt, doubtMs }: DueTime,
  ): Promise<{ claimed: number; decided: Decided }> {
    const claimed = await claimDue(manager, now, batchSize, this.heldNow());
    if (claimed.length === 0) return { claimed: 0, decided: nothing };
    const { timers, history } = await this.readable(manager, claimed);

    const decisions: SlotDecision[] = [];
    const moved: { scheduleId: string; nextSlotAt: Date }[] = [];
    const gone: string[] = [];
    for (const timer of timers) {
      const told = history.get(streamOf('schedule', timer.scheduleId)) ?? [];
      const schedule = fold(scheduleDecider, told);
      const instance = fold(instanceDecider, history.get(streamOf('instance', timer.instanceId)) ?? []);
      if (schedule.is !== 'active' || instance.is !== 'registered') {
        gone.push(timer.scheduleId);
        continue;
      }
      const spans = definitionsOf(told, { now, latest: new Date(timer.nextSlotAt.getTime() - 1) });
      const { paused, missed, fire, next } = dueSlots(spans, timer.nextSlotAt, now, this.catchUpMs + doubtMs);
      for (const { slotAt } of paused) decisions.push({ timer, slotAt, command: skip(timer, slotAt, wasPaused) });
      if (fire) {
        const delay = this.watch.delayOf(fire.slotAt, now, timesAhead(timer.ahead, fire.slotAt) > 0);
        decisions.push({ timer, slotAt: fire.slotAt, command: { ...begin(timer, fire, instance), delay } });
      }
      if (isInDoubt && missed.length > 0) {
        this.held.set(timer.scheduleId, performance.now() + heldMs);
        continue;
      }
      for (const { slotAt } of missed) {
        const reason = this.watch.whyMissed(slotAt, now, { inItsPlace: fire?.slotAt, catchUpMs: this.catchUpMs });
        decisions.push({ timer, slotAt, command: miss(timer, slotAt, reason) });
      }
      moved.push({ scheduleId: timer.scheduleId, nextSlotAt: next });
    }
    await this.findParents(manager, decisions);
    if (gone.length > 0) await dropTimers(manager, gone);
    if (moved.length > 0) await moveTimers(manager, moved);
    return { claimed: claimed.length, decided: await this.record(manager, decisions, now) };
  }

  /** A history that can't be read, such as one with events of a newer version, holds up its own schedule and no other. */
  private async readable(
    manager: EntityManager,
    claimed: SlotTimer[],
  ): Promise<{ timers: SlotTimer[]; history: Told }> {
    const read = (timers: SlotTimer[]) =>
      this.ledger.readStreams(
        manager,
        timers.flatMap(({ scheduleId, instanceId }) => [
          streamOf('schedule', scheduleId),
          streamOf('instance', instanceId),
        ]),
      );
    try {
      return { timers: claimed, history: await read(claimed) };
    } catch (error) {
      if (!(error instanceof ZodError)) throw error;
    }
    const timers: SlotTimer[] = [];
    const history: Told = new Map();
    for (const timer of claimed) {
      try {
        for (const [stream, events] of await read([timer])) history.set(stream, events);
        timers.push(timer);
      } catch (error) {
        if (!(error instanceof ZodError)) throw error;
        this.held.set(timer.scheduleId, performance.now() + heldMs);
        this.log.error(
          { err: error, schedule: timer.scheduleId },
          `the history of schedule ${timer.scheduleId} or of its instance can't be read: its slots wait for a version that can`,
        );
      }
    }
    return { timers, history };
  }

  private heldNow(): string[] {
    for (const [scheduleId, until] of this.held) if (until <= performance.now()) this.held.delete(scheduleId);
    return [...this.held.keys()];
  }

  /** An incremental is built on the newest completed backup of the instance, whoever asked for that. Without one the run is full. */
  private async findParents(manager: EntityManager, decisions: SlotDecision[]): Promise<void> {
    const incremental = decisions.flatMap(({ timer, command }) =>
      command.type === 'RequestBackup' && command.request.type === 'incremental' ? [{ timer, command }] : [],
    );
    if (incremental.length === 0) return;
    const ids = incremental.map(({ timer }) => timer.instanceId);
    const newest = await this.backups.newestCompletedOf(manager, ids);
    const streams = [...newest.values()].map(({ id }) => streamOf('backup', id));
    const history = await this.ledger.readStreams(manager, streams);
    for (const { timer, command } of incremental) {
      const { id: parentId = '', isWhole } = newest.get(timer.instanceId) ?? {};
      // The view may be a moment behind the ledger: a backup that was just deleted is no parent.
      const parent = fold(backupDecider, history.get(streamOf('backup', parentId)) ?? []);
      if (isWhole && parent.is === 'completed') {
        Object.assign(command, { parent, request: { ...command.request, parentId } });
        continue;
      }
      const madeFull = parentId === '' ? nothingThere : beingDeleted(parentId);
      Object.assign(command, { madeFull, request: { ...command.request, type: 'full' } });
    }
  }

  /**
   * Appends the decisions. From its first statement on it holds the lock that every other append waits for. A process that
   * freezes there loses its session within two seconds, and the lock with it.
   */
  private async record(manager: EntityManager, decisions: SlotDecision[], now: Date): Promise<Decided> {
    const decided = { ...nothing };
    if (decisions.length === 0) return decided;
    await this.skipBusy(manager, decisions);
    const busy = await this.append(manager, decisions, decided, now);
    // Another request has begun a backup of these instances since they were looked at.
    if (busy.length > 0) await this.append(manager, busy.map(skipRunning), decided, now);
    return decided;
  }

  /** A slot whose backup can't begin, because another of the instance has not ended, is skipped. */
  private async skipBusy(manager: EntityManager, decisions: SlotDecision[]): Promise<void> {
    const asked = decisions.flatMap(({ timer, command }) => (command.type === 'RequestBackup' ? timer.instanceId : []));
    const busy = await this.ledger.claimedOf(manager, 'running-backup-of-instance', asked);
    const why = await whyBusy(manager, this.ledger, [...busy.values()]);
    for (const decision of decisions) {
      if (decision.command.type !== 'RequestBackup') continue;
      const { instanceId } = decision.timer;
      const holder = busy.get(instanceId);
      if (holder !== undefined) decision.command = skip(decision.timer, decision.slotAt, why(holder));
      // No two requests of one append may share a claim.
      busy.set(instanceId, streamOf('backup', idOfSlot(decision.timer, decision.slotAt)));
    }
  }

  /** @returns the decisions that found a backup of their instance running */
  private async append(
    manager: EntityManager,
    decisions: SlotDecision[],
    decided: Decided,
    now: Date,
  ): Promise<SlotDecision[]> {
    const requests = decisions.map((decision) => this.request(decision));
    const outcomes = await this.ledger.appendWithin(manager, requests);
    return decisions.filter((decision, index) => {
      if (outcomes[index]?.outcome === 'appended') count(decided, decision, now, this.log);
      return outcomes[index]?.outcome === 'claimed';
    });
  }

  private request({ timer, slotAt, command }: SlotDecision): AppendRequest {
    const id = idOfSlot(timer, slotAt);
    const context: EventContext = {
      requestId: `slot-${id}`,
      correlationId: `slot-${id}`,
      causationId: null,
      actor: 'strongroom-scheduler',
    };
    // It is decided on an empty history. When another scheduler was faster this append is a conflict, and that outcome stays.
    const request = plan({ ids: this.ids }, backupDecider, { ...timer, id, context }, command, noHistory);
    if (isRefusal(request)) throw new TypeError(`a slot without a history was refused: ${request.message}`);
    return request;
  }
}

const noHistory: readonly RecordedEvent[] = [];
const wasPaused = 'The schedule was paused.';
const nothingThere: MadeFull = {
  ground: 'nothing-to-build-on',
  reason: 'When the slot came there was no completed backup of the instance to build on.',
};
const beingDeleted = (parentId: string): MadeFull => ({
  ground: 'parent-not-there',
  reason: `When the slot came backup ${parentId}, the newest of the instance, or what it is built on, was being deleted.`,
});

/** An outcome that the slot was given before its time is not its own, so the slot has another identity then. */
function idOfSlot({ scheduleId, ahead }: SlotTimer, slotAt: Date): string {
  return scheduledBackupId(scheduleId, slotAt, timesAhead(ahead, slotAt));
}

/** Asks for the backup that is planned. Whether its server can give an incremental is found out when the backup is taken. */
function begin(
  timer: SlotTimer,
  { slotAt, definition }: Slot,
  instance: RegisteredInstance,
): Extract<BackupCommand, { type: 'RequestBackup' }> {
  const request: EventData<'BackupRequested'> = {
    backupId: idOfSlot(timer, slotAt),
    instanceId: timer.instanceId,
    scheduleId: timer.scheduleId,
    slotAt: slotAt.toISOString(),
    trigger: 'slot',
    type: plannedType(definition.dayOfWeek, slotAt),
    parentId: null,
    name: scheduledBackupName(instance.name, slotAt),
    description: null,
    datastore: instance.datastore,
    copyTo: definition.copyTo,
  };
  return { type: 'RequestBackup', request };
}

/** `orders-20261123T1430Z`, cut to the 64 characters that a backup's name may have. */
function scheduledBackupName(instanceName: string, slotAt: Date): string {
  const stamp = `${slotAt.toISOString().replaceAll(/[-:]/g, '').slice(0, 13)}Z`;
  return backupName(instanceName, stamp);
}

function skip({ scheduleId, instanceId }: SlotTimer, slotAt: Date, reason: string): BackupCommand {
  return { type: 'SkipSlot', slot: { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason } };
}

function skipRunning({ timer, slotAt }: SlotDecision): SlotDecision {
  return {
    timer,
    slotAt,
    command: skip(timer, slotAt, 'Another backup of the instance was asked for at the same time.'),
  };
}

function miss({ scheduleId, instanceId }: SlotTimer, slotAt: Date, reason: string): BackupCommand {
  return { type: 'MissSlot', slot: { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason } };
}

function count(decided: Decided, { timer, slotAt, command }: SlotDecision, now: Date, log: Logger): void {
  const lagMs = now.getTime() - slotAt.getTime();
  if (command.type === 'RequestBackup') {
    decided.fired += 1;
    decided.lagMs = Math.max(decided.lagMs, lagMs);
  } else if (command.type === 'SkipSlot') decided.skipped += 1;
  else decided.missed += 1;
  log.info(
    { schedule: timer.scheduleId, instance: timer.instanceId, slotAt: slotAt.toISOString(), lagMs },
    `slot decided: ${command.type}`,
  );
}
