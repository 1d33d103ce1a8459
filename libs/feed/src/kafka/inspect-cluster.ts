/** Looks at the cluster of a deployment and at its topics. It makes nothing, and changes nothing. */
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { z } from 'zod';
import { leastInSync, problemsOf, wantedTopics } from './topics.js';

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
  /** False: our user may not read the settings of the topics, so nothing is known of these. */
  areSettingsRead: boolean;
}

const leastReplicas = 'min.insync.replicas';

/** @throws what kafkajs throws when the cluster can't be reached, or does not let us look */
export async function inspectCluster(kafka: Kafka, namespace: string): Promise<InspectedCluster> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { clusterId, brokers } = await admin.describeCluster();
    const there = new Set(await admin.listTopics());
    const wanted = wantedTopics(namespace, brokers.length).map(({ topic }) => topic);
    const topics = wanted.filter((topic) => there.has(topic));
    const missing = wanted.filter((topic) => !there.has(topic));
    const { problems, areSettingsRead } = await lookedAt(admin, topics, brokers.length);
    const weak = areSettingsRead ? await weakOf(admin, topics, leastInSync(brokers.length)) : [];
    return {
      clusterId: z.string().parse(clusterId),
      brokers: brokers.length,
      topics,
      missing,
      problems: [...problems, ...weak],
      areSettingsRead,
    };
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

async function lookedAt(admin: Admin, topics: readonly string[], brokers: number) {
  return topics.length > 0 ? problemsOf(admin, topics, brokers) : { problems: [], areSettingsRead: true };
}

/** The topics that take a message before enough brokers have it, a sentence each. */
async function weakOf(admin: Admin, topics: readonly string[], least: number): Promise<string[]> {
  if (topics.length === 0) return [];
  const resources = topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: [leastReplicas] }));
  const { resources: found } = await admin.describeConfigs({ includeSynonyms: false, resources });
  return found.flatMap(({ resourceName, configEntries }) => {
    const value = configEntries.find(({ configName }) => configName === leastReplicas)?.configValue;
    return Number(value) >= least
      ? []
      : [
          `topic ${resourceName} has ${leastReplicas}=${value}, and should have ${least}: what one broker alone has can be lost with it`,
        ];
  });
}
