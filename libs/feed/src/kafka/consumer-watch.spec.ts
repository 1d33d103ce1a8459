import { getEventListeners } from 'node:events';
import { expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { ConsumerPace } from './consumer-pace.js';
import { watch } from './consumer-watch.js';

const kafka = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING });

it('keeps nothing of a consumer that has ended, however many follow it', () => {
  const stopping = new AbortController();
  for (let life = 0; life < 20; life += 1) {
    watch(kafka.consumer({ groupId: 'group' }), new ConsumerPace(), stopping.signal).end();
  }
  expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(0);
});

it('ends a consumer when the feed is to stop', async () => {
  const stopping = new AbortController();
  const { over, end } = watch(kafka.consumer({ groupId: 'group' }), new ConsumerPace(), stopping.signal);
  stopping.abort();
  await expect(over).resolves.toBeUndefined();
  end();
});
