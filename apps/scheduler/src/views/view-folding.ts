/** Folds the events that the feed brings into the views. */
import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { type EventType, eventTypes, type RecordedEvent } from '@strongroom/contracts';
import { Views } from '@strongroom/read-model';

@Controller()
export class ViewFolding {
  constructor(private readonly views: Views) {}

  /**
   * The views are folded in transactions of their own. Otherwise two batches that fold the same accounts in different
   * orders would deadlock.
   */
  @EventPattern<EventType[]>(eventTypes)
  async fold(@Payload() event: RecordedEvent): Promise<void> {
    await this.views.catchUp(event.accountId);
  }
}
