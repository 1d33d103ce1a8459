/** The topics of a deployment, made where they are missing; and the cluster's identity, which names the source. */
import { aggregates, deadLetterTopic, topicName } from '@strongroom/contracts';
import type { Kafka } from 'kafkajs';

const partitions = 6;
const mostReplicas = 3;
const forEver = [{ name: 'retention.ms', value: '-1' }];

/** @returns the source: `kafka:<cluster id>` */
export async function ensureTopics(kafka: Kafka, namespace: string): Promise<string> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { clusterId, brokers } = await admin.describeCluster();
    const there = new Set(await admin.listTopics());
    const replicationFactor = Math.min(mostReplicas, brokers.length);
    const wanted = [
      ...aggregates.map((kind) => ({ topic: topicName(kind, namespace), numPartitions: partitions })),
      { topic: deadLetterTopic(namespace), numPartitions: 1 },
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
    await admin.disconnect();
  }
}
