/** What the scheduler does by itself, from its start to its end: the slot dispatcher, and the runners of its jobs. */
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { Backups } from '@strongroom/read-model';
import {
  type AppConfig,
  type Hold,
  type Jobs,
  type LeasedJob,
  LeasedWorker,
  type Logger,
  type Metrics,
  type Performed,
  WorkLoop,
} from '@strongroom/runtime';
import { sweepJob } from '@strongroom/vault';
import type { DataSource } from 'typeorm';
import type { MissingWork } from './missing-work.js';
import type { StrandedDeletions } from './policies/stranded-deletions.js';
import type { SlotDispatcher } from './slots/slot-dispatcher.js';
import { overdueMs } from './slots/slot-timers.js';

const tickMs = 1_000;
const pollMs = 500;
const missingWorkMs = 60_000;
const strandedDeletionsMs = 10_000;
const sweepPollMs = 15_000;
const deletionConcurrency = 2;
const chainEndConcurrency = 4;
/** Servers that one process keeps running. */
const instanceConcurrency = 16;

type Perform = (job: LeasedJob, hold: Hold) => Promise<Performed>;

export class SchedulerWork implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly loops: WorkLoop[];
  private readonly runners: LeasedWorker[];

  constructor(
    {
      dispatcher,
      missing,
      stranded,
      jobs,
      dataSource,
      metrics,
      log,
    }: {
      dispatcher: SlotDispatcher;
      missing: MissingWork;
      stranded: StrandedDeletions;
      jobs: Jobs;
      dataSource: DataSource;
      metrics: Metrics;
      log: Logger;
    },
    config: AppConfig,
    owner: string,
    perform: Record<'backup' | 'deletion' | 'chain-end' | 'instance' | 'sweep', Perform>,
  ) {
    const slots = metrics.counter({
      name: 'strongroom_slots_total',
      help: 'Slots decided by this process, by outcome.',
      labels: ['outcome'],
    });
    const lag = metrics.histogram({
      name: 'strongroom_slot_lag_seconds',
      help: 'From the nominal time of a slot to the event that begins its backup; the greatest of each pass.',
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600],
    });
    const clock = new WorkLoop({
      name: 'slot dispatcher',
      intervalMs: tickMs,
      log,
      pass: async () => {
        const { fired, skipped, missed, lagMs } = await dispatcher.decideDue();
        slots.inc({ outcome: 'fired' }, fired);
        slots.inc({ outcome: 'skipped' }, skipped);
        slots.inc({ outcome: 'missed' }, missed);
        if (fired > 0) lag.observe(lagMs / 1_000);
      },
    });
    const search = new WorkLoop({
      name: 'search for missing work',
      intervalMs: missingWorkMs,
      log,
      pass: () => missing.look(),
    });
    const takingUp = new WorkLoop({
      name: 'search for stranded deletions',
      intervalMs: strandedDeletionsMs,
      log,
      pass: () => stranded.look(),
    });
    const sweeping = new WorkLoop({
      name: 'job of the sweep',
      intervalMs: missingWorkMs * 60,
      log,
      pass: () => jobs.add(dataSource.manager, [sweepJob(config.homeRegion)]),
    });
    this.loops = [clock, search, takingUp, sweeping];
    const { leaseMs } = config;
    const of = (kind: Exclude<keyof typeof perform, 'sweep'>, concurrency: number) =>
      new LeasedWorker(jobs, { kind, lane: '', owner, concurrency, leaseMs, pollMs, perform: perform[kind] }, log);
    const sweep = { kind: 'sweep', lane: config.homeRegion, owner, concurrency: 1, leaseMs, perform: perform.sweep };
    const runner = of('backup', config.backupConcurrency);
    this.runners = [
      runner,
      of('deletion', deletionConcurrency),
      of('chain-end', chainEndConcurrency),
      new LeasedWorker(jobs, { ...sweep, pollMs: sweepPollMs }, log),
    ];
    if (config.instancesFolder !== undefined) this.runners.push(of('instance', instanceConcurrency));
    metrics.gauge({
      name: 'strongroom_backups_running',
      help: 'Backups that this process is running.',
      measure: (gauge) => gauge.set(runner.busy),
    });
    metrics.gauge({
      name: 'strongroom_instances_waiting',
      help: 'Built servers that no scheduler has: none has room for them, or none has their data.',
      measure: async (gauge) => {
        const lanes = await jobs.load('instance');
        gauge.set(lanes.reduce((sum, { waiting, deferred }) => sum + waiting + deferred, 0));
      },
    });
    const backups = new Backups(dataSource);
    metrics.gauge({
      name: 'strongroom_deletions_stranded',
      help: 'Deleted backups of which a region without a vault may still have something, by region.',
      labels: ['region'],
      measure: async (gauge) => {
        const found = await backups.leftBehindIn([...config.vaults.keys()]);
        gauge.reset();
        for (const each of found) gauge.set({ region: each.region }, each.backups);
      },
    });
    metrics.gauge({
      name: 'strongroom_slot_overdue_seconds',
      help: 'How long the slot that is due longest has been waiting to be decided; 0 when none is due.',
      measure: async (gauge) => gauge.set((await overdueMs(dataSource.manager)) / 1_000),
    });
    metrics.gauge({
      name: 'strongroom_schedules_held_back',
      help: 'Schedules with due slots that this process can not judge: something in their history is unreadable, or the clocks contradict each other.',
      measure: (gauge) => gauge.set(dispatcher.heldBack),
    });
    metrics.gauge({
      name: 'strongroom_backups_waiting',
      help: 'Requested backups that no runner has leased.',
      measure: async (gauge) => gauge.set((await jobs.load('backup')).reduce((sum, { waiting }) => sum + waiting, 0)),
    });
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
    for (const runner of this.runners) runner.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([...this.loops, ...this.runners].map((each) => each.stop()));
  }
}
