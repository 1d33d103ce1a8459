import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness } from '../../fixtures/kafka-witness.js';
import { TwoBrokers } from '../../fixtures/two-brokers.js';

const partitions = 6;
const rounds = 8;

describeWithKafka('a change of leaders', () => {
  let brokers: TwoBrokers;
  let world: FeedWorld;
  beforeAll(async () => {
    brokers = await TwoBrokers.start();
    world = await FeedWorld.create({ kind: 'kafka', brokers: brokers.addresses });
  }, 120_000);
  afterAll(async () => {
    await world?.remove();
    await brokers?.stop();
  });

  it('under load loses no event on its way to Kafka, and none comes before one of its partition that was recorded earlier', async () => {
    const topic = world.topic('schedule');
    await brokers.make(topic, partitions);
    await world.member({ handles: false });
    const instances = Array.from({ length: 24 }, () => world.ids.next());
    const events: string[] = [];
    let isOver = false;
    const load = (async () => {
      while (!isOver) {
        events.push(...(await Promise.all(instances.map((id) => world.append(id, 5)))).flat());
      }
    })();
    for (let round = 1; round <= rounds; round += 1) await brokers.swapLeaders(topic, partitions, round);
    isOver = true;
    await load;
    const head = await world.ledger.head();
    await eventually(async () => expect(await world.cursor('schedule')).toBe(head), { withinMs: 60_000 });

    // The first group of a new cluster waits for its coordinator.
    const witness = new KafkaWitness({ kind: 'kafka', brokers: brokers.addresses });
    const messages = await eventually(() => witness.messages(topic), { withinMs: 60_000 });
    const found = new Set(messages.map(({ headers }) => headers.ce_id));
    expect(events.filter((id) => !found.has(id))).toEqual([]);
    const newest = new Map<number, number>();
    const seen = new Set<string>();
    for (const { partition, headers } of messages) {
      const id = headers.ce_id ?? '';
      if (seen.has(id)) continue;
      seen.add(id);
      const position = Number(headers['strongroom-position']);
      expect(position).toBeGreaterThan(newest.get(partition) ?? 0);
      newest.set(partition, position);
    }
  }, 240_000);
});
