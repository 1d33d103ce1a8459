import { describe, expect, it } from '@jest/globals';
import { CompressionTypes, type Message } from 'kafkajs';
import produce, { type Produced } from 'kafkajs/src/protocol/requests/produce/index.js';

// As the client has it, before ours is in its place.
const { protocol } = produce;
const nowMs = 1_800_000_000_123;
const loaded = import('./produce-request.js');

function producedOf(partitions: readonly Message[][], more: Partial<Produced> = {}): Produced {
  return {
    ...{ acks: -1, timeout: 30_000, producerId: '4711', producerEpoch: 3 },
    topicData: [
      {
        topic: 'strongroom.schedules',
        partitions: partitions.map((messages, partition) => ({ partition, firstSequence: 100 * partition, messages })),
      },
    ],
    ...more,
  };
}

const plain = (n: number): Message => ({
  key: `key-${n}`,
  value: JSON.stringify({ n, text: 'ü𝄞'.repeat(n), long: 'x'.repeat(n * n) }),
  headers: { ce_id: `id-${n}`, 'strongroom-position': String(n), empty: '', 'strongroom-request-id': 'ä'.repeat(n) },
});
const messages = (count: number) => Array.from({ length: count }, (_, n) => plain(n));

/** What the client itself writes, with the same time. */
async function byClient(produced: Produced, version: number): Promise<Buffer> {
  const timed = {
    ...produced,
    topicData: produced.topicData.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((each) => ({
        ...each,
        messages: each.messages.map((message) => ({ ...message, timestamp: String(nowMs) })),
      })),
    })),
  };
  return Buffer.from((await protocol({ version })(timed).request.encode()).buffer);
}

describe('a request that sends messages', () => {
  it.each([3, 5, 7])('is byte for byte that of the client, in version %d', async (version) => {
    const { encoderOf } = await loaded;
    for (const produced of [
      producedOf([messages(1)]),
      producedOf([messages(150), messages(3), [plain(40)]]),
      producedOf([messages(2)], { producerId: -1, acks: 1 }),
    ]) {
      const ours = encoderOf(produced, nowMs);
      expect(ours?.buffer.toString('hex')).toBe((await byClient(produced, version)).toString('hex'));
    }
  });

  it.each<[string, Message, Partial<Produced>]>([
    ['has bytes for a text', { ...plain(1), value: Buffer.from('bytes') }, {}],
    ['has no key', { value: 'value', headers: {} }, {}],
    ['has several values of a header', { ...plain(1), headers: { name: ['one', 'other'] } }, {}],
    ['has a time', { ...plain(1), timestamp: '17' }, {}],
    ['is compressed', plain(1), { compression: CompressionTypes.GZIP }],
    ['is part of a transaction', plain(1), { transactionalId: 'transaction' }],
  ])('is left to the client when it %s', async (_, message, more) => {
    const { encoderOf } = await loaded;
    const produced = producedOf([[plain(2), message]], more);
    expect(encoderOf(produced, nowMs)).toBeUndefined();
    const { request } = produce.protocol({ version: 7 })(produced);
    expect((await request.encode()).buffer.length).toBeGreaterThan(0);
  });
});
