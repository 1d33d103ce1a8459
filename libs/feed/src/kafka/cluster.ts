/**
 * The cluster of the broker: its id, which names the source, and its topics. Topics that are missing are made and filled from
 * the start of the ledger. After a failure the cluster is looked at again, because an empty cluster may have taken its place,
 * under another id or the same.
 */
import { aggregates, deadLetterTopic, topicName } from '@strongroom/contracts';
import type { Logger } from '@strongroom/runtime';
import type { Kafka } from 'kafkajs';
import type { DataSource } from 'typeorm';
import { beginAnew } from '../feed-offsets.js';

const partitions = 6;
const mostReplicas = 3;
const forEver = [{ name: 'retention.ms', value: '-1' }];

export class Cluster {
  private known: Promise<string> | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly dataSource: DataSource,
    private readonly log: Logger,
    private readonly namespace: string,
  ) {}

  /** Returns `kafka:<cluster id>` when the topics are there. */
  source(): Promise<string> {
    this.known ??= this.readSource().catch((error: unknown) => {
      this.forget();
      throw error;
    });
    return this.known;
  }

  forget(): void {
    this.known = undefined;
  }

  private async readSource(): Promise<string> {
    const admin = this.kafka.admin();
    try {
      await admin.connect();
      const { clusterId, brokers } = await admin.describeCluster();
      const source = `kafka:${clusterId}`;
      const there = new Set(await admin.listTopics());
      const replicationFactor = Math.min(mostReplicas, brokers.length);
      const wanted = [
        ...aggregates.map((kind) => ({ topic: topicName(kind, this.namespace), numPartitions: partitions })),
        { topic: deadLetterTopic(this.namespace), numPartitions: 1 },
      ];
      const missing = wanted.filter(({ topic }) => !there.has(topic));
      if (missing.length > 0) {
        // This comes first: if the process ends in between, the topics are still missing, and no relay goes on beyond the gap.
        const lost = await beginAnew(
          this.dataSource,
          source,
          missing.map(({ topic }) => topic),
        );
        if (lost.length > 0)
          this.log.warn({ topics: lost }, 'topics were lost with what they held: they are filled anew');
        await admin.createTopics({
          waitForLeaders: true,
          topics: missing.map((topic) => ({ ...topic, replicationFactor, configEntries: forEver })),
        });
      }
      return source;
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }
}
