/**
 * Sends the messages of a topic to Kafka, those of a partition in order. A request has a batch for each partition of one leader, and
 * counts for a partition only with that partition's answer: when a leader changes meanwhile, the client takes the answer of one
 * broker for the answer of all. What is in doubt after a request is sent again for each partition by itself. The broker knows the
 * batches that it took by their numbers, and takes none twice.
 */
import { type Kafka, type Message, Partitioners, type PartitionMetadata, type Producer } from 'kafkajs';
import type { cloudEventOf } from './cloud-event.js';
import { isTimeout, isTooLarge } from './kafka-errors.js';
import { RelayFault } from './relay-fault.js';
import { withoutValue } from './without-value.js';

export interface Placed {
  position: number;
  partition: number;
  message: ReturnType<typeof cloudEventOf>;
}

export interface Sent {
  /** For each partition that did not take everything: the position of the first message that it did not take. */
  firstUnsent: Map<number, number>;
  /** Why a partition did not take everything, of the first one that failed. */
  error: unknown;
  /** By partition that took messages: the offset of the first, and the offset after the last. */
  taken: Map<number, { begin: bigint; end: bigint }>;
  /** Messages that were sent without their value, because the broker takes none of that size. */
  cut: Placed[];
  /** Messages that the broker takes in no form. */
  refused: Placed[];
}

/** The bytes of values in one batch. Readers get a batch whole, and over a slow line too. */
const mostBatchBytes = 128_000;
/** A broker closes the connection at a request of 100 MB. */
const mostValueBytes = 50_000_000;

type Answers = Awaited<ReturnType<Producer['send']>>;

/** What is to be sent to a partition, and which of it is next. */
interface Waiting {
  partition: number;
  own: readonly Placed[];
  begin: number;
}

const partitioner = Partitioners.DefaultPartitioner();

/** The partition of a message with a key when its topic's keys are spread over so many. */
export function partitionOfKey(key: string, spreadOver: number): number {
  const partitionMetadata = Array.from({ length: spreadOver }, (_, partitionId) => ({ ...anyPartition, partitionId }));
  return partitioner({ topic: '', partitionMetadata, message: { key, value: null } });
}
const anyPartition = { partitionErrorCode: 0, leader: 0, replicas: [], isr: [] };

export class TopicSender {
  private batchBytes = mostBatchBytes;

  private constructor(
    private readonly topic: string,
    private readonly producer: Producer,
    private readonly metadata: PartitionMetadata[],
    private readonly knownEnds: Map<number, bigint>,
  ) {}

  static async connect(kafka: Kafka, topic: string): Promise<TopicSender> {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      // What fails longer is tried again by the relay, with new connections.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 },
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

  /** Where each partition ends: as it was with its leader when the sender was connected, and as its acknowledgements say since. */
  get ends(): ReadonlyMap<number, bigint> {
    return this.knownEnds;
  }

  /** How many partitions the topic has. */
  get partitions(): number {
    return this.metadata.length;
  }

  /** The partition of a message when its topic's keys are spread over so many. */
  partitionOf(message: Placed['message'], spreadOver: number): number {
    const partitionMetadata = this.metadata.slice(0, spreadOver);
    return partitioner({ topic: this.topic, partitionMetadata, message });
  }

  /**
   * Returns when every partition has acknowledged its messages or has failed to.
   * @param mayGoOn asked before each request; its error ends what is to be sent
   */
  async send(messages: readonly Placed[], mayGoOn: () => Promise<void>): Promise<Sent> {
    const byPartition = new Map<number, Placed[]>();
    for (const placed of messages) {
      const own = byPartition.get(placed.partition);
      if (own) own.push(placed);
      else byPartition.set(placed.partition, [placed]);
    }
    const sent: Sent = { firstUnsent: new Map(), error: undefined, taken: new Map(), cut: [], refused: [] };
    const byLeader = new Map<number, Waiting[]>();
    for (const [partition, own] of byPartition) {
      const leader = this.metadata.find(({ partitionId }) => partitionId === partition)?.leader ?? -1;
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), { partition, own, begin: 0 }]);
    }
    await Promise.all([...byLeader.values()].map((waiting) => this.sendToLeader(waiting, sent, mayGoOn)));
    return sent;
  }

  disconnect(): Promise<void> {
    return this.producer.disconnect();
  }

  /** Sends as long as requests for all partitions at once go well, and then to each partition by itself. */
  private async sendToLeader(waiting: readonly Waiting[], sent: Sent, mayGoOn: () => Promise<void>): Promise<void> {
    let all = waiting;
    while (all.length > 1) {
      const batches = all.map((each) => ({ each, batch: this.batchOf(each.own, each.begin) }));
      if (batches.some(({ batch }) => batch[0] && isHuge(batch[0]))) break;
      let answers: Answers;
      try {
        await mayGoOn();
        answers = await this.ask(batches.flatMap(({ each, batch }) => toPartition(each.partition, batch)));
      } catch (error) {
        if (!isTimeout(error) && !(error instanceof RelayFault)) break;
        // The broker takes its time already.
        for (const { each, batch } of batches)
          if (batch[0]) failed(sent, { ...batch[0], partition: each.partition }, error);
        return;
      }
      const isWhole = batches.map(({ each, batch }) => this.count(each, batch, answers, sent));
      all = all.filter(({ own, begin }) => begin < own.length);
      if (isWhole.includes(false)) break;
    }
    await Promise.all(all.map((each) => this.sendTo(each, sent, mayGoOn)));
  }

  private async sendTo(
    { partition, own, begin: from }: Waiting,
    sent: Sent,
    mayGoOn: () => Promise<void>,
  ): Promise<void> {
    for (let begin = from; begin < own.length; ) {
      const batch = this.batchOf(own, begin);
      const [first] = batch;
      if (!first) return;
      try {
        await mayGoOn();
        if (isHuge(first)) await this.sendCut(first, sent);
        else await this.sendBatch(partition, batch, sent);
        begin += isHuge(first) ? 1 : batch.length;
      } catch (error) {
        if (isTooLarge(error)) {
          if (batch.length === 1) {
            await this.sendCut(first, sent).catch((cause: unknown) => failed(sent, first, cause));
            if (sent.firstUnsent.has(partition)) return;
            begin += 1;
          } else this.batchBytes = Math.ceil(sizeOf(batch) / 2);
          continue;
        }
        failed(sent, first, error);
        return;
      }
    }
  }

  private async sendBatch(partition: number, batch: readonly Placed[], sent: Sent): Promise<void> {
    const answers = await this.ask(toPartition(partition, batch));
    if (!this.count({ partition, own: batch, begin: 0 }, batch, answers, sent)) {
      throw new RelayFault('partition-without-leader', `partition ${partition} of ${this.topic} has no leader now`);
    }
  }

  private ask(messages: Message[]): Promise<Answers> {
    return this.producer.send({ topic: this.topic, acks: -1, messages });
  }

  /** Counts a batch that its partition has acknowledged. The client resolves without an answer of a partition that has no leader. */
  private count(waiting: Waiting, batch: readonly Placed[], answers: Answers, { taken }: Sent): boolean {
    const { partition } = waiting;
    const answer = answers.find((each) => each.partition === partition);
    if (!answer) return false;
    waiting.begin += batch.length;
    const begin = BigInt(answer.baseOffset ?? -1);
    if (begin < 0n) return true;
    const end = begin + BigInt(batch.length);
    taken.set(partition, { begin: taken.get(partition)?.begin ?? begin, end });
    this.knownEnds.set(partition, end);
    return true;
  }

  /** Sends a message without its value. Readers find the event in the ledger, by the id and the position in its headers. */
  private async sendCut(placed: Placed, sent: Sent): Promise<void> {
    try {
      await this.sendBatch(placed.partition, [{ ...placed, message: withoutValue(placed.message) }], sent);
      sent.cut.push(placed);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      sent.refused.push(placed);
    }
  }

  private batchOf(own: readonly Placed[], begin: number): Placed[] {
    const batch: Placed[] = [];
    let bytes = 0;
    for (const placed of own.slice(begin)) {
      bytes += Buffer.byteLength(placed.message.value);
      if (batch.length > 0 && bytes > this.batchBytes) break;
      batch.push(placed);
    }
    return batch;
  }
}

function toPartition(partition: number, batch: readonly Placed[]): Message[] {
  return batch.map(({ message }) => ({ ...message, partition }));
}

function isHuge({ message }: Placed): boolean {
  return Buffer.byteLength(message.value) > mostValueBytes;
}

function failed(sent: Sent, { partition, position }: Placed, error: unknown): void {
  sent.firstUnsent.set(partition, position);
  sent.error ??= error;
}

function sizeOf(batch: readonly Placed[]): number {
  return batch.reduce((bytes, { message }) => bytes + Buffer.byteLength(message.value), 0);
}
