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
  beforeEach(async () => {
    line.pace = fast;
    world = await FeedWorld.create(feed());
  });
  afterEach(async () => {
    line.pace = fast;
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
    const messages = await new KafkaWitness(feed()).messages(world.topic('schedule'));
    expect(new Set(messages.map(({ headers }) => headers.ce_id))).toEqual(new Set(events));
    expect(messages.length).toBeLessThan(1.2 * events.length);
  }, 240_000);

  it('has what one request can’t bring in its usual time in the end too, and the handlers get it', async () => {
    const member = await world.member();
    await world.settled(await world.append(world.ids.next()));
    const events: string[] = [];
    for (let n = 0; n < 10; n += 1) events.push(...(await world.append(world.ids.next(), 100)));
    line.pace = 20_000;
    expect((await world.settled(events, 200_000)).length).toBe(events.length + 1);
    expect(await member.alive()).toBe(true);
  }, 300_000);
});
