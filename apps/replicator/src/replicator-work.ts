/** What the replicator does by itself, from its start to its end: a lane of copying for each region. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import {
  type AppConfig,
  type Hold,
  type Jobs,
  type LeasedJob,
  LeasedWorker,
  type Logger,
  type Metrics,
  type Performed,
} from '@strongroom/runtime';

const pollMs = 500;

export class ReplicatorWork implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly lanes: ReadonlyMap<string, LeasedWorker>;

  constructor(
    { jobs, metrics, log }: { jobs: Jobs; metrics: Metrics; log: Logger },
    config: AppConfig,
    owner: string,
    perform: (job: LeasedJob, hold: Hold) => Promise<Performed>,
  ) {
    const { copyConcurrency: concurrency, leaseMs } = config;
    const lanes = new Map(
      config.copyRegions.map((region) => [
        region,
        new LeasedWorker(jobs, { kind: 'copy', lane: region, owner, concurrency, leaseMs, pollMs, perform }, log),
      ]),
    );
    this.lanes = lanes;
    metrics.gauge({
      name: 'strongroom_copies_running',
      help: 'Copies that this process is making, by region.',
      labels: ['region'],
      measure: (gauge) => {
        for (const [region, lane] of lanes) gauge.set({ region }, lane.busy);
      },
    });
    const owed = metrics.gauge({
      name: 'strongroom_copies_owed',
      help: 'Copies owed to a region and not completed yet, by region.',
      labels: ['region'],
    });
    metrics.gauge({
      name: 'strongroom_copy_lag_seconds',
      help: 'How long the copy that waits longest for a replicator has been ready, by region; 0 when none waits.',
      labels: ['region'],
      measure: async (gauge) => {
        const load = new Map((await jobs.load('copy')).map((lane) => [lane.lane, lane]));
        for (const region of lanes.keys()) {
          const { waiting = 0, held = 0, deferred = 0, oldestWaitMs = 0 } = load.get(region) ?? {};
          owed.set({ region }, waiting + held + deferred);
          gauge.set({ region }, oldestWaitMs / 1_000);
        }
      },
    });
  }

  onApplicationBootstrap(): void {
    for (const lane of this.lanes.values()) lane.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([...this.lanes.values()].map((lane) => lane.stop()));
  }
}
