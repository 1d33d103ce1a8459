/** The clients of Kafka that kafkajs is compared with. Each sends batches to a topic, one after the other, with acks=all. */
import { ProduceAcks, Producer, stringSerializers } from '@platformatic/kafka';

async function platformatic(brokers, topic, batches) {
  const producer = new Producer({
    clientId: 'bench-peer',
    bootstrapBrokers: [brokers],
    serializers: stringSerializers,
    acks: ProduceAcks.ALL,
    autocreateTopics: false,
  });
  const wanted = batches.map((messages) => messages.map(({ key, value, headers }) => ({ topic, key, value, headers })));
  // The first one connects.
  await producer.send({ messages: wanted[0].slice(0, 1) });
  return {
    send: async () => {
      for (const messages of wanted) await producer.send({ messages });
    },
    end: () => producer.close(),
  };
}

export const peers = { '@platformatic/kafka': platformatic };
