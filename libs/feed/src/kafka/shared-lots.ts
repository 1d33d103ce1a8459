/**
 * What the partitions of a consumer bring at once is one transaction, because each has few events and a transaction costs as much as many of
 * them. After a pause the first event is handled at once; while events follow each other, batches are made of those that come meanwhile.
 *
 * A partition holds up only itself: when what is together fails, each lot is handled by itself.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isOutageForAll, SharedStatements } from '@strongroom/ledger';
import { Batch, type BatchParts } from '../batch.js';
import { feedOffsets } from '../feed-offsets.js';
import { handleLots, type Lot } from '../lots.js';
import { OffsetGap } from '../offset-gap.js';

/** How many messages of all partitions are handled in one transaction, which may be silent for two seconds. */
const mostMessages = 300;
/** Batches begin no faster one after the other, unless they are large. */
const gapMs = 25;
const largeBatch = 200;

/** What became of a lot: it was handled, it was left for the gap before it, or it has failed. */
type Outcome = { gap?: OffsetGap | undefined } | { error: unknown };

export class SharedLots {
  private readonly shared: SharedStatements<Lot, Outcome | 'alone'>;
  /** One lot at a time. One that waits for a lock holds up the next one for a moment. */
  private readonly alone: SharedStatements<Lot, Outcome>;
  /** The partitions that could not be handled. Until they can, nobody shares a transaction with them. */
  private readonly apart = new Set<string>();
  private restUntil = 0;

  constructor(private readonly parts: BatchParts) {
    this.shared = new SharedStatements(
      mostMessages,
      (lots) => this.handleAll(lots),
      ({ messages }) => messages.length,
    );
    this.alone = new SharedStatements(1, (lots) => Promise.all(lots.map((lot) => this.handleAlone(lot))));
  }

  /**
   * Returns when every message of the lot is handled or set aside.
   * @returns the gap before it, when there is one: nothing of the lot is handled then
   * @throws temporary errors, as `Batch` does
   */
  async handle(lot: Lot): Promise<OffsetGap | undefined> {
    const partition = partitionOf(lot);
    const first = this.apart.has(partition) ? 'alone' : await this.shared.do(lot);
    const outcome = first === 'alone' ? await this.alone.do(lot) : first;
    if (!('error' in outcome)) {
      this.apart.delete(partition);
      return outcome.gap;
    }
    if (!isOutageForAll(outcome.error)) this.apart.add(partition);
    throw outcome.error;
  }

  private async handleAll(lots: readonly Lot[]): Promise<(Outcome | 'alone')[]> {
    const restMs = this.restUntil - performance.now();
    if (restMs > 0) await delay(restMs);
    const count = lots.reduce((sum, { messages }) => sum + messages.length, 0);
    this.restUntil = performance.now() + (count < largeBatch ? gapMs : 0);
    const [only, ...others] = lots;
    if (only && others.length === 0) return [await this.handleAlone(only)];
    if (!areApart(lots)) return lots.map(() => 'alone');
    try {
      const gaps = await handleLots({ ...this.parts, offsets: feedOffsets }, lots);
      return gaps.map((gap) => ({ gap }));
    } catch (error) {
      return lots.map(() => (isOutageForAll(error) ? { error } : 'alone'));
    }
  }

  private async handleAlone({ key, messages, follows }: Lot): Promise<Outcome> {
    try {
      await new Batch(this.parts, key).handleRead(messages, follows);
      return {};
    } catch (error) {
      return error instanceof OffsetGap ? { gap: error } : { error };
    }
  }
}

/** A partition that was lost and given back may have two lots. The later one does not know how far the first one gets. */
function areApart(lots: readonly Lot[]): boolean {
  return new Set(lots.map(partitionOf)).size === lots.length;
}

function partitionOf({ key: { topic, partition } }: Lot): string {
  return `${topic}/${partition}`;
}
