/**
 * Folds the events that the feed brings into the views. An account whose views can't be folded is set aside, and no message is:
 * what else is to be done with the event does not depend on the views.
 */
import { Controller, Inject } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { type EventType, eventTypes, type RecordedEvent } from '@strongroom/contracts';
import { Views } from '@strongroom/read-model';
import { type Logger, loggerToken } from '@strongroom/runtime';

@Controller()
export class ViewFolding {
  constructor(
    private readonly views: Views,
    @Inject(loggerToken) private readonly log: Logger,
  ) {}

  /**
   * The views are folded in transactions of their own. Otherwise two batches that fold the same accounts in different
   * orders would deadlock.
   */
  @EventPattern<EventType[]>(eventTypes)
  async fold(@Payload() event: RecordedEvent): Promise<void> {
    await this.views.catchUpEach([event.accountId], this.log);
  }
}
