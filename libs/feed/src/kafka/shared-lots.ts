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
const mostMessages = 600;
/** Batches begin no faster one after the other, unless they are large. */
const gapMs = 25;
const largeBatch = 200;

/** What became of a lot: it was handled, it was left for the gap before it, or it has failed. */
type Outcome = { gap?: OffsetGap | undefined } | { error: unknown };

export class SharedLots {
  private readonly shared: SharedStatements<Lot, Outcome>;
  private restUntil = 0;

  constructor(private readonly parts: BatchParts) {
    this.shared = new SharedStatements(
      mostMessages,
      (lots) => this.handleAll(lots),
      ({ messages }) => messages.length,
    );
  }

  /**
   * Returns when every message of the lot is handled or set aside.
   * @returns the gap before it, when there is one: nothing of the lot is handled then
   * @throws temporary errors, as `Batch` does
   */
  async handle(lot: Lot): Promise<OffsetGap | undefined> {
    const outcome = await this.shared.do(lot);
    if ('error' in outcome) throw outcome.error;
    return outcome.gap;
  }

  private async handleAll(lots: readonly Lot[]): Promise<Outcome[]> {
    const restMs = this.restUntil - performance.now();
    if (restMs > 0) await delay(restMs);
    const count = lots.reduce((sum, { messages }) => sum + messages.length, 0);
    this.restUntil = performance.now() + (count < largeBatch ? gapMs : 0);
    if (lots.length > 1 && areApart(lots)) {
      try {
        const gaps = await handleLots({ ...this.parts, offsets: feedOffsets }, lots);
        return gaps.map((gap) => ({ gap }));
      } catch (error) {
        if (isOutageForAll(error)) return lots.map(() => ({ error }));
      }
    }
    const outcomes: Outcome[] = [];
    for (const lot of lots) outcomes.push(await this.handleAlone(lot));
    return outcomes;
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
  return new Set(lots.map(({ key: { topic, partition } }) => `${topic}/${partition}`)).size === lots.length;
}
