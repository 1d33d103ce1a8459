/** What the gateway does by itself: forgets requests whose day is over. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import type { IdempotentRequests } from './idempotent-requests.js';

const everyMs = 600_000;

export class Housekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loop: WorkLoop;

  constructor(requests: IdempotentRequests, log: Logger) {
    this.loop = new WorkLoop({
      name: 'forgetting idempotent requests',
      intervalMs: everyMs,
      log,
      pass: () => requests.purge(),
    });
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }
}
