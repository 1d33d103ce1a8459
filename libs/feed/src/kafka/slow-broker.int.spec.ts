import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka, OwnKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness } from '../../fixtures/kafka-witness.js';
import { SlowLine } from '../../fixtures/slow-line.js';

const fast = 50_000_000;

describeWithKafka('a way to Kafka of 60 kB a second', () => {
  let line: SlowLine;
  let kafka: OwnKafka;
  let world: FeedWorld;
  const feed = () => ({ kind: 'kafka' as const, brokers: [`127.0.0.1:${line.port}`] });
  beforeAll(async () => {
    line = await SlowLine.open(fast);
    const port = await freePort();
    const settings = { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${line.port}` };
    kafka = await OwnKafka.start({ port, settings });
    line.leadTo(port);
  }, 120_000);
  afterAll(async () => {
    await kafka?.stop();
    await line?.close();
  });
  const straighten = () => {
    line.pace = fast;
    line.latencyMs = 0;
  };
  beforeEach(async () => {
    straighten();
    world = await FeedWorld.create(feed());
  });
  afterEach(async () => {
    straighten();
    await world.remove();
  });

  it('has 2,000 events of two relays in Kafka in the end, hardly any of them twice', async () => {
    const first = await world.append(world.ids.next());
    await Promise.all(['one', 'two'].map((name) => world.member({ name, handles: false })));
    const head = () => world.ledger.head();
    await eventually(async () => expect(await world.cursor('schedule')).toBe(await head()), { withinMs: 30_000 });
    line.pace = 60_000;
    const events = [...first];
    for (let n = 0; n < 20; n += 1) events.push(...(await world.append(world.ids.next(), 100)));
    const end = await head();
    await eventually(async () => expect(await world.cursor('schedule')).toBe(end), { withinMs: 150_000 });
    line.pace = fast;
    // The first group of a new cluster waits for its coordinator.
    const witness = new KafkaWitness(feed());
    const messages = await eventually(() => witness.messages(world.topic('schedule')), { withinMs: 60_000 });
    expect(new Set(messages.map(({ headers }) => headers.ce_id))).toEqual(new Set(events));
    expect(messages.length).toBeLessThan(1.2 * events.length);
  }, 240_000);

  it('brings what no request brings in its usual time too, and the handlers get it once', async () => {
    const instance = world.ids.next();
    // The second look does not help.
    await world.member({ feedTakesMs: 3_600_000 });
    const events = await world.append(instance);
    await world.settled(events);
    line.pace = 6_000;
    events.push(...(await world.append(instance, 120)));
    expect((await world.settled(events, 200_000)).map(({ eventId }) => eventId)).toEqual(events);
  }, 300_000);

  it('over which a relay connects for longer than its lease is has each event of two relays once', async () => {
    const first = await world.member({ handles: false });
    await eventually(async () => expect(await world.cursor('schedule')).toBe(0), { withinMs: 30_000 });
    await first.close();
    const events = await world.append(world.ids.next(), 5);
    line.latencyMs = 600;
    await Promise.all(['one', 'two'].map((name) => world.member({ name, handles: false })));
    const head = await world.ledger.head();
    await eventually(async () => expect(await world.cursor('schedule')).toBe(head), { withinMs: 90_000 });
    line.latencyMs = 0;
    const witness = new KafkaWitness(feed());
    const messages = await eventually(() => witness.messages(world.topic('schedule')), { withinMs: 60_000 });
    expect(messages.map(({ headers }) => headers.ce_id)).toEqual(events);
  }, 240_000);
});
