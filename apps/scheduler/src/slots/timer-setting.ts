/** Sets, changes and removes the timers of schedules as the feed brings the news of them. */
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EventType, RecordedEvent } from '@strongroom/contracts';
import { FeedContext } from '@strongroom/feed';
import { SlotAlarm } from './slot-alarm.js';
import { removeTimer, setTimer } from './slot-timers.js';

@Controller()
export class TimerSetting {
  constructor(@Inject(SlotAlarm) private readonly alarm: SlotAlarm) {}

  @EventPattern<EventType[]>(['ScheduleCreated', 'ScheduleUpdated'])
  async set(
    @Payload() event: RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    this.alarm.set(await setTimer(manager, event));
  }

  @EventPattern<EventType[]>(['ScheduleDeleted'])
  async remove(@Payload() event: RecordedEvent<'ScheduleDeleted'>, @Ctx() { manager }: FeedContext): Promise<void> {
    await removeTimer(manager, event);
  }
}
