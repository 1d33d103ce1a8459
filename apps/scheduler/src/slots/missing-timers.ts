/**
 * Sets timers that should be there and are not, or that have missed a change of their schedule. What was lost with a
 * message is found by the feed's second look; this finds what was lost later, or long before there was a second look.
 */
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { fold, nextSlot, scheduleDecider } from '@strongroom/domain';
import type { Ledger } from '@strongroom/ledger';
import type { Unfinished } from '@strongroom/read-model';
import type { PutBack } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { hasTimer, moveTimers, schedulesBehind, setTimer } from './slot-timers.js';

export interface MissingTimersParts {
  dataSource: DataSource;
  ledger: Ledger;
  unfinished: Unfinished;
  putBack: PutBack;
  /** Brings the accounts' views up to date: a view that is behind shows what was deleted long ago. */
  catchUp(accountIds: readonly string[]): Promise<void>;
}

/** How many are set in one pass. */
const mostAtOnce = 100;

export class MissingTimers {
  private roundAt: string | undefined;

  constructor(private readonly parts: MissingTimersParts) {}

  /** One step of a round over all schedules. */
  async putBackMissing(): Promise<void> {
    const { dataSource, unfinished, catchUp } = this.parts;
    const { found, end } = await unfinished.schedules(this.roundAt);
    const behind = await schedulesBehind(dataSource.manager, found);
    const missing = found.filter(({ id }) => behind.has(id));
    await catchUp(missing.map(({ accountId }) => accountId));
    for (const { id } of missing.slice(0, mostAtOnce)) {
      // First, so that one that does not come right holds up nothing that comes after it.
      this.roundAt = id;
      await this.putBackOne(id);
    }
    // More of one step than fit are looked at from there on.
    if (missing.length <= mostAtOnce) this.roundAt = end;
  }

  /** From the newest slot that has its outcome on: those since then are made up for or missed, as after any outage. */
  private async putBackOne(scheduleId: string): Promise<void> {
    const { dataSource, ledger, unfinished, putBack } = this.parts;
    const history = await ledger.readStream(streamOf('schedule', scheduleId));
    const schedule = fold(scheduleDecider, history);
    const newest = history.findLast(isDefinition);
    if (schedule.is !== 'active' || !newest) return;
    const changedAt = new Date(newest.at);
    const decidedAt = (await unfinished.newestSlotOf(scheduleId)) ?? changedAt;
    const nextSlotAt = nextSlot(schedule.definition, decidedAt > changedAt ? decidedAt : changedAt);
    await dataSource.transaction(async (manager) => {
      // One that is there rings for what it has not decided yet, or for the change, whichever comes first.
      const isThere = await hasTimer(manager, scheduleId);
      await setTimer(manager, newest);
      if (!isThere) await moveTimers(manager, [{ scheduleId, nextSlotAt }]);
    });
    putBack.tell('timer', scheduleId);
  }
}

function isDefinition(event: RecordedEvent): event is RecordedEvent<'ScheduleCreated' | 'ScheduleUpdated'> {
  return event.type === 'ScheduleCreated' || event.type === 'ScheduleUpdated';
}
