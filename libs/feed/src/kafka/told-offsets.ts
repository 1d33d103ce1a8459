/**
 * Tells Kafka how far a consumer is, for Kafka's own tools. Nothing of ours reads it, so no event waits for it: the newest offsets of all
 * partitions are told together, once a second while they move.
 */
import type { Logger } from '@strongroom/runtime';
import type { Consumer, TopicPartitionOffset } from 'kafkajs';

const tellMs = 1_000;

export class ToldOffsets {
  private readonly untold = new Map<string, TopicPartitionOffset>();
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;

  constructor(
    private readonly consumer: Pick<Consumer, 'commitOffsets'>,
    private readonly log: Pick<Logger, 'debug'>,
  ) {}

  /** @param place of a partition, with the offset of the next message */
  tell(place: TopicPartitionOffset): void {
    this.untold.set(`${place.topic}/${place.partition}`, place);
    if (this.isOver) return;
    this.timer ??= setTimeout(() => void this.tellAll(), tellMs);
  }

  /** Nothing is told after the end of the consumer: another one may have the partitions. */
  end(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  private async tellAll(): Promise<void> {
    const places = [...this.untold.values()];
    this.untold.clear();
    try {
      await this.consumer.commitOffsets(places);
    } catch (error) {
      this.log.debug({ err: error }, 'offsets not told to Kafka; its tools will show older ones');
    }
    this.timer = undefined;
    if (this.untold.size > 0 && !this.isOver) this.timer = setTimeout(() => void this.tellAll(), tellMs);
  }
}
