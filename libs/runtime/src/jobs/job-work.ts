/** What goes over an app's list of kinds of jobs while it runs: workers, standing jobs, the search for missing jobs, metrics. */
import { messageOf } from '@strongroom/contracts';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { SetAside } from '../set-aside.js';
import { WorkLoop } from '../work-loop.js';
import type { JobKind } from './job-kind.js';
import type { LeasedJob } from './jobs.js';
import { LaneLooks } from './lane-looks.js';
import { type Hold, LeasedWorker, type PassedOver, type Performed } from './leased-worker.js';
import { MissingJobs, type MissingJobsParts } from './missing-jobs.js';

export interface JobWorkParts extends MissingJobsParts {
  config: { leaseMs: number };
  metrics: Metrics;
  log: Logger;
  /** Who holds the leases: unique to the process. */
  owner: string;
  setAside: SetAside;
  /** Calls `wake` after appends by any process: most jobs are added with an event. @returns a function that ends the calls */
  onAppend(wake: () => void): Promise<() => Promise<void>>;
  /** Whether an error is an outage, which passes. */
  passes(error: unknown): boolean;
  /** Whether an error says that this version can't read a stream. A newer one may. */
  isUnreadable(error: unknown): boolean;
}

/** A job that has broken off so often before is counted as set aside. It is tried again when its lease lapses. */
const mostBreaks = 2;

const defaultPollMs = 500;
/** How often a lane is looked at without any news: a job may have been added without an event. */
const idleMs = 10_000;
const missingJobsMs = 60_000;
const standingJobsMs = 3_600_000;

/** What begins with the app and ends with it: a loop or a worker. */
export interface Running {
  start(): void;
  stop(): Promise<void>;
}

/** Tells whether every lane is looked at for jobs. @throws with the lane that is not */
export async function probeLanes(work: readonly Running[]): Promise<void> {
  for (const each of work) if (each instanceof LeasedWorker) await each.probe();
}

/** The loops and workers of an app's kinds of jobs. */
export function jobWork<Parts extends JobWorkParts>(kinds: readonly JobKind<Parts>[], parts: Parts): Running[] {
  const { dataSource, jobs, log } = parts;
  const looks = new LaneLooks(jobs);
  const workers = kinds.map((kind) => ({ kind, byLane: workersOf(kind, parts, looks) }));
  measure(workers, parts);
  const missing = new MissingJobs(kinds, parts);
  const standing = kinds.flatMap((kind) => kind.standing?.(parts) ?? []);
  const all = workers.flatMap(({ byLane }) => [...byLane.values()]);
  return [
    ...all,
    newsFor(all, parts),
    new WorkLoop({
      name: 'search for missing jobs',
      intervalMs: missingJobsMs,
      log,
      pass: () => missing.putBackMissing(),
    }),
    new WorkLoop({
      name: 'adding of standing jobs',
      intervalMs: standingJobsMs,
      log,
      pass: () => jobs.add(dataSource.manager, standing),
    }),
  ];
}

/** Has the workers look for jobs after each append. */
function newsFor(workers: readonly LeasedWorker[], { onAppend }: Pick<JobWorkParts, 'onAppend'>): Running {
  let listening: Promise<() => Promise<void>> | undefined;
  return {
    start() {
      listening ??= onAppend(() => {
        for (const worker of workers) worker.lookSoon();
      });
    },
    async stop() {
      await (await listening)?.();
    },
  };
}

function workersOf<Parts extends JobWorkParts>(
  kind: JobKind<Parts>,
  parts: Parts,
  looks: LaneLooks,
): Map<string, LeasedWorker> {
  const { config, jobs, owner, log } = parts;
  const worker = (lane: string) => {
    const work = {
      kind: kind.kind,
      lane,
      owner,
      concurrency: kind.concurrency(parts),
      most: kind.most && (() => kind.most?.(parts, lane) ?? Number.POSITIVE_INFINITY),
      leaseMs: config.leaseMs,
      pollMs: kind.pollMs?.(parts) ?? defaultPollMs,
      idleMs,
      quota: kind.quota?.(parts),
      share: kind.share?.(parts),
      perform: (job: LeasedJob, hold: Hold) => performCounted(kind, parts, job, hold),
    };
    return new LeasedWorker(jobs, work, log, looks);
  };
  return new Map((kind.lanes?.(parts) ?? ['']).map((lane) => [lane, worker(lane)]));
}

async function performCounted<Parts extends JobWorkParts>(
  kind: JobKind<Parts>,
  parts: Parts,
  job: LeasedJob,
  hold: Hold,
): Promise<Performed | PassedOver> {
  const id = `${job.kind}/${job.id}`;
  try {
    const performed = await kind.perform(parts, job, hold);
    if (job.failures > 0 || job.passedBy) await parts.setAside.takeBack('job', [id]);
    return performed;
  } catch (error) {
    if (!hold.signal.aborted && parts.isUnreadable(error)) return passOver(parts, job, error);
    if (job.failures >= mostBreaks && !hold.signal.aborted && !parts.passes(error)) {
      const reason = `it broke off ${job.failures + 1} times: ${messageOf(error)}`;
      await parts.setAside.put('job', [{ id, accountId: job.accountId, reason }]);
    }
    throw error;
  }
}

/** The first time it is not set aside: a newer process beside this one may do it at once. */
async function passOver({ jobs, setAside, log }: JobWorkParts, job: LeasedJob, error: unknown): Promise<PassedOver> {
  const reason = messageOf(error);
  log.warn({ job: job.id, attempt: job.attempt }, `${job.kind} is left to processes of a newer version: ${reason}`);
  if (jobs.hasPassedOver(job)) {
    await setAside.put('job', [{ id: `${job.kind}/${job.id}`, accountId: job.accountId, reason }]);
  }
  return 'passed-over';
}

function measure<Parts extends JobWorkParts>(
  workers: readonly { kind: JobKind<Parts>; byLane: ReadonlyMap<string, LeasedWorker> }[],
  parts: Parts,
): void {
  const { jobs, metrics } = parts;
  metrics.gauge({
    name: 'strongroom_jobs_running',
    help: 'Jobs that this process works on, by kind and lane.',
    labels: ['kind', 'lane'],
    measure: (gauge) => {
      for (const { kind, byLane } of workers)
        for (const [lane, worker] of byLane) gauge.set({ kind: kind.kind, lane }, worker.busy);
    },
  });
  metrics.gauge({
    name: 'strongroom_jobs_waiting',
    help: 'Jobs that are ready and that nobody has leased, by kind and lane; of the kinds that this process works on.',
    labels: ['kind', 'lane'],
    measure: async (gauge) => {
      gauge.reset();
      for (const { kind } of workers)
        for (const { lane, waiting } of await jobs.load(kind.kind)) gauge.set({ kind: kind.kind, lane }, waiting);
    },
  });
  for (const { kind, byLane } of workers) kind.measure?.(parts, (lane) => byLane.get(lane)?.busy ?? 0);
}
