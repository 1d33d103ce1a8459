import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { deadLetterTopic, topicName } from '@strongroom/contracts';
import { createLogger } from '@strongroom/runtime';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { TwoBrokers } from '../../fixtures/two-brokers.js';
import { inspectCluster } from './inspect-cluster.js';
import { kafkaClient } from './kafka-client.js';
import { make, wantedTopics } from './topics.js';

describeWithKafka('a cluster of two brokers', () => {
  let cluster: TwoBrokers;
  beforeAll(async () => {
    cluster = await TwoBrokers.start();
  }, 120_000);
  afterAll(() => cluster?.stop());

  const clientOf = () => {
    const log = createLogger({ app: 'inspect-spec', level: 'silent' });
    return kafkaClient({ brokers: cluster.addresses }, 'inspect-spec', log);
  };

  /** A broker may not know yet what the other one has made. */
  const soon = (work: () => Promise<void>) => eventually(work, { withinMs: 30_000 });

  it('has nothing wrong with the topics that a service makes there, and tells of one that one broker alone has', async () => {
    const kafka = clientOf();
    const admin = kafka.admin();
    await admin.connect();
    try {
      await soon(() => make(admin, wantedTopics('made', 2)));
    } finally {
      await admin.disconnect();
    }
    await soon(async () =>
      expect(await inspectCluster(kafka, 'made')).toMatchObject({
        brokers: 2,
        missing: [],
        problems: [],
        areSettingsRead: true,
      }),
    );
    const alone = topicName('schedule', 'alone');
    await soon(() => cluster.make(alone, 2));
    await soon(async () => {
      const { topics, missing, problems } = await inspectCluster(kafka, 'alone');
      expect(topics).toEqual([alone]);
      expect(missing).toContain(deadLetterTopic('alone'));
      expect(problems).toContainEqual(expect.stringContaining(`${alone} has 1 replicas and could have 2`));
    });
  }, 120_000);
});
