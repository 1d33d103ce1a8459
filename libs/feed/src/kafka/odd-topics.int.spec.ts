import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness } from '../../fixtures/kafka-witness.js';
import { inspectCluster } from './inspect-cluster.js';
import { kafkaClient } from './kafka-client.js';

describeWithKafka('a topic', (brokers) => {
  const feed = { kind: 'kafka' as const, brokers: brokers.split(',') };
  const witness = new KafkaWitness(feed);
  let world: FeedWorld;
  beforeEach(async () => {
    world = await FeedWorld.create(feed);
  });
  afterEach(() => world.remove());

  const idsOf = (found: { eventId: string }[]) => found.map(({ eventId }) => eventId);
  const sorted = (ids: string[]) => [...ids].sort();
  const relayed = async () =>
    eventually(async () => expect(await world.cursor('schedule')).toBe(await world.ledger.head()), {
      withinMs: 60_000,
    });

  it('that is weak or not there is told of, and nothing is made by looking', async () => {
    const topic = world.topic('schedule');
    await witness.make(topic, 2, { 'retention.ms': '1000' });
    const kafka = kafkaClient(feed, 'inspect-spec', createLogger({ app: 'inspect-spec', level: 'silent' }));
    const look = () => inspectCluster(kafka, world.namespace);
    const found = await look();
    expect(found).toMatchObject({ clusterId: expect.any(String), topics: [topic] });
    expect(found.missing).toContain(world.topic('backup'));
    expect(found.problems).toContainEqual(expect.stringContaining(`${topic} has retention.ms=1000, and must have -1`));
    expect(await look()).toEqual(found);
  }, 120_000);

  it('that takes only small messages gets what is larger without its value: its handlers have it in order, and once', async () => {
    const topic = world.topic('schedule');
    await witness.make(topic, 6, { 'max.message.bytes': '20000' });
    const instance = world.ids.next();
    const events = await world.append(instance, 100);
    events.push(await world.appendWider(instance, 'x'.repeat(30_000)));
    events.push(...(await world.append(instance, 100)));
    const member = await world.member();
    expect(idsOf(await world.settled(events, 60_000))).toEqual(events);
    expect(await member.metric('strongroom_relay_set_aside_total', `{topic="${topic}"}`)).toBe(1);
    const [cut] = (await witness.messages(topic)).filter(({ value }) => value === '');
    expect(cut?.headers).toMatchObject({
      ce_id: events[100],
      'strongroom-value': expect.stringContaining('too large'),
    });
    expect(await world.deadLetters()).toEqual([]);
  }, 120_000);

  it('that takes only small messages has what was sent with a larger one once', async () => {
    const topic = world.topic('schedule');
    await witness.make(topic, 6, { 'max.message.bytes': '20000' });
    const events: string[] = [];
    for (let n = 0; n < 24; n += 1) events.push(...(await world.append(world.ids.next(), 2)));
    events.push(await world.appendWider(world.ids.next(), 'x'.repeat(30_000)));
    await world.member({ handles: false });
    await relayed();
    const ids = (await witness.messages(topic)).map(({ headers }) => headers.ce_id ?? '');
    expect(sorted(ids)).toEqual(sorted(events));
  }, 120_000);

  it('that takes an event in no form loses it to its readers alone: the second look handles it, and the others go on', async () => {
    await witness.make(world.topic('schedule'), 6, { 'max.message.bytes': '100' });
    const events = await world.append(world.ids.next(), 3);
    const member = await world.member({ feedTakesMs: 3_000 });
    expect(sorted(idsOf(await world.settled(events, 60_000)))).toEqual(sorted(events));
    expect(await member.ready()).toBe(true);
  }, 120_000);

  it('whose broker compresses anew sets aside only its own messages, and its events are handled all the same', async () => {
    const topic = world.topic('schedule');
    await witness.make(topic, 6, { 'compression.type': 'zstd' });
    const member = await world.member({ feedTakesMs: 6_000 });
    const events = await world.append(world.ids.next(), 3);
    await eventually(async () => expect(await world.deadLetters()).toHaveLength(3), { withinMs: 30_000 });
    for (const { error } of await world.deadLetters()) expect(error).toContain('compressed with zstd');
    expect(sorted(idsOf(await world.settled(events, 60_000)))).toEqual(sorted(events));
    expect(await member.ready()).toBe(true);
  }, 120_000);

  it('that deletes what was not read is read from where it begins; what is gone is counted, and handled all the same', async () => {
    const instance = world.ids.next();
    const first = await world.member();
    const before = await world.append(instance, 2);
    await world.settled(before);
    await first.close();
    const relaying = await world.member({ handles: false });
    const gone = await world.append(instance, 5);
    await relayed();
    await relaying.close();
    await witness.deleteAllButTheNewest(world.topic('schedule'));
    const member = await world.member({ feedTakesMs: 8_000 });
    const labels = `{topic="${world.topic('schedule')}",outcome="gone"}`;
    await eventually(async () => expect(await member.metric('strongroom_feed_events_total', labels)).toBe(4), {
      withinMs: 30_000,
    });
    const after = await world.append(instance, 2);
    const all = [...before, ...gone, ...after];
    expect(sorted(idsOf(await world.settled(all, 60_000)))).toEqual(sorted(all));
  }, 120_000);

  it('that Kafka says was read to its end is read from where the group is', async () => {
    const instance = world.ids.next();
    const first = await world.member();
    const before = await world.append(instance, 2);
    await world.settled(before);
    await first.close();
    const relaying = await world.member({ handles: false });
    const unread = await world.append(instance, 5);
    await relayed();
    await relaying.close();
    const commit = () => witness.commitEverything(`${world.namespace}.replicator`, world.topic('schedule'));
    await eventually(commit, { withinMs: 30_000 });
    await world.member();
    expect(idsOf(await world.settled(unread, 60_000))).toEqual([...before, ...unread]);
  }, 120_000);

  it('that gets more partitions keeps the events of an instance in theirs', async () => {
    const topic = world.topic('schedule');
    const instances = Array.from({ length: 12 }, () => world.ids.next());
    const first = await world.member({ name: 'first', handles: false });
    for (const id of instances) await world.append(id);
    await relayed();
    await first.close();
    await witness.addPartitions(topic, 13);
    await world.member({ name: 'second' });
    const events: string[] = [];
    for (const id of instances) events.push(...(await world.append(id, 2)));
    await world.settled(events, 60_000);
    const places = new Map<string, Set<number>>();
    for (const { key = '', partition } of await witness.messages(topic)) {
      places.set(key, (places.get(key) ?? new Set()).add(partition));
    }
    expect([...places.values()].map(({ size }) => size)).toEqual(instances.map(() => 1));
  }, 120_000);

  it('that has more than a ledger which was put back to an earlier time gets messages that name another ledger', async () => {
    const topic = world.topic('schedule');
    const namesOf = async () =>
      new Map((await witness.messages(topic)).map(({ headers }) => [headers.ce_id, headers['strongroom-ledger']]));
    const first = await world.member();
    const [instance, other] = [world.ids.next(), world.ids.next()];
    const kept = await world.append(instance, 2);
    await world.settled(kept);
    const lost = await world.append(other, 3);
    await world.settled(lost);
    await first.close();
    await world.losesEnd(3);
    await world.putsFeedBackTo(await world.ledger.head(), 3);

    const member = await world.member();
    const labels = `{topic="${topic}",outcome="not-in-the-ledger"}`;
    await eventually(async () => expect(await member.metric('strongroom_feed_events_total', labels)).toBe(3), {
      withinMs: 30_000,
    });
    const name = () => world.ledgerName();
    await eventually(async () => expect(await name()).not.toBe((await namesOf()).get(lost[0])), { withinMs: 30_000 });
    // A process believes what it knows of the name for a second.
    const events: string[] = [];
    await eventually(
      async () => {
        events.push(...(await world.append(instance)));
        await relayed();
        expect((await namesOf()).get(events.at(-1))).toBe(await name());
      },
      { withinMs: 30_000 },
    );
    const found = idsOf(await world.settled(events));
    expect(found.filter((id) => events.includes(id))).toEqual(events);
    const names = await namesOf();
    expect(names.get(lost[2])).toBe(names.get(kept[0]));
  }, 120_000);

  it('is made so that no default of the cluster can lose what it holds', async () => {
    await world.member({ handles: false });
    await world.append(world.ids.next());
    await relayed();
    expect(Object.fromEntries(await witness.settingsOf(world.topic('schedule')))).toMatchObject({
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'cleanup.policy': 'delete',
      'compression.type': 'producer',
      'unclean.leader.election.enable': 'false',
      'min.insync.replicas': '1',
    });
  });
});
