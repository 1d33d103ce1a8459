/**
 * Which events one pass of the relay sends. Usually it sends what comes next to every partition. While a partition takes nothing,
 * a pass either sends what that partition lacks, when it is to be tried again, or what comes next to the others. No event is
 * sent to a partition before an earlier one of it.
 */
import type { Reached } from './relay-cursor.js';

export class RelayPass {
  /** The position after which events are read. */
  readonly from: number;
  /** Whether it sends what some partitions lack. */
  readonly isCatchingUp: boolean;
  private readonly front: number;
  private readonly all: readonly number[];
  private readonly partitions: readonly number[];

  /** @param isDue whether a partition that took nothing is to be tried again */
  constructor(
    private readonly reached: Pick<Reached, 'position' | 'ahead'>,
    spreadOver: number,
    isDue: (partition: number) => boolean,
  ) {
    this.all = Array.from({ length: spreadOver }, (_, partition) => partition);
    this.front = Math.max(reached.position, ...reached.ahead.values());
    const lagging = this.all.filter((partition) => this.upTo(partition) < this.front);
    const due = lagging.filter(isDue);
    this.isCatchingUp = due.length > 0;
    this.partitions = this.isCatchingUp ? due : this.all.filter((partition) => !lagging.includes(partition));
    this.from = Math.min(...this.partitions.map((partition) => this.upTo(partition)));
  }

  /** Whether the pass sends an event to its partition. */
  sends(partition: number, position: number): boolean {
    return this.partitions.includes(partition) && position > this.upTo(partition);
  }

  /**
   * How far the relay is afterwards.
   * @param readTo the position of the last event that was read; undefined when there was none
   * @param firstUnsent by partition that did not take everything, the position of the first event that it did not take
   */
  after(readTo: number | undefined, firstUnsent: ReadonlyMap<number, number>): Pick<Reached, 'position' | 'ahead'> {
    const upTo = new Map(this.all.map((partition) => [partition, this.upTo(partition)]));
    for (const partition of this.partitions) {
      const unsent = firstUnsent.get(partition);
      const end = unsent === undefined ? (readTo ?? this.front) : unsent - 1;
      upTo.set(partition, Math.max(this.upTo(partition), end));
    }
    const position = Math.min(...upTo.values());
    return { position, ahead: new Map([...upTo].filter(([, to]) => to > position)) };
  }

  private upTo(partition: number): number {
    return this.reached.ahead.get(partition) ?? this.reached.position;
  }
}
