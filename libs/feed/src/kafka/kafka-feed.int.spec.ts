import { describe, it } from '@jest/globals';
import { topicName } from '@strongroom/contracts';
import { Partitioners } from 'kafkajs';
import { type FeedParts, feedContract } from '../feed.contract.js';
import { kafkaClient } from './kafka-client.js';
import { KafkaFeed } from './kafka-feed.js';
import { KafkaRelay } from './kafka-relay.js';
import { ensureTopics } from './topics.js';

const brokers = process.env.STRONGROOM_TEST_KAFKA;

if (brokers) {
  const client = ({ log }: FeedParts) => kafkaClient([brokers], 'feed-contract', log);
  feedContract('Kafka', {
    open(parts) {
      const kafka = client(parts);
      let known: Promise<string> | undefined;
      const source = () => {
        known ??= ensureTopics(kafka, parts.namespace);
        return known;
      };
      const relay = new KafkaRelay({ ...parts, kafka, source, holder: parts.ids.next() });
      return new KafkaFeed({ ...parts, kafka, source, relay });
    },
    async bringAgain({ dataSource, namespace }) {
      await dataSource.query('update relay_cursor set position = 0 where topic like $1', [`${namespace}.%`]);
    },
    async bringJunk(parts) {
      const producer = client(parts).producer({ createPartitioner: Partitioners.DefaultPartitioner });
      await producer.connect();
      await producer.send({
        topic: topicName('schedule', parts.namespace),
        messages: [{ key: 'junk', value: '{"not": "an event"' }],
      });
      await producer.disconnect();
    },
  });
} else {
  describe('the Kafka feed', () => {
    it('was not tested: there is no Kafka here', () => {
      process.stderr.write(`\nNOT RUN: the suite of the Kafka feed. ${process.env.STRONGROOM_TEST_KAFKA_REASON}\n\n`);
    });
  });
}
