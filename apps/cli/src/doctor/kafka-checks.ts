/** Looks at the cluster that carries the events, as the settings of the services name it. */
import { messageOf } from '@strongroom/contracts';
import { inspectCluster, kafkaClient } from '@strongroom/feed';
import { ConfigFault, createLogger, loadKafkaConfig } from '@strongroom/runtime';
import { type Finding, failed, noting, ok, unchecked, warning } from './finding.js';

const usualNamespace = 'strongroom';

export async function checkKafka(env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  const found: Finding[] = [];
  const note = noting('kafka', found);
  if (env.STRONGROOM_FEED === 'embedded') {
    note('cluster', 'reach', ok('STRONGROOM_FEED is embedded: no broker is used.'));
    return found;
  }
  if (!env.KAFKA_BROKERS) {
    note(
      'cluster',
      'reach',
      unchecked('KAFKA_BROKERS is not set.', 'Set it with the other KAFKA_… settings as the services have them.'),
    );
    return found;
  }
  try {
    const log = createLogger({ app: 'strongroom-doctor', level: 'silent' });
    const kafka = kafkaClient(loadKafkaConfig(env), 'strongroom-doctor', log);
    const { brokers, topics, missing, problems, areSettingsRead } = await inspectCluster(
      kafka,
      env.STRONGROOM_NAMESPACE ?? usualNamespace,
    );
    note('cluster', 'reach', ok(`The cluster answers, with ${brokers} ${brokers === 1 ? 'broker' : 'brokers'}.`));
    note(
      'cluster',
      'topics',
      missing.length === 0
        ? ok(`All ${topics.length} topics are there.`)
        : warning(
            `There are no topics ${missing.join(', ')}.`,
            'A service makes them when it starts. See STRONGROOM_NAMESPACE.',
          ),
    );
    for (const problem of problems)
      note('cluster', 'settings', warning(`${problem}.`, 'Change it with kafka-configs or kafka-reassign-partitions.'));
    if (!areSettingsRead)
      note(
        'cluster',
        'settings',
        unchecked(
          'Our user may not read the settings of the topics, so it is not known whether they keep what is sent to them.',
          'Let it describe the configuration of the topics (the right DescribeConfigs), and run this again.',
        ),
      );
    else if (problems.length === 0 && topics.length > 0)
      note('cluster', 'settings', ok('The topics keep what is sent to them, on as many brokers as can be.'));
  } catch (error) {
    const next =
      error instanceof ConfigFault
        ? 'See docs/configuration.md.'
        : 'See that the brokers run, and that KAFKA_BROKERS is right.';
    note('cluster', 'reach', failed(messageOf(error), next));
  }
  return found;
}
