/**
 * The queue of a process's appends: one batch is written at a time, and the next batch takes everything that queued meanwhile. The appends
 * of one turn of the process go together.
 *
 * With a transaction for each append, each would hold the ledger's lock through a disk flush of its own. In a batch, 64
 * callers share one flush, and a single caller waits no longer than before.
 */
import { type AppendOutcome, type AppendRequest, quotasOf, touchedBy } from './append-request.js';
import { isOutage } from './ledger-fault.js';
import { settled } from './settled-append.js';
import { endOfTurn } from './shared-statements.js';

interface Waiting {
  request: AppendRequest;
  resolve(outcome: AppendOutcome): void;
  reject(fault: unknown): void;
}

/** What the queue asks of the ledger. */
interface BatchWriter {
  /** Appends a batch in one transaction. It throws a `LedgerFault` that says whether the events may be written. */
  write(batch: AppendRequest[]): Promise<AppendOutcome[]>;
  /** Whether the ledger holds exactly these events at that place. An append whose answer was lost is recognised by it. */
  holds(request: AppendRequest): Promise<AppendOutcome | undefined>;
}

const largestBatch = 500;

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
      await endOfTurn();
      await this.write(this.takeBatch());
    }
    this.busy = false;
  }

  /** A request that the database refuses fails alone: the others of its batch are written without it. */
  private async write(batch: Waiting[]): Promise<void> {
    const requests = batch.map(({ request }) => request);
    try {
      const outcomes = await settled({
        write: () => this.ledger.write(requests),
        recogniseOwn: (found) => this.recogniseOwn(requests, found),
      });
      const doubted = inDoubt(requests, outcomes);
      batch.forEach((each, index) => {
        if (!doubted.has(index)) each.resolve(outcomes[index] as AppendOutcome);
      });
      this.queue.unshift(...batch.filter((_, index) => doubted.has(index)));
    } catch (error) {
      if (batch.length > 1 && !isOutage(error)) for (const each of batch) await this.write([each]);
      else for (const { reject } of batch) reject(error);
    }
  }

  /** Two requests that share a stream or a claim must not be in one statement: the later one waits for the next batch. */
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

/**
 * The requests that were told of a used-up quota while an earlier one of the batch, which shares it, was refused for another reason. That
 * one has taken nothing, so there may be room: they ask again.
 */
function inDoubt(batch: readonly AppendRequest[], outcomes: readonly AppendOutcome[]): Set<number> {
  const notTaken = new Set<string>();
  const doubted = new Set<number>();
  for (const [index, request] of batch.entries()) {
    const outcome = outcomes[index]?.outcome;
    if (outcome === 'appended') continue;
    const quotas = quotasOf(request);
    if (outcome !== 'used-up') for (const name of quotas) notTaken.add(name);
    else if (quotas.some((name) => notTaken.has(name))) doubted.add(index);
  }
  return doubted;
}
