/**
 * The hand of the clock: decides every slot that has come due. Any number of schedulers may run it at once; the slot's
 * own identity is the lock, so a slot has one outcome whoever decides it and however often.
 *
 * What a schedule says is read from the ledger at the moment of firing, not from the timer: a schedule that was paused
 * or deleted a second ago does not fire, though the news has not come through the feed yet.
 */
import { type EventContext, type EventData, isRefusal, type RecordedEvent, streamOf } from '@strongroom/contracts';
import {
  type BackupCommand,
  backupDecider,
  backupName,
  dueSlots,
  fold,
  instanceDecider,
  nextSlot,
  plannedType,
  type RegisteredInstance,
  type ScheduleState,
  scheduleDecider,
  scheduledBackupId,
} from '@strongroom/domain';
import { type AppendRequest, type Ledger, plan } from '@strongroom/ledger';
import { Backups } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import type { DueClock } from './due-clock.js';
import { claimDue, dropTimers, moveTimers, type SlotTimer } from './slot-timers.js';

export interface Decided {
  fired: number;
  skipped: number;
  missed: number;
  /** The greatest delay between a fired slot's nominal time and now, in milliseconds. */
  lagMs: number;
}

type ActiveSchedule = Extract<ScheduleState, { is: 'active' }>;

/** What is to be recorded of one slot. */
interface SlotDecision {
  timer: SlotTimer;
  slotAt: Date;
  command: BackupCommand;
}

const batchSize = 200;
const nothing: Decided = { fired: 0, skipped: 0, missed: 0, lagMs: 0 };

export class ClockHand {
  private readonly backups: Backups;

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly ids: Ids,
    private readonly clock: DueClock,
    private readonly log: Logger,
    private readonly catchUpMs: number,
  ) {
    this.backups = new Backups(dataSource);
  }

  /** Decides due slots until none is left. */
  async tick(): Promise<Decided> {
    let total = nothing;
    for (;;) {
      const { claimed, decided } = await this.dataSource.transaction((manager) => this.decideBatch(manager));
      total = {
        fired: total.fired + decided.fired,
        skipped: total.skipped + decided.skipped,
        missed: total.missed + decided.missed,
        lagMs: Math.max(total.lagMs, decided.lagMs),
      };
      if (claimed === 0) return total;
    }
  }

  private async decideBatch(manager: EntityManager): Promise<{ claimed: number; decided: Decided }> {
    const now = await this.clock.now(manager);
    const timers = await claimDue(manager, now, batchSize);
    if (timers.length === 0) return { claimed: 0, decided: nothing };
    const history = await this.ledger.readStreams(
      manager,
      timers.flatMap(({ scheduleId, instanceId }) => [
        streamOf('schedule', scheduleId),
        streamOf('instance', instanceId),
      ]),
    );

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
      const from = firstUndecided(timer, schedule, told);
      const { missed, fire, next } = dueSlots(schedule.definition, from, now, this.catchUpMs);
      for (const slotAt of missed) decisions.push({ timer, slotAt, command: miss(timer, slotAt, now) });
      if (fire) decisions.push({ timer, slotAt: fire, command: begin(timer, fire, schedule, instance) });
      moved.push({ scheduleId: timer.scheduleId, nextSlotAt: next });
    }
    await this.findParents(manager, decisions);
    if (gone.length > 0) await dropTimers(manager, gone);
    if (moved.length > 0) await moveTimers(manager, moved);
    return { claimed: timers.length, decided: await this.record(manager, decisions, now) };
  }

  /** An incremental is built on the schedule's newest backup that has completed; a run that has none is full. */
  private async findParents(manager: EntityManager, decisions: SlotDecision[]): Promise<void> {
    const incremental = decisions.flatMap(({ timer, command }) =>
      command.type === 'RequestBackup' && command.request.type === 'incremental' ? [{ timer, command }] : [],
    );
    if (incremental.length === 0) return;
    const ids = incremental.map(({ timer }) => timer.scheduleId);
    const newest = await this.backups.newestCompletedOf(manager, ids);
    const streams = [...newest.values()].map((id) => streamOf('backup', id));
    const history = await this.ledger.readStreams(manager, streams);
    for (const { timer, command } of incremental) {
      const parentId = newest.get(timer.scheduleId) ?? '';
      // The view may be a moment behind the ledger: what was just deleted is no parent.
      const parent = fold(backupDecider, history.get(streamOf('backup', parentId)) ?? []);
      if (parent.is === 'completed') Object.assign(command, { parent, request: { ...command.request, parentId } });
      else command.request = { ...command.request, type: 'full' };
    }
  }

  /** Appends the decisions; a backup that can't begin because one of the instance is running becomes a skipped slot. */
  private async record(manager: EntityManager, decisions: SlotDecision[], now: Date): Promise<Decided> {
    const decided = { ...nothing };
    const busy: SlotDecision[] = [];
    for (const round of rounds(decisions)) {
      const outcomes = await this.ledger.appendWithin(
        manager,
        round.map((decision) => this.request(decision)),
      );
      outcomes.forEach((outcome, index) => {
        const decision = round[index];
        if (!decision) return;
        if (outcome.outcome === 'claimed') busy.push(decision);
        if (outcome.outcome === 'appended') count(decided, decision, now, this.log);
      });
    }
    if (busy.length > 0) {
      const skips = busy.map(({ timer, slotAt }) => ({ timer, slotAt, command: skip(timer, slotAt, stillRunning) }));
      const outcomes = await this.ledger.appendWithin(
        manager,
        skips.map((decision) => this.request(decision)),
      );
      outcomes.forEach((outcome, index) => {
        const decision = skips[index];
        if (decision && outcome.outcome === 'appended') count(decided, decision, now, this.log);
      });
    }
    return decided;
  }

  private request({ timer, slotAt, command }: SlotDecision): AppendRequest {
    const id = scheduledBackupId(timer.scheduleId, slotAt);
    const context: EventContext = {
      requestId: `slot-${id}`,
      correlationId: `slot-${id}`,
      causationId: null,
      actor: 'strongroom-scheduler',
    };
    // Decided on an empty history: whoever was there before makes this append a conflict, which is just as well.
    const request = plan({ ids: this.ids }, backupDecider, { ...timer, id, context }, command, noHistory);
    if (isRefusal(request)) throw new TypeError(`a slot without a history was refused: ${request.message}`);
    return request;
  }
}

/** The timer's slot; but where the time of day was changed and the timer has not heard of it, the first slot since the change. */
function firstUndecided(timer: SlotTimer, { definition }: ActiveSchedule, told: readonly RecordedEvent[]): Date {
  const newest = told.at(-1);
  const heard = timer.hour === definition.hour && timer.minute === definition.minute;
  return heard || !newest ? timer.nextSlotAt : nextSlot(definition, new Date(newest.at));
}

const noHistory: readonly RecordedEvent[] = [];
const stillRunning = 'A backup of the instance was still running.';

function begin(timer: SlotTimer, slotAt: Date, schedule: ActiveSchedule, instance: RegisteredInstance): BackupCommand {
  if (schedule.definition.paused) return skip(timer, slotAt, 'The schedule was paused.');
  const request: EventData<'BackupRequested'> = {
    backupId: scheduledBackupId(timer.scheduleId, slotAt),
    instanceId: timer.instanceId,
    scheduleId: timer.scheduleId,
    slotAt: slotAt.toISOString(),
    trigger: 'slot',
    type: takesIncrementals(instance) ? plannedType(schedule.definition.dayOfWeek, slotAt) : 'full',
    parentId: null,
    name: scheduledBackupName(instance.name, slotAt),
    description: null,
    datastore: instance.datastore,
    copyTo: schedule.definition.copyTo,
  };
  return { type: 'RequestBackup', request };
}

/** Since version 17, as the instance was registered; what the server can do is found out when the backup is taken. */
function takesIncrementals({ datastore }: RegisteredInstance): boolean {
  return Number.parseInt(datastore.version, 10) >= 17;
}

/** `orders-20261123T1430Z`, cut to the 64 characters that a backup's name may have. */
export function scheduledBackupName(instanceName: string, slotAt: Date): string {
  const stamp = `${slotAt.toISOString().replaceAll(/[-:]/g, '').slice(0, 13)}Z`;
  return backupName(instanceName, stamp);
}

function skip({ scheduleId, instanceId }: SlotTimer, slotAt: Date, reason: string): BackupCommand {
  return { type: 'SkipSlot', slot: { scheduleId, instanceId, slotAt: slotAt.toISOString(), reason } };
}

function miss({ scheduleId, instanceId }: SlotTimer, slotAt: Date, now: Date): BackupCommand {
  const lateMinutes = Math.round((now.getTime() - slotAt.getTime()) / 60_000);
  const reason = `No scheduler was there to fire the slot; it was found ${lateMinutes} minutes late and not made up for.`;
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

/** Two schedules' backups of one instance, which a deletion not yet seen can bring about, must not meet in one append. */
function rounds(decisions: SlotDecision[]): SlotDecision[][] {
  const result: SlotDecision[][] = [];
  const roundOf = new Map<string, number>();
  for (const decision of decisions) {
    const { instanceId } = decision.timer;
    const round = decision.command.type === 'RequestBackup' ? (roundOf.get(instanceId) ?? 0) : 0;
    if (decision.command.type === 'RequestBackup') roundOf.set(instanceId, round + 1);
    const members = result[round] ?? [];
    members.push(decision);
    result[round] = members;
  }
  return result;
}
