/**
 * What the gateway does by itself: it forgets idempotent requests after a day, removes credentials that no instance has, and seals those
 * anew that are sealed under a former key.
 */
import { type BeforeApplicationShutdown, Inject, type OnApplicationBootstrap } from '@nestjs/common';
import { Credentials } from '@strongroom/credentials';
import { Ledger } from '@strongroom/ledger';
import { type Logger, loggerToken, Metrics, WorkLoop } from '@strongroom/runtime';
import { IdempotentRequests } from '../edge/idempotent-requests.js';
import { removeLeftCredentials } from '../instances/left-credentials.js';
import { Resealing } from '../instances/resealing.js';

const intervalMs = 600_000;
const resealMs = 60_000;

export class Housekeeping implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loops: WorkLoop[];

  constructor(
    @Inject(IdempotentRequests) requests: IdempotentRequests,
    @Inject(Credentials) credentials: Credentials,
    @Inject(Ledger) ledger: Ledger,
    @Inject(loggerToken) log: Logger,
    @Inject(Metrics) metrics: Metrics,
  ) {
    const resealing = new Resealing({ credentials, ledger, log });
    metrics.gauge({
      name: 'strongroom_credentials_unreadable',
      help: 'Instances with a credential that this process could not open when it last looked at all that are to be sealed anew.',
      measure: (gauge) => gauge.set(resealing.unreadableCount),
    });
    this.loops = [
      new WorkLoop({ name: 'forgetting idempotent requests', intervalMs, log, pass: () => requests.purge() }),
      new WorkLoop({
        name: 'removing credentials that no instance has',
        intervalMs,
        log,
        pass: async () => {
          const instances = await removeLeftCredentials({ credentials, ledger });
          if (instances.length > 0) log.info({ instances }, 'removed credentials that no instance has');
        },
      }),
      new WorkLoop({ name: 'sealing credentials anew', intervalMs: resealMs, log, pass: () => resealing.some() }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }
}
