/**
 * Sends the messages of a topic to Kafka, separately for each partition and in order. A request for several partitions could
 * lose messages without an error: when a leader changes meanwhile, the client takes the answer of one broker for the answer of
 * all. So each request is for one partition.
 */
import { type Kafka, Partitioners, type PartitionMetadata, type Producer } from 'kafkajs';
import type { cloudEventOf } from './cloud-event.js';
import { RelayFault } from './relay-fault.js';

export interface Placed {
  position: number;
  message: ReturnType<typeof cloudEventOf>;
}

export interface Sent {
  /** The position of the first message that was not acknowledged; undefined when all were. */
  firstUnsent: number | undefined;
  /** Why it was not acknowledged. */
  error: unknown;
  /** For each partition that took messages: the offset of the first, and how many there were. */
  taken: { partition: number; baseOffset: bigint; count: number }[];
}

/** The bytes of values in one batch, which is half of what a broker takes. */
const batchBytes = 500_000;

export class TopicSender {
  private readonly partitionOf = Partitioners.DefaultPartitioner();

  private constructor(
    private readonly topic: string,
    private readonly producer: Producer,
    private readonly partitions: PartitionMetadata[],
    /** Where each partition ended when the sender was connected. */
    readonly ends: ReadonlyMap<number, bigint>,
  ) {}

  static async connect(kafka: Kafka, topic: string): Promise<TopicSender> {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    });
    const admin = kafka.admin();
    try {
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
      if (partitions.length === 0) throw new RelayFault('topic-without-partitions', `topic ${topic} has no partitions`);
      const offsets = await admin.fetchTopicOffsets(topic);
      await producer.connect();
      const ends = new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
      return new TopicSender(topic, producer, partitions, ends);
    } catch (error) {
      await producer.disconnect().catch(() => {});
      throw error;
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }

  /** Returns when every partition has acknowledged its messages or has failed to. */
  async send(messages: readonly Placed[]): Promise<Sent> {
    const byPartition = new Map<number, Placed[]>();
    for (const placed of messages) {
      const { topic, partitions: partitionMetadata } = this;
      const partition = this.partitionOf({ topic, partitionMetadata, message: placed.message });
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), placed]);
    }
    const sent: Sent = { firstUnsent: undefined, error: undefined, taken: [] };
    await Promise.all([...byPartition].map(([partition, own]) => this.sendTo(partition, own, sent)));
    return sent;
  }

  disconnect(): Promise<void> {
    return this.producer.disconnect();
  }

  private async sendTo(partition: number, own: readonly Placed[], sent: Sent): Promise<void> {
    for (const batch of batches(own)) {
      try {
        const messages = batch.map(({ message }) => ({ ...message, partition }));
        const [answer] = await this.producer.send({ topic: this.topic, acks: -1, messages });
        const baseOffset = answer?.baseOffset;
        if (baseOffset !== undefined && BigInt(baseOffset) >= 0n)
          sent.taken.push({ partition, baseOffset: BigInt(baseOffset), count: batch.length });
      } catch (error) {
        const position = batch[0]?.position ?? 0;
        sent.firstUnsent = Math.min(position, sent.firstUnsent ?? position);
        sent.error ??= error;
        return;
      }
    }
  }
}

function batches(placed: readonly Placed[]): Placed[][] {
  const result: Placed[][] = [];
  let bytes = batchBytes;
  for (const each of placed) {
    const messageBytes = Buffer.byteLength(each.message.value);
    bytes += messageBytes;
    if (bytes > batchBytes) {
      result.push([]);
      bytes = messageBytes;
    }
    result.at(-1)?.push(each);
  }
  return result;
}
