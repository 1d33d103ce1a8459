/**
 * Folds the events that the feed brings into the views. An account whose views can't be folded, or not soon, holds up no message:
 * what else is to be done with the event does not depend on the views, and whoever reads them folds what is missing.
 */
import { Controller, Inject } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import type { RecordedEvent } from '@strongroom/contracts';
import { anyType, together } from '@strongroom/feed';
import { Views } from '@strongroom/read-model';
import { endsWithin, type Logger, loggerToken } from '@strongroom/runtime';

/** The transaction of the messages may be silent for two seconds. */
const longestWaitMs = 1_000;

@Controller()
export class ViewFolding {
  constructor(
    private readonly views: Views,
    @Inject(loggerToken) private readonly log: Logger,
  ) {}

  /**
   * The views are folded in transactions of their own, which batches of several partitions share. In the transaction of the messages,
   * two batches that fold the same accounts in different orders would deadlock.
   */
  @EventPattern<string>(together(anyType))
  async fold(@Payload() events: RecordedEvent[]): Promise<void> {
    const accountIds = [...new Set(events.map(({ accountId }) => accountId))];
    const folding = this.views.catchUpEach(accountIds, this.log);
    if (!(await endsWithin(folding, longestWaitMs))) this.goOn(folding, accountIds);
  }

  /** Nobody waits for it any more. In an outage the next message fails as well. */
  private goOn(folding: Promise<void>, accountIds: readonly string[]): void {
    folding.catch((err: unknown) =>
      this.log.debug({ err, accountIds }, 'the views of accounts are folded at the next message or read'),
    );
  }
}
