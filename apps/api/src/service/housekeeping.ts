/** What the gateway does by itself: forgets requests whose day is over, and removes credentials that no instance has. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { type Logger, WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import type { IdempotentRequests } from '../edge/idempotent-requests.js';
import { removeLeftCredentials } from '../instances/left-credentials.js';

const intervalMs = 600_000;

export class Housekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loops: WorkLoop[];

  constructor(requests: IdempotentRequests, dataSource: DataSource, log: Logger) {
    this.loops = [
      new WorkLoop({ name: 'forgetting idempotent requests', intervalMs, log, pass: () => requests.purge() }),
      new WorkLoop({
        name: 'removing credentials that no instance has',
        intervalMs,
        log,
        pass: async () => {
          const instances = await removeLeftCredentials(dataSource);
          if (instances.length > 0) log.info({ instances }, 'removed credentials that no instance has');
        },
      }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }
}
