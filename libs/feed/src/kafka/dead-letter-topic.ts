/**
 * Publishes the messages that were set aside. They are replayed from the table `dead_letter`, and not from this topic: what is too
 * large for the topic is told there without its value, and without its headers.
 */
import { deadLetterTopic, messageOf } from '@strongroom/contracts';
import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs';
import { FeedFault } from '../feed-fault.js';
import type { FeedMessage } from '../feed-message.js';
import type { Cluster } from './cluster.js';
import { isTooLarge } from './kafka-errors.js';
import { valueHeader } from './without-value.js';

export interface DeadLetterTopicOptions {
  kafka: Kafka;
  group: string;
  namespace: string;
  cluster: Pick<Cluster, 'source' | 'forget'>;
}

/** A broker takes messages of at most 1 MiB, headers included. */
const mostBytes = 900_000;
const longestReason = 1_000;

export class DeadLetterTopic {
  private readonly topic: string;
  private producer: Promise<Producer> | undefined;

  constructor(private readonly options: DeadLetterTopicOptions) {
    this.topic = deadLetterTopic(options.namespace);
  }

  /** @throws {FeedFault} when the broker did not take the message */
  async publish(message: FeedMessage, error: unknown): Promise<void> {
    try {
      const producer = await this.connected();
      for (const form of this.formsOf(message, error)) {
        if (await this.takes(producer, form)) return;
      }
      // A topic that takes no form of it loses nothing: the table has the message.
    } catch (cause) {
      await this.close();
      // The topic may be lost, and is made anew then.
      this.options.cluster.forget();
      throw FeedFault.notPublished(this.topic, cause);
    }
  }

  async close(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    await producer?.then((each) => each.disconnect()).catch(() => {});
  }

  private async takes(producer: Producer, form: Message): Promise<boolean> {
    try {
      await producer.send({ topic: this.topic, acks: -1, messages: [form] });
      return true;
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return false;
    }
  }

  /** The message as it may be published, the fullest form first. */
  private formsOf({ topic, partition, offset, value, headers }: FeedMessage, error: unknown): Message[] {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const told = {
      'strongroom-group': this.options.group,
      'strongroom-origin': `${topic}/${partition}/${offset}`,
      'strongroom-error': messageOf(error).slice(0, longestReason),
    };
    const cut = { ...told, [valueHeader]: 'too large for a dead letter; it is in table dead_letter' };
    const ofHeaders = Buffer.byteLength(JSON.stringify(headers));
    const whole = { value: text, headers: { ...headers, ...told } };
    const withoutValue = { value: '', headers: { ...headers, ...cut } };
    return [
      ...(ofHeaders + Buffer.byteLength(text) <= mostBytes ? [whole] : []),
      ...(ofHeaders <= mostBytes ? [withoutValue] : []),
      { value: '', headers: cut },
    ];
  }

  private connected(): Promise<Producer> {
    this.producer ??= this.connect();
    return this.producer;
  }

  private async connect(): Promise<Producer> {
    const { kafka, cluster } = this.options;
    await cluster.source();
    const producer = kafka.producer({
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
