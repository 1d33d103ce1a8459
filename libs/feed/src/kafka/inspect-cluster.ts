/** Looks at the cluster of a deployment and at its topics. It makes nothing, and changes nothing. */
import kafkajs, { type Kafka } from 'kafkajs';
import { z } from 'zod';
import { problemsOf, wantedTopics } from './topics.js';

// Node finds no such name when it imports the module by names.
const { ConfigResourceTypes } = kafkajs;

export interface InspectedCluster {
  clusterId: string;
  brokers: number;
  /** The topics that are there, of those that the deployment needs. */
  topics: string[];
  /** Those that are not. The relay makes them when it starts. */
  missing: string[];
  /** What is wrong with the topics that are there, one sentence each. */
  problems: string[];
}

const leastReplicas = 'min.insync.replicas';

/** @throws what kafkajs throws when the cluster can't be reached, or does not let us look */
export async function inspectCluster(kafka: Kafka, namespace: string): Promise<InspectedCluster> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { clusterId, brokers } = await admin.describeCluster();
    const there = new Set(await admin.listTopics());
    const wanted = wantedTopics(namespace, brokers.length);
    const topics = wanted.map(({ topic }) => topic).filter((topic) => there.has(topic));
    const missing = wanted.map(({ topic }) => topic).filter((topic) => !there.has(topic));
    const resources = topics.map((name) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: [leastReplicas],
    }));
    const least = brokers.length > 1 ? 2 : 1;
    const described =
      topics.length > 0 ? await admin.describeConfigs({ includeSynonyms: false, resources }) : undefined;
    const weak = (described?.resources ?? []).flatMap(({ resourceName, configEntries }) => {
      const value = configEntries.find(({ configName }) => configName === leastReplicas)?.configValue;
      return Number(value) >= least
        ? []
        : [`topic ${resourceName} has ${leastReplicas}=${value}, and should have ${least}`];
    });
    const problems = topics.length > 0 ? await problemsOf(admin, topics, brokers.length) : [];
    return {
      clusterId: z.string().parse(clusterId),
      brokers: brokers.length,
      topics,
      missing,
      problems: [...problems, ...weak],
    };
  } finally {
    await admin.disconnect().catch(() => {});
  }
}
