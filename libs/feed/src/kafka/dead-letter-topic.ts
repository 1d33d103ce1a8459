/** Publishes the messages that were set aside. They are replayed from the table `dead_letter`, and not from this topic. */
import { deadLetterTopic, messageOf } from '@strongroom/contracts';
import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import { FeedFault } from '../feed-fault.js';
import type { FeedMessage } from '../feed-message.js';

/** A broker takes messages of at most 1 MiB, headers included. */
const mostBytes = 900_000;

export class DeadLetterTopic {
  private readonly topic: string;
  private producer: Promise<Producer> | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly group: string,
    namespace: string,
  ) {
    this.topic = deadLetterTopic(namespace);
  }

  /** @throws {FeedFault} when the broker did not take the message */
  async publish({ topic, partition, offset, value, headers }: FeedMessage, error: unknown): Promise<void> {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const fits = Buffer.byteLength(text) <= mostBytes;
    const why = messageOf(error);
    try {
      const producer = await this.connected();
      await producer.send({
        topic: this.topic,
        acks: -1,
        messages: [
          {
            value: fits ? text : '',
            headers: {
              ...headers,
              'strongroom-group': this.group,
              'strongroom-origin': `${topic}/${partition}/${offset}`,
              'strongroom-error': why.slice(0, 1_000),
              ...(fits ? {} : { 'strongroom-value': 'too large for a dead letter; it is in table dead_letter' }),
            },
          },
        ],
      });
    } catch (cause) {
      await this.close();
      throw FeedFault.notPublished(this.topic, cause);
    }
  }

  async close(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    await producer?.then((each) => each.disconnect()).catch(() => {});
  }

  private connected(): Promise<Producer> {
    this.producer ??= this.connect();
    return this.producer;
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
    });
    try {
      await producer.connect();
    } catch (error) {
      await producer.disconnect().catch(() => {});
      throw error;
    }
    return producer;
  }
}
