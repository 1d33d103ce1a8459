/** Sets, changes and removes the timers of schedules as the feed brings the news of them. */
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import type { EventType, RecordedEvent } from '@strongroom/contracts';
import { FeedContext } from '@strongroom/feed';
import { removeTimer, setTimer } from './slot-timers.js';

@Controller()
export class TimerSetting {
  @EventPattern<EventType[]>(['ScheduleCreated', 'ScheduleUpdated'])
  async set(
    @Payload() event: RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>,
    @Ctx() { manager }: FeedContext,
  ): Promise<void> {
    await setTimer(manager, event);
  }

  @EventPattern<EventType[]>(['ScheduleDeleted'])
  async remove(@Payload() event: RecordedEvent<'ScheduleDeleted'>, @Ctx() { manager }: FeedContext): Promise<void> {
    await removeTimer(manager, event);
  }
}
