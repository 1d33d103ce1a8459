/** What the replicator does by itself, from its start to its end: a lane of copying for each region. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Copies, Owed } from '@strongroom/read-model';
import {
  type AppConfig,
  type Hold,
  type Jobs,
  type LeasedJob,
  type LeasedWork,
  LeasedWorker,
  type Logger,
  type Metrics,
  type Performed,
  WorkLoop,
} from '@strongroom/runtime';
import { sweepJob } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import type { MissingCopies } from './missing-copies.js';

const pollMs = 500;
const missingCopiesMs = 60_000;
const sweepPollMs = 15_000;

type Pace = Pick<LeasedWork, 'concurrency' | 'pollMs'>;

export class ReplicatorWork implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly lanes: ReadonlyMap<string, LeasedWorker>;
  private readonly sweeps: readonly LeasedWorker[];
  private readonly loops: readonly WorkLoop[];

  constructor(
    {
      dataSource,
      jobs,
      missing,
      copies,
      metrics,
      log,
    }: {
      dataSource: DataSource;
      jobs: Jobs;
      missing: MissingCopies;
      copies: Copies;
      metrics: Metrics;
      log: Logger;
    },
    config: AppConfig,
    owner: string,
    perform: Record<'copy' | 'sweep', (job: LeasedJob, hold: Hold) => Promise<Performed>>,
  ) {
    const { copyConcurrency, copyRegions, leaseMs } = config;
    const of = (kind: keyof typeof perform, lane: string, { concurrency, pollMs }: Pace) =>
      new LeasedWorker(jobs, { kind, lane, owner, concurrency, leaseMs, pollMs, perform: perform[kind] }, log);
    const ofCopies = { concurrency: copyConcurrency, pollMs };
    const lanes = new Map(copyRegions.map((region) => [region, of('copy', region, ofCopies)]));
    this.lanes = lanes;
    this.sweeps = copyRegions.map((region) => of('sweep', region, { concurrency: 1, pollMs: sweepPollMs }));
    const search = new WorkLoop({
      name: 'search for missing copies',
      intervalMs: missingCopiesMs,
      log,
      pass: () => missing.look(),
    });
    const sweeping = new WorkLoop({
      name: 'jobs of the sweep',
      intervalMs: missingCopiesMs * 60,
      log,
      pass: () => jobs.add(dataSource.manager, copyRegions.map(sweepJob)),
    });
    this.loops = [search, sweeping];
    metrics.gauge({
      name: 'strongroom_copies_running',
      help: 'Copies that this process is making, by region.',
      labels: ['region'],
      measure: (gauge) => {
        for (const [region, lane] of lanes) gauge.set({ region }, lane.busy);
      },
    });
    let asking: Promise<Map<string, Owed>> | undefined;
    // Both gauges are asked for at the same time.
    const owed = () => {
      asking ??= copies
        .owed()
        .then((found) => new Map(found.map((each) => [each.region, each])))
        .finally(() => {
          asking = undefined;
        });
      return asking;
    };
    metrics.gauge({
      name: 'strongroom_copies_owed',
      help: 'Copies owed to a region and not completed yet, by region.',
      labels: ['region'],
      measure: async (gauge) => {
        const found = await owed();
        for (const region of lanes.keys()) gauge.set({ region }, found.get(region)?.copies ?? 0);
      },
    });
    metrics.gauge({
      name: 'strongroom_copy_lag_seconds',
      help: 'How long the copy that is owed longest has been owed, by region; 0 when none is.',
      labels: ['region'],
      measure: async (gauge) => {
        const found = await owed();
        for (const region of lanes.keys()) gauge.set({ region }, (found.get(region)?.oldestMs ?? 0) / 1_000);
      },
    });
  }

  onApplicationBootstrap(): void {
    for (const each of this.everything()) each.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.everything().map((each) => each.stop()));
  }

  private everything(): (LeasedWorker | WorkLoop)[] {
    return [...this.lanes.values(), ...this.sweeps, ...this.loops];
  }
}
