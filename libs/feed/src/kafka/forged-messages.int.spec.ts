/** What becomes of messages that somebody else has written about events that the ledger has. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness, kafkaForTests } from '../../fixtures/kafka-witness.js';
import type { HandledEvent } from '../../fixtures/member.js';

describeWithKafka('the Kafka feed, when a stranger writes news of recorded events', () => {
  let world: FeedWorld;
  let witness: KafkaWitness;
  beforeEach(async () => {
    world = await FeedWorld.create(kafkaForTests());
    witness = new KafkaWitness(kafkaForTests());
  });
  afterEach(() => world.remove());

  const topic = () => world.topic('schedule');
  const altered = (what: string) =>
    [`strongroom_altered_messages_total`, `{topic="${topic()}",what="${what}"}`] as const;

  /** The event as its message tells it, before any relay has sent it. */
  async function recorded(eventId: string): Promise<Record<string, unknown>> {
    const position = await world.ledger.positionOf('acme', eventId);
    const [row] = await world.ledger.eventsAt(position === undefined ? [] : [position]);
    return JSON.parse(JSON.stringify(row?.event));
  }

  /** Lets each instance have one message, and stops everybody. @returns the partition of each */
  async function partitionsOf(instances: readonly string[]): Promise<number[]> {
    const member = await world.member();
    for (const instance of instances) await world.settled(await world.append(instance));
    const messages = await eventually(
      async () => {
        const found = await witness.messages(topic());
        expect(found.length).toBeGreaterThanOrEqual(instances.length);
        return found;
      },
      { withinMs: 30_000 },
    );
    await member.close();
    return instances.map((instance) => messages.find(({ key }) => key === instance)?.partition ?? -1);
  }

  it('hands over what the ledger has, whatever the message tells beside its place', async () => {
    const instance = randomUUID();
    const [partition] = await partitionsOf([instance]);
    const wide = 'x'.repeat(900_000);
    const forgeries: ((real: Record<string, unknown>) => object)[] = [
      (real) => ({ ...real, accountId: 'forger' }),
      (real) => ({ ...real, instanceId: randomUUID(), data: { scheduleId: randomUUID(), instanceId: randomUUID() } }),
      (real) => ({ ...real, stream: `schedule-${randomUUID()}`, version: 1 }),
      (real) => ({ ...real, type: 'BackupCompleted', data: { copyTo: ['HKG'] } }),
      (real) => ({ ...real, type: 'ScheduleTeleported' }),
      (real) => ({ ...real, context: { actor: 'root' }, at: 'yesterday' }),
      ({ id, position }) => ({ id, position }),
      ({ id, position }) => ({ id, position, data: wide }),
    ];
    const events = await world.append(instance, forgeries.length);
    const reals = await Promise.all(events.map(recorded));
    // It comes first: what is told of an earlier place than that of a handled event is a repetition.
    const withoutEvent = JSON.stringify({ ...reals[0], id: randomUUID() });
    await witness.put(topic(), { key: randomUUID(), value: withoutEvent, partition: partition ?? 0 });
    for (const [index, forge] of forgeries.entries()) {
      const value = JSON.stringify(forge(reals[index] ?? {}));
      await witness.put(topic(), { key: randomUUID(), value, partition: partition ?? 0 });
    }
    const handed: HandledEvent[] = [];
    const member = await world.member({ also: async (event) => void handed.push(event) });
    await world.settled(events);
    expect(handed).toEqual(reals);
    const passedOver = `strongroom_feed_events_total{topic="${topic()}",outcome="not-in-the-ledger"}`;
    await eventually(async () => expect(await member.metric(passedOver)).toBe(1), { withinMs: 30_000 });
    await eventually(async () => expect(await member.metric(...altered('content'))).toBe(forgeries.length), {
      withinMs: 30_000,
    });
    expect(await world.deadLetters()).toEqual([]);
  });

  it('sets aside what tells no place that an event can have', async () => {
    const instance = randomUUID();
    const [partition] = await partitionsOf([instance]);
    const [event = ''] = await world.append(instance);
    const { position: _, ...real } = await recorded(event);
    const places = [0, -1, 1.5, 1e300, 9007199254740993n, '7', null, [7], undefined];
    for (const place of places) {
      const value = JSON.stringify({ ...real, position: typeof place === 'bigint' ? Number(place) : place });
      await witness.put(topic(), { value, partition: partition ?? 0 });
    }
    await world.member();
    await world.settled([event]);
    await eventually(async () => expect(await world.deadLetters()).toHaveLength(places.length), { withinMs: 30_000 });
  });

  it('takes no harm from batches that stand for very much, and sets each aside as one message or few', async () => {
    const instance = randomUUID();
    const [partition = 0] = await partitionsOf([instance]);
    const at = (messages: { value: string | null; headers?: Record<string, string> }[]) =>
      messages.map((message) => ({ ...message, partition }));
    const headers = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [n.toString(36), '']));
    await witness.putBatch(topic(), at(Array.from({ length: 20_000 }, () => ({ value: null }))), true);
    await witness.putBatch(topic(), at(Array.from({ length: 12_000 }, () => ({ value: null }))));
    await witness.putBatch(topic(), at([{ value: 'x'.repeat(20_000_000) }]), true);
    await witness.putBatch(topic(), at([{ value: '[]', headers }]));
    const events = await world.append(instance, 3);
    const member = await world.member();
    expect((await world.settled(events)).map(({ eventId }) => eventId).slice(-3)).toEqual(events);
    await eventually(async () => expect(await world.deadLetters()).toHaveLength(4), { withinMs: 60_000 });
    const errors = (await world.deadLetters()).map(({ error }) => error).join('\n');
    expect(errors).toMatch(/a batch of 20000 records in/);
    expect(errors).toMatch(/a batch of 12000 records in/);
    expect(errors).toMatch(/swells too much, compressed with gzip/);
    expect(await member.ready()).toBe(true);
  }, 120_000);

  it('keeps no more of them than an operator reads: what tells no event is only counted then', async () => {
    const instance = randomUUID();
    const [partition = 0] = await partitionsOf([instance]);
    await world.dataSource.query(
      `insert into dead_letter (id, consumer_group, source, topic, partition, "offset", message, error)
       select gen_random_uuid(), $1, 'source', 'topic', 0, n, '{}', 'the cause' from generate_series(1, 999) n`,
      [`${world.namespace}.replicator`],
    );
    for (const value of ['one', 'two', 'three']) await witness.put(topic(), { value, partition });
    const [event = ''] = await world.append(instance);
    const member = await world.member();
    await world.settled([event]);
    const labels = `{topic="${topic()}",outcome="set-aside"}`;
    await eventually(async () => expect(await member.metric('strongroom_feed_events_total', labels)).toBe(3), {
      withinMs: 30_000,
    });
    const [{ kept }] = await world.dataSource.query('select count(*)::int as kept from dead_letter');
    expect(kept).toBe(1_000);
  }, 60_000);

  it('hides no event by news of a later one, put where that does not belong', async () => {
    const instances = Array.from({ length: 24 }, () => randomUUID());
    const partitions = await partitionsOf(instances);
    const other = partitions.findIndex((partition) => partition !== partitions[0]);
    const [mine = '', theirs = ''] = [instances[0], instances[other]];
    const [earlier = ''] = await world.append(mine);
    const [later = ''] = await world.append(theirs);
    const value = JSON.stringify(await recorded(later));
    for (let time = 1; time <= 3; time += 1) {
      await witness.put(topic(), { key: theirs, value, partition: partitions[0] ?? 0 });
    }
    const handed: string[] = [];
    const member = await world.member({ also: async ({ id }) => void handed.push(id) });
    await world.settled([earlier, later]);
    expect(handed.sort()).toEqual([earlier, later].sort());
    await eventually(async () => expect(await member.metric(...altered('place'))).toBe(3), { withinMs: 30_000 });
    expect(await member.metric(...altered('content'))).toBeUndefined();
    expect(await world.deadLetters()).toEqual([]);
  });
});
