/**
 * The broker's cluster: its identity, which names the source, and its topics, made where they are missing. After a
 * failure it is looked at anew: an empty cluster may have taken the place of the one that was there.
 */
import { aggregates, deadLetterTopic, topicName } from '@strongroom/contracts';
import type { Kafka } from 'kafkajs';

const partitions = 6;
const mostReplicas = 3;
const forEver = [{ name: 'retention.ms', value: '-1' }];

export class Cluster {
  private known: Promise<string> | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly namespace: string,
  ) {}

  /** `kafka:<cluster id>`, once the topics are there. */
  source(): Promise<string> {
    this.known ??= this.look().catch((error: unknown) => {
      this.forget();
      throw error;
    });
    return this.known;
  }

  forget(): void {
    this.known = undefined;
  }

  private async look(): Promise<string> {
    const admin = this.kafka.admin();
    try {
      await admin.connect();
      const { clusterId, brokers } = await admin.describeCluster();
      const there = new Set(await admin.listTopics());
      const replicationFactor = Math.min(mostReplicas, brokers.length);
      const wanted = [
        ...aggregates.map((kind) => ({ topic: topicName(kind, this.namespace), numPartitions: partitions })),
        { topic: deadLetterTopic(this.namespace), numPartitions: 1 },
      ];
      const missing = wanted.filter(({ topic }) => !there.has(topic));
      if (missing.length > 0) {
        await admin.createTopics({
          waitForLeaders: true,
          topics: missing.map((topic) => ({ ...topic, replicationFactor, configEntries: forEver })),
        });
      }
      return `kafka:${clusterId}`;
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }
}
