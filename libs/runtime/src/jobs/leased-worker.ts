/**
 * Does leased jobs of one kind and lane: up to `concurrency` at a time, each under a lease that is renewed while the work goes
 * on. Work whose lease is lost is ended, because somebody else has the job then. No transaction is open meanwhile.
 */
import { setInterval as every } from 'node:timers/promises';
import type { Logger } from '../log.js';
import { outsideSpans } from '../tracing/spans.js';
import { WorkLoop } from '../work-loop.js';
import type { JobQuota, Jobs, LeasedJob } from './jobs.js';
import { LaneLooks } from './lane-looks.js';
import { RecentRate } from './recent-rate.js';

/** What each work is given with its job. */
export interface Hold {
  /** Aborted when the lease is lost or the process is to stop: the work ends as soon as it can and records nothing. */
  signal: AbortSignal;
  /**
   * Tells how far the work is. It is stored with the next renewal, and with it how fast bytes move.
   * @param movedBytes how many of those that are done have moved. Default: all
   */
  progress(doneBytes: number, totalBytes: number | null, movedBytes?: number): void;
}

/**
 * What becomes of the job: it is over, or ready again after a while. `hasFailed` counts it in the job's `failures`, and `lane` is where
 * it contends from then on.
 */
export type Performed = 'finished' | { retryInMs: number; hasFailed?: boolean; lane?: string };

/** It is left to versions that can read more than this one. */
export type PassedOver = 'passed-over';

export interface LeasedWork {
  kind: string;
  lane: string;
  /** Who holds the leases. The name is unique to the process. */
  owner: string;
  concurrency: number;
  /** How many there may be now, with those in hand, for reasons of what they need. Default: `concurrency`. */
  most?: (() => number) | undefined;
  leaseMs: number;
  /** How often to look for jobs while there are some, in milliseconds. */
  pollMs: number;
  /** How often to look when there are none, for a worker that is told of news by `lookSoon`. Default: as often as otherwise. */
  idleMs?: number | undefined;
  /** How many such jobs an account may have in hand, over all processes. */
  quota?: JobQuota | undefined;
  /** How many of them this process may have of one account. */
  share?: number | undefined;
  /** Throws only when nothing could be recorded; the job is then left to its lease and leased anew when that lapses. */
  perform(job: LeasedJob, hold: Hold): Promise<Performed | PassedOver>;
}

/** How long the transaction may take in which this process has added or woken jobs. */
const settlesMs = 2_000;

export class LeasedWorker {
  private soon: NodeJS.Timeout | undefined;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private changedAt = Number.NEGATIVE_INFINITY;
  private endNews: (() => void) | undefined;
  /** How often something was told: news of the lane, or the end of a job in hand. */
  private told = 0;
  /** What `told` was when the last look found nothing to wait for. */
  private quietAt: number | undefined;
  private readonly running = new Map<string, { ended: Promise<void>; stop: AbortController }>();
  private readonly loop: WorkLoop;

  constructor(
    private readonly jobs: Jobs,
    private readonly work: LeasedWork,
    private readonly log: Logger,
    private readonly looks = new LaneLooks(jobs),
  ) {
    this.loop = new WorkLoop({
      name: `${work.kind} jobs${work.lane ? ` to ${work.lane}` : ''}`,
      intervalMs: work.pollMs,
      log,
      pass: () => this.lease(),
    });
  }

  /** How many jobs are in hand. */
  get busy(): number {
    return this.running.size;
  }

  /** @throws when the lane is not looked at for jobs */
  probe(): Promise<void> {
    return this.loop.probe();
  }

  start(): void {
    this.endNews ??= this.jobs.onChange(() => {
      this.changedAt = performance.now();
      this.lookSoon();
    });
    this.loop.start();
  }

  /** There may be new jobs: looks for them, but no more often than while there are some. */
  lookSoon(): void {
    this.soon ??= setTimeout(
      () => {
        this.soon = undefined;
        this.wake();
      },
      Math.max(0, this.lookedAt + this.work.pollMs - performance.now()),
    );
  }

  /** Ends the work in hand, gives its leases back, and returns when all is quiet. */
  async stop(): Promise<void> {
    this.endNews?.();
    await this.loop.stop();
    clearTimeout(this.soon);
    for (const { stop } of this.running.values()) stop.abort(new Error('the process is stopping'));
    await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }

  private async lease(): Promise<{ nextInMs: number }> {
    const { kind, lane, owner, concurrency, leaseMs, quota, share = null, pollMs, idleMs = pollMs } = this.work;
    const most = Math.min(concurrency, this.work.most?.() ?? concurrency);
    const free = most - this.running.size;
    // Whatever ends wakes the loop. What others hold ends elsewhere.
    if (free <= 0) return { nextInMs: most < concurrency ? pollMs : idleMs };
    const { told } = this;
    if (this.quietAt === told) {
      const nextInMs = await this.nextInMs(told);
      if (nextInMs > 0) return { nextInMs };
    }
    // A job in hand stays with its work, even when its renewal is late: two works of one job would end each other.
    const inHand = [...this.running.keys()];
    this.lookedAt = performance.now();
    const leased = await this.jobs.lease(kind, lane, owner, free, leaseMs, { inHand, share, ...(quota && { quota }) });
    for (const job of leased) {
      const stop = new AbortController();
      const ended = outsideSpans(() => this.hold(job, stop)).finally(() => {
        this.running.delete(job.id);
        this.wake();
      });
      this.running.set(job.id, { ended, stop });
    }
    if (leased.length === free) return { nextInMs: most < concurrency ? pollMs : idleMs };
    const mayChange = performance.now() - this.changedAt < settlesMs;
    if (idleMs <= pollMs || mayChange) return { nextInMs: pollMs };
    return { nextInMs: Math.max(pollMs, await this.nextInMs(told)) };
  }

  private wake(): void {
    this.told += 1;
    this.loop.wake();
  }

  /**
   * How long there is nothing to lease. The quiet lanes of a process end their pauses together, so that they share the next look.
   * @param told what had been told when the pass began: whatever is told later may not be in the look
   */
  private async nextInMs(told: number): Promise<number> {
    const { kind, lane, pollMs, idleMs = pollMs } = this.work;
    const nextInMs = await this.looks.nextInMs({ kind, lane });
    this.quietAt = nextInMs < idleMs ? undefined : told;
    return nextInMs < idleMs ? nextInMs : idleMs - (performance.now() % idleMs);
  }

  private async hold(job: LeasedJob, stop: AbortController): Promise<void> {
    const over = new AbortController();
    let at: { doneBytes: number; totalBytes: number | null; movedBytes: number } | undefined;
    const rate = new RecentRate(performance.now());
    const renewing = this.renew(
      job,
      stop,
      over.signal,
      () => at && { ...at, bytesPerSecond: rate.at(performance.now(), at.movedBytes) },
    );
    try {
      const performed = await this.work.perform(job, {
        signal: stop.signal,
        progress: (doneBytes, totalBytes, movedBytes = doneBytes) => {
          at = { doneBytes, totalBytes, movedBytes };
        },
      });
      if (performed === 'finished') await this.jobs.finish(job);
      else if (performed === 'passed-over') await this.jobs.passOver(job);
      else await this.jobs.retryIn(job, performed.retryInMs, performed.hasFailed, performed.lane);
    } catch (error) {
      if (stop.signal.aborted) {
        this.log.info(
          { job: job.id, attempt: job.attempt },
          `${job.kind} given up: ${String(stop.signal.reason?.message)}`,
        );
        await this.jobs.giveBack(job).catch(() => {});
      } else {
        this.log.error(
          { err: error, job: job.id, attempt: job.attempt },
          `${job.kind} is left to its lease, to be tried again`,
        );
      }
    } finally {
      over.abort();
      await renewing;
    }
  }

  /**
   * Renews until the work is over. An outage of the database alone ends no lease: the first that asks when it is back has the
   * job.
   */
  private async renew(
    job: LeasedJob,
    stop: AbortController,
    over: AbortSignal,
    progress: () => { doneBytes: number; totalBytes: number | null; bytesPerSecond: number } | undefined,
  ): Promise<void> {
    const intervalMs = Math.min(1_000, this.work.leaseMs / 3);
    try {
      for await (const _ of every(intervalMs, undefined, { signal: over })) {
        const held = await this.jobs.renew(job, this.work.leaseMs, progress()).catch(() => true);
        if (!held && !over.aborted) stop.abort(new Error('the lease was lost to another process'));
      }
    } catch (error) {
      if (!over.aborted) throw error;
    }
  }
}
