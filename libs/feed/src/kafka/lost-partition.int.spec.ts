import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness } from '../../fixtures/kafka-witness.js';
import { TwoBrokers } from '../../fixtures/two-brokers.js';

const partitions = 6;

describeWithKafka('a broker that is away with its partitions', () => {
  let brokers: TwoBrokers;
  let world: FeedWorld;
  const feed = () => ({ kind: 'kafka' as const, brokers: brokers.addresses });
  beforeAll(async () => {
    brokers = await TwoBrokers.start();
    world = await FeedWorld.create(feed());
  }, 120_000);
  afterAll(async () => {
    await world?.remove();
    await brokers?.stop();
  });

  it('holds up its own events and no others, and gets them in order when it is back, hardly any twice', async () => {
    const topic = world.topic('schedule');
    await brokers.make(topic, partitions);
    await world.member({ handles: false });
    const instances = Array.from({ length: 24 }, () => world.ids.next());
    const appendToAll = async () => (await Promise.all(instances.map((id) => world.append(id, 2)))).flat();
    const arrived = async () => expect(await world.cursor('schedule')).toBe(await world.ledger.head());
    const events = await appendToAll();
    await eventually(arrived, { withinMs: 60_000 });
    const before = await brokers.counts(topic);
    expect(before.size).toBe(partitions);

    await brokers.killSecond();
    const led = await eventually(
      async () => {
        const counts = await brokers.counts(topic);
        expect(counts.size).toBe(partitions / 2);
        return counts;
      },
      { withinMs: 60_000 },
    );
    for (let round = 0; round < 3; round += 1) {
      events.push(...(await appendToAll()));
      const expected = [...led.keys()].map((partition) => (2 + round) * (before.get(partition) ?? 0));
      await eventually(
        async () => {
          const counts = await brokers.counts(topic);
          for (const [index, partition] of [...led.keys()].entries()) {
            expect(counts.get(partition)).toBeGreaterThanOrEqual(expected[index] ?? 0);
          }
        },
        { withinMs: 60_000 },
      );
    }

    brokers.startSecond();
    await eventually(arrived, { withinMs: 90_000 });
    const messages = await eventually(() => new KafkaWitness(feed()).messages(topic), { withinMs: 90_000 });
    expect(new Set(messages.map(({ headers }) => headers.ce_id))).toEqual(new Set(events));
    expect(messages.length).toBeLessThan(1.5 * events.length);
    const newest = new Map<string, number>();
    for (const { key = '', headers } of messages) {
      const position = Number(headers['strongroom-position']);
      expect(position).toBeGreaterThanOrEqual(newest.get(key) ?? 0);
      newest.set(key, position);
    }
  }, 300_000);
});
