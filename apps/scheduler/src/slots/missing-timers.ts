/**
 * Sets timers that should be there and are not, or that have missed a change of their schedule. The feed's second look
 * finds what was lost with a message. This finds what was lost later, or long before there was a second look. The ledger says
 * which schedules there are: an account whose views can't be folded keeps its timers.
 */
import { messageOf, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { fold, nextSlot, scheduleDecider } from '@strongroom/domain';
import { isOutageForAll, type Ledger, liveSchedules } from '@strongroom/ledger';
import type { Unfinished } from '@strongroom/read-model';
import type { PutBack, SetAside } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { hasTimer, moveTimers, schedulesBehind, setTimer } from './slot-timers.js';

export interface MissingTimersParts {
  dataSource: DataSource;
  ledger: Ledger;
  unfinished: Unfinished;
  putBack: PutBack;
  setAside: SetAside;
  /** Brings the accounts' views up to date: a view that is behind shows what was deleted long ago. */
  catchUp(accountIds: readonly string[]): Promise<void>;
}

/** How many are set in one pass. */
const mostAtOnce = 100;

export class MissingTimers {
  /** The position of the ledger up to which the round is. */
  private roundAt: number | undefined;

  constructor(private readonly parts: MissingTimersParts) {}

  /** One step of a round over all schedules. */
  async putBackMissing(): Promise<void> {
    const { dataSource, catchUp } = this.parts;
    const { found, end } = await liveSchedules(dataSource.manager, this.roundAt);
    const behind = await schedulesBehind(dataSource.manager, found);
    const missing = found.filter(({ id }) => behind.has(id));
    const now = missing.slice(0, mostAtOnce);
    await catchUp(now.map(({ accountId }) => accountId));
    for (const { id, accountId, position } of now) {
      this.roundAt = position;
      try {
        await this.putBackOne(id);
      } catch (error) {
        if (isOutageForAll(error)) throw error;
        const reason = `it has no timer, and none can be set: ${messageOf(error)}`;
        await this.parts.setAside.put('schedule', [{ id, accountId, reason }]);
      }
    }
    // When a step finds more than it may set, the next step goes on after the last one that was set.
    if (missing.length <= mostAtOnce) this.roundAt = end;
  }

  /**
   * Sets the timer to the slot after the newest one that has its outcome. Slots that came since then are made up for or
   * missed, as after any outage. A slot of which the views do not show the outcome yet is decided already, and stays as it is.
   */
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
      // A timer that is there rings for its own slot or for that of the change, whichever comes first.
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
