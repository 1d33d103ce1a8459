/**
 * The queue of a process's appends: one batch is written at a time, and the next batch takes everything that queued meanwhile.
 *
 * With a transaction for each append, each would hold the ledger's lock through a disk flush of its own. In a batch, 64
 * callers share one flush, and a single caller waits no longer than before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type AppendOutcome, type AppendRequest, touchedBy } from './append-request.js';
import { isOutage, LedgerFault } from './ledger-fault.js';

interface Waiting {
  request: AppendRequest;
  resolve(outcome: AppendOutcome): void;
  reject(fault: unknown): void;
}

/** What the queue asks of the ledger. */
interface BatchWriter {
  /** Appends a batch in one transaction. */
  write(batch: AppendRequest[]): Promise<AppendOutcome[]>;
  /** Whether the ledger holds exactly these events at that place. An append whose answer was lost is recognised by it. */
  holds(request: AppendRequest): Promise<AppendOutcome | undefined>;
}

const largestBatch = 500;
const tries = 4;
/** A failure that took longer than this to show is not tried again: the whole queue would wait as long once more. */
const worthAnotherTryMs = 5_000;

export class AppendQueue {
  private queue: Waiting[] = [];
  private busy = false;

  constructor(private readonly ledger: BatchWriter) {}

  append(request: AppendRequest): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      this.queue.push({ request, resolve, reject });
      if (!this.busy) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.queue.length > 0) {
      const batch = this.takeBatch();
      try {
        const outcomes = await this.write(batch.map(({ request }) => request));
        batch.forEach(({ resolve }, index) => {
          resolve(outcomes[index] as AppendOutcome);
        });
      } catch (error) {
        const fault = isOutage(error) ? new LedgerFault(error) : error;
        for (const { reject } of batch) reject(fault);
      }
    }
    this.busy = false;
  }

  /** Two requests that share a stream, a claim or a quota must not be in one statement: the later one waits for the next batch. */
  private takeBatch(): Waiting[] {
    const taken: Waiting[] = [];
    const left: Waiting[] = [];
    const touched = new Set<string>();
    for (const waiting of this.queue) {
      const touches = touchedBy(waiting.request);
      if (taken.length < largestBatch && touches.every((name) => !touched.has(name))) taken.push(waiting);
      else left.push(waiting);
      // The names of a request that is left for the next batch count as well, so that two requests of one stream keep their
      // order.
      for (const name of touches) touched.add(name);
    }
    this.queue = left;
    return taken;
  }

  private async write(batch: AppendRequest[]): Promise<AppendOutcome[]> {
    const begun = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const outcomes = await this.ledger.write(batch);
        return attempt === 1 ? outcomes : await this.recogniseOwn(batch, outcomes);
      } catch (error) {
        if (!isOutage(error) || attempt === tries || performance.now() - begun > worthAnotherTryMs) throw error;
        await delay(50 * 3 ** attempt);
      }
    }
  }

  /** After a lost answer a conflict may be with our own events: the first try may have committed. */
  private recogniseOwn(batch: AppendRequest[], outcomes: AppendOutcome[]): Promise<AppendOutcome[]> {
    return Promise.all(
      outcomes.map(async (outcome, index) => {
        const request = batch[index];
        if (outcome.outcome !== 'conflict' || !request) return outcome;
        return (await this.ledger.holds(request)) ?? outcome;
      }),
    );
  }
}
