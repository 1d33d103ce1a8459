/**
 * Adds the jobs that events ask for, when the feed brings the events: those that an older process or another way has
 * recorded without their jobs. A job that its event's own transaction has added is found there, or found done.
 */
import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { perEvent, type RecordedEvent } from '@strongroom/contracts';
import { type JobKind, Jobs } from '@strongroom/runtime';
import { FeedContext } from './feed-context.js';

export interface NewsHandler {
  queue(event: RecordedEvent, context: FeedContext): Promise<void>;
}

/** A controller that handles the events by which the kinds of jobs are queued. The app must provide `Jobs`. */
export function jobNews(kinds: readonly Pick<JobKind<never>, 'kind' | 'queuedBy'>[]): Type<NewsHandler> {
  const types = new Set(kinds.flatMap(({ queuedBy }) => Object.keys(queuedBy ?? {})));

  @Controller()
  class JobNews implements NewsHandler {
    constructor(private readonly jobs: Jobs) {}

    @EventPattern<string[]>([...types])
    async queue(@Payload() event: RecordedEvent, @Ctx() { manager }: FeedContext): Promise<void> {
      const { accountId, position } = event;
      for (const { kind, queuedBy = {} } of kinds) {
        const asked = perEvent(queuedBy, event);
        if (asked) await this.jobs.addUnlessThere(manager, position, { kind, accountId, ...asked });
      }
    }
  }

  return JobNews;
}
