/** What the replicator does by itself, from its start to its end: a lane of copying for each region with a vault. */
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
import type { UnplannedCopies } from './jobs/plan/unplanned-copies.js';
import type { MissingCopies } from './missing-copies.js';
import type { StrandedCopies } from './policies/stranded-copies.js';

const pollMs = 500;
const missingCopiesMs = 60_000;
const strandedCopiesMs = 10_000;
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
      stranded,
      copies,
      unplanned,
      metrics,
      log,
    }: {
      dataSource: DataSource;
      jobs: Jobs;
      missing: MissingCopies;
      stranded: StrandedCopies;
      copies: Copies;
      unplanned: UnplannedCopies;
      metrics: Metrics;
      log: Logger;
    },
    config: AppConfig,
    owner: string,
    perform: Record<'copy' | 'sweep', (job: LeasedJob, hold: Hold) => Promise<Performed>>,
  ) {
    const { copyConcurrency, copyRegions, vaults, leaseMs } = config;
    const of = (kind: keyof typeof perform, lane: string, { concurrency, pollMs }: Pace) =>
      new LeasedWorker(jobs, { kind, lane, owner, concurrency, leaseMs, pollMs, perform: perform[kind] }, log);
    const ofCopies = { concurrency: copyConcurrency, pollMs };
    const lanes = new Map([...vaults.keys()].map((region) => [region, of('copy', region, ofCopies)]));
    this.lanes = lanes;
    this.sweeps = copyRegions.map((region) => of('sweep', region, { concurrency: 1, pollMs: sweepPollMs }));
    const search = new WorkLoop({
      name: 'search for missing copies',
      intervalMs: missingCopiesMs,
      log,
      pass: () => missing.look(),
    });
    const strandedSearch = new WorkLoop({
      name: 'search for stranded copies',
      intervalMs: strandedCopiesMs,
      log,
      pass: () => stranded.look(),
    });
    const sweeping = new WorkLoop({
      name: 'jobs of the sweep',
      intervalMs: missingCopiesMs * 60,
      log,
      pass: () => jobs.add(dataSource.manager, copyRegions.map(sweepJob)),
    });
    this.loops = [search, strandedSearch, sweeping];
    metrics.gauge({
      name: 'strongroom_copies_running',
      help: 'Copies that this process is making, by region.',
      labels: ['region'],
      measure: (gauge) => {
        for (const [region, lane] of lanes) gauge.set({ region }, lane.busy);
      },
    });
    let asking: Promise<Owed[]> | undefined;
    // The gauges are asked for at the same time.
    const owed = () => {
      asking ??= Promise.all([copies.owed(), unplanned.owed()])
        .then(([planned, others]) => together([...planned, ...others]))
        .finally(() => {
          asking = undefined;
        });
      return asking;
    };
    const ofRegions = (name: `strongroom_${string}`, help: string, value: (owed: Owed) => number) =>
      metrics.gauge({
        name,
        help,
        labels: ['region'],
        measure: async (gauge) => {
          // One that is owed nothing any more, and has no vault, is not shown with what it was owed.
          const found = await owed();
          gauge.reset();
          for (const region of lanes.keys()) gauge.set({ region }, 0);
          for (const each of found) gauge.set({ region: each.region }, value(each));
        },
      });
    ofRegions(
      'strongroom_copies_owed',
      'Copies owed to a region and not completed yet, by region: also those that nobody has planned, and of regions without a vault.',
      (each) => each.copies,
    );
    ofRegions(
      'strongroom_copy_lag_seconds',
      'How long the copy that is owed longest has been owed, by region; 0 when none is.',
      ({ oldestMs }) => oldestMs / 1_000,
    );
    ofRegions(
      'strongroom_copies_stranded',
      'Copies that can not be made, since their region or that of the backup has no vault any more, by region.',
      ({ stranded: copiesStranded }) => copiesStranded,
    );
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

function together(owed: readonly Owed[]): Owed[] {
  const sum = new Map<string, Owed>();
  for (const { region, copies, oldestMs, stranded } of owed) {
    const before = sum.get(region);
    sum.set(region, {
      region,
      copies: copies + (before?.copies ?? 0),
      oldestMs: Math.max(oldestMs, before?.oldestMs ?? 0),
      stranded: stranded + (before?.stranded ?? 0),
    });
  }
  return [...sum.values()];
}
