/**
 * The topics of a deployment: how they are made, and whether those that are there keep what is sent to them. Every setting that
 * decides over the loss of a message is given when a topic is made, so that the defaults of the cluster don't count.
 */
import { aggregates, deadLetterTopic, messageOf, topicName } from '@strongroom/contracts';
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { RelayFault } from './relay-fault.js';

// Node finds no such name when it imports the module by names.
const { ConfigResourceTypes } = kafkajs;

const partitions = 6;
const mostReplicas = 3;

const kept = {
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'cleanup.policy': 'delete',
  // A broker may compress anew what it gets, with a codec that not every consumer has.
  'compression.type': 'producer',
  'unclean.leader.election.enable': 'false',
};

/** How many replicas must have a message before it counts as sent: what one broker alone has acknowledged can be lost with it. */
export function leastInSync(brokers: number): number {
  return Math.max(1, Math.min(mostReplicas, brokers) - 1);
}

export function wantedTopics(namespace: string, brokers: number): ITopicConfig[] {
  const replicationFactor = Math.min(mostReplicas, brokers);
  const configEntries = Object.entries({
    ...kept,
    'min.insync.replicas': String(leastInSync(brokers)),
  }).map(([name, value]) => ({ name, value }));
  const made = { replicationFactor, configEntries };
  return [
    ...aggregates.map((kind) => ({ ...made, topic: topicName(kind, namespace), numPartitions: partitions })),
    { ...made, topic: deadLetterTopic(namespace), numPartitions: 1 },
  ];
}

/** @throws {RelayFault} when the cluster refuses, with what to do */
export async function make(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  try {
    await admin.createTopics({ waitForLeaders: true, topics });
  } catch (error) {
    const errors: unknown[] =
      error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
    const reasons = [...new Set([error, ...errors].map(messageOf))].join('; ');
    const names = topics.map(({ topic }) => topic).join(', ');
    throw new RelayFault(
      'topics-not-made',
      `the topics ${names} are missing, and the cluster does not let us make them: ${reasons}. Let our user make topics, or make them with ${partitions} partitions each, and with ${Object.entries(
        kept,
      )
        .map(([name, value]) => `${name}=${value}`)
        .join(', ')}`,
    );
  }
}

export interface TopicsLookedAt {
  /** What is wrong with them, one sentence each. */
  problems: string[];
  /** False: our user may not read their settings, so nothing is known of these. */
  areSettingsRead: boolean;
}

/** Looks at topics that are there. */
export async function problemsOf(admin: Admin, topics: readonly string[], brokers: number): Promise<TopicsLookedAt> {
  const problems: string[] = [];
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
  for (const { name, partitions: own } of found) {
    const fewest = Math.min(...own.map(({ replicas }) => replicas.length));
    const wanted = Math.min(mostReplicas, brokers);
    if (fewest < wanted) {
      problems.push(`topic ${name} has ${fewest} replicas and could have ${wanted}: what its broker loses is lost`);
    }
  }
  const resources = topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: Object.keys(kept) }));
  const described = await admin.describeConfigs({ includeSynonyms: false, resources }).catch(() => undefined);
  for (const { resourceName, configEntries } of described?.resources ?? []) {
    for (const { configName, configValue } of configEntries) {
      const wanted = Object.entries(kept).find(([name]) => name === configName)?.[1];
      if (wanted === undefined || configValue === wanted) continue;
      problems.push(
        `topic ${resourceName} has ${configName}=${configValue}, and must have ${wanted}: it may lose events, or hide them from readers`,
      );
    }
  }
  return { problems, areSettingsRead: described !== undefined };
}
