/** The work that an app does without a request. It begins when the app has begun, and ends before the app's connections do. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Running } from './jobs/job-work.js';

export class AppWork implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly running: readonly Running[]) {}

  onApplicationBootstrap(): void {
    for (const each of this.running) each.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.running.map((each) => each.stop()));
  }
}
