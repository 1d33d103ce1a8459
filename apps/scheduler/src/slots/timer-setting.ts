/** Sets, changes and removes the timers of schedules as the feed brings the news of them. */
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EventType, RecordedEvent } from '@strongroom/contracts';
import { FeedContext, together } from '@strongroom/feed';
import { SlotAlarm } from './slot-alarm.js';
import { removeTimer, setTimers } from './slot-timers.js';

@Controller()
export class TimerSetting {
  constructor(@Inject(SlotAlarm) private readonly alarm: SlotAlarm) {}

  @EventPattern<string[]>([together('ScheduleCreated'), together('ScheduleUpdated')])
  async set(
    @Payload() events: (RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>)[],
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    for (const slotAt of await setTimers(manager, events)) this.alarm.set(slotAt);
  }

  @EventPattern<EventType[]>(['ScheduleDeleted'])
  async remove(@Payload() event: RecordedEvent<'ScheduleDeleted'>, @Ctx() { manager }: FeedContext): Promise<void> {
    await removeTimer(manager, event);
  }
}
