import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { deadLetterTopic } from '@strongroom/contracts';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka, hasKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness, kafkaForTests } from '../../fixtures/kafka-witness.js';
import { feedContract } from '../feed.contract.js';
import { feedLossesContract } from '../feed-losses.contract.js';

if (hasKafka()) {
  feedContract('Kafka', kafkaForTests);
  feedLossesContract('Kafka', kafkaForTests);
}

describeWithKafka('the Kafka feed, on a topic that others can write to', () => {
  let world: FeedWorld;
  let witness: KafkaWitness;
  beforeEach(async () => {
    world = await FeedWorld.create(kafkaForTests());
    witness = new KafkaWitness(kafkaForTests());
  });
  afterEach(() => world.remove());

  const letters = (count: number) =>
    eventually(
      async () => {
        const found = await world.deadLetters();
        expect(found).toHaveLength(count);
        return found;
      },
      { withinMs: 30_000 },
    );

  it('sets every message of a stranger aside, and tells of it on the dead-letter topic', async () => {
    const instance = world.ids.next();
    await world.member();
    const before = await world.append(instance, 2);
    await world.settled(before);
    const [{ partition } = { partition: 0 }] = await witness.messages(world.topic('schedule'));

    const farAhead = { 'strongroom-position': '9007199254740991' };
    await witness.put(world.topic('schedule'), { value: '{"not":"an event"}', headers: farAhead, partition });
    await witness.put(world.topic('schedule'), { value: Buffer.from([0, 0xff, 0xc3, 0x28, 0x22, 0]), partition });
    await witness.put(world.topic('schedule'), { value: null, headers: { tags: ['a', 'b'] }, partition });
    await witness.put(world.topic('schedule'), { value: '{"a":"\\u0000\\ud800"}', partition });
    const after = await world.append(instance, 2);

    const found = await world.settled(after);
    expect(found.map(({ eventId }) => eventId)).toEqual([...before, ...after]);
    const set = await letters(4);
    expect(set.map(({ message }) => message.headers)).toContainEqual(farAhead);
    const told = await eventually(
      async () => {
        const messages = await witness.messages(deadLetterTopic(world.namespace));
        expect(messages.length).toBeGreaterThanOrEqual(4);
        return messages;
      },
      { withinMs: 30_000 },
    );
    expect(told[0]).toMatchObject({
      value: '{"not":"an event"}',
      headers: {
        ...farAhead,
        'strongroom-group': `${world.namespace}.replicator`,
        'strongroom-origin': `${world.topic('schedule')}/${partition}/2`,
        'strongroom-error': expect.stringContaining('expected'),
      },
    });
  });

  it('sets a message aside that claims to have no value, whatever place in the ledger it names', async () => {
    const topic = world.topic('schedule');
    await world.member();
    const instance = world.ids.next();
    await world.settled(await world.append(instance));
    const [{ partition } = { partition: 0 }] = await witness.messages(topic);
    const claim = { 'strongroom-value': 'too large for the broker: ask for the event by its id', ce_id: 'an id' };
    const places = ['1.5', '1e300', '-1', '0', '', 'Infinity', '9007199254740993', '9007199254740991'];
    for (const place of places) {
      await witness.put(topic, { value: '', headers: { ...claim, 'strongroom-position': place }, partition });
    }
    await world.settled(await world.append(instance, 2));
    await letters(places.length);
  });

  it('sets a message aside that is as large as its topic takes, and tells of it though its headers alone are too large', async () => {
    const topic = world.topic('schedule');
    await world.member();
    const instance = world.ids.next();
    await world.settled(await world.append(instance));
    const [{ partition } = { partition: 0 }] = await witness.messages(topic);
    await witness.put(topic, { value: '{}', headers: { wide: 'x'.repeat(1_048_000) }, partition });
    await witness.put(topic, { value: 'x'.repeat(890_000), headers: { wide: 'x'.repeat(150_000) }, partition });
    await world.settled(await world.append(instance, 2));
    await letters(2);
    const told = await witness.messages(deadLetterTopic(world.namespace));
    const origins = told.map(({ headers }) => headers['strongroom-origin']);
    expect(origins).toEqual([`${topic}/${partition}/1`, `${topic}/${partition}/2`]);
  });

  it('goes on though the topic of dead letters was lost, and makes it anew', async () => {
    const topic = world.topic('schedule');
    await world.member();
    const instance = world.ids.next();
    await world.settled(await world.append(instance));
    const [{ partition } = { partition: 0 }] = await witness.messages(topic);
    await witness.lose(deadLetterTopic(world.namespace));
    await witness.put(topic, { value: '{}', partition });
    await world.settled(await world.append(instance, 2), 60_000);
    await letters(1);
    expect(await witness.messages(deadLetterTopic(world.namespace))).toHaveLength(1);
  }, 90_000);

  it('handles an event once though strangers send it again', async () => {
    const member = await world.member();
    const events = await world.append(world.ids.next(), 3);
    await world.settled(events);
    const messages = await witness.messages(world.topic('schedule'));
    for (const { key, value, headers, partition } of messages) {
      await witness.put(world.topic('schedule'), { key: key ?? null, value, headers, partition });
      await witness.put(world.topic('schedule'), { key: key ?? null, value, partition });
    }
    await eventually(async () => expect(await world.waiting(member)).toBe(0), { withinMs: 30_000 });
    expect((await world.effects()).map(({ eventId }) => eventId)).toEqual(events);
    expect(await world.deadLetters()).toEqual([]);
  });

  it('passes over an event that is not in the ledger, at any position, and loses none that is there', async () => {
    const member = await world.member();
    const instance = world.ids.next();
    const before = await world.append(instance, 2);
    await world.settled(before);
    const [real] = await witness.messages(world.topic('schedule'));
    if (!real) throw new Error('nothing was relayed');
    const { position } = JSON.parse(real.value);
    // Positions that a broker may hold after the ledger was restored to an earlier point, or that another client may send.
    const places = [position + 2, position + 3, position + 4, Number.MAX_SAFE_INTEGER];
    for (const place of places) {
      const value = JSON.stringify({ ...JSON.parse(real.value), id: world.ids.next(), position: place });
      await witness.put(world.topic('schedule'), { key: instance, value, partition: real.partition });
    }
    const passedOver = `strongroom_feed_events_total{topic="${world.topic('schedule')}",outcome="not-in-the-ledger"}`;
    await eventually(async () => expect(await member.metric(passedOver)).toBe(4), { withinMs: 30_000 });

    const after = await world.append(instance, 3);
    const found = await world.settled(after);
    expect(found.map(({ eventId }) => eventId)).toEqual([...before, ...after]);
    expect(found.slice(2).map((effect) => effect.position)).toEqual(places.slice(0, 3));
    expect(await world.deadLetters()).toEqual([]);
  });

  it('shares the partitions among the members of a group', async () => {
    await Promise.all([world.member({ name: 'one' }), world.member({ name: 'two' })]);
    await eventually(
      async () => {
        const rounds = await Promise.all(Array.from({ length: 12 }, () => world.append(world.ids.next())));
        await world.settled(rounds.flat());
        const newest = (await world.effects()).slice(-12);
        expect(new Set(newest.map(({ member }) => member))).toEqual(new Set(['one', 'two']));
      },
      { withinMs: 40_000 },
    );
  });

  it('tells Kafka where it is, for the tools that ask there', async () => {
    await world.member();
    await world.settled(await world.append(world.ids.next(), 7));
    const committed = () => witness.committed(`${world.namespace}.replicator`, world.topic('schedule'));
    await eventually(async () => expect(await committed()).toBe(7), { withinMs: 20_000 });
  });
});
