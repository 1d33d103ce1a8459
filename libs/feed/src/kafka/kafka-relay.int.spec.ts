import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { wakeReaders } from '@strongroom/ledger';
import { KafkaBroker } from '@strongroom/local-services';
import type { FeedConfig } from '@strongroom/runtime';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { patienceNow } from '../../../../test/services/patience.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness, kafkaForTests, type Witnessed } from '../../fixtures/kafka-witness.js';

const positionOf = ({ headers }: Witnessed) => Number(headers['strongroom-position']);

/** The ids of the events in the order of their arrival. It checks that each partition is in the order of the ledger. */
function inOrder(messages: Witnessed[]): string[] {
  const news = new Map<number, number>();
  const ids: string[] = [];
  for (const message of messages) {
    const newest = news.get(message.partition) ?? 0;
    if (positionOf(message) <= newest) continue;
    news.set(message.partition, positionOf(message));
    ids.push(message.headers.ce_id ?? '');
  }
  return ids;
}

describeWithKafka('the relay', () => {
  let world: FeedWorld;
  let witness: KafkaWitness;
  beforeEach(async () => {
    world = await FeedWorld.create(kafkaForTests());
    witness = new KafkaWitness(kafkaForTests());
  });
  afterEach(() => world.remove());

  const inKafka = (count: number) =>
    eventually(
      async () => {
        const messages = await witness.messages(world.topic('schedule'));
        expect(messages.length).toBeGreaterThanOrEqual(count);
        return messages;
      },
      { withinMs: 40_000 },
    );
  /** The database hears of a cursor a moment later than Kafka has the events. */
  const cursorBeyond = (position: number) =>
    eventually(
      async () => {
        const cursor = (await world.cursor('schedule')) ?? 0;
        expect(cursor).toBeGreaterThan(position);
        return cursor;
      },
      { withinMs: 10_000 },
    );

  it('sends each event as a CloudEvent, keyed by its instance, with its place in the ledger', async () => {
    const instance = world.ids.next();
    const [id] = await world.append(instance);
    await world.member({ handles: false });
    const [message] = await inKafka(1);
    expect(message).toMatchObject({
      key: instance,
      headers: {
        ce_specversion: '1.0',
        ce_id: id,
        ce_source: '/strongroom',
        ce_type: 'strongroom.ScheduleDeleted.v1',
        ce_subject: `schedule/${instance}`,
        ce_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        'content-type': 'application/json; charset=utf-8',
        'strongroom-position': expect.stringMatching(/^\d+$/),
        'strongroom-request-id': 'the-request',
        'strongroom-correlation-id': 'the-correlation',
      },
    });
    expect(JSON.parse(message?.value ?? '')).toMatchObject({ id, instanceId: instance, type: 'ScheduleDeleted' });
  });

  it('sends each event once and in order though every app runs one', async () => {
    await Promise.all(['one', 'two', 'three'].map((name) => world.member({ name, handles: false })));
    const instances = Array.from({ length: 10 }, () => world.ids.next());
    const events: string[] = [];
    for (let round = 0; round < 20; round += 1) {
      events.push(...(await Promise.all(instances.map((id) => world.append(id, 3)))).flat());
    }
    const messages = await inKafka(events.length);
    expect(messages).toHaveLength(events.length);
    expect(inOrder(messages).sort()).toEqual([...events].sort());
  });

  it('sends again and again over one connection, and its log tells of no failure', async () => {
    const member = await world.member({ handles: false });
    const instance = world.ids.next();
    // A topic that was just made may lack its leaders for a moment.
    await world.append(instance);
    await inKafka(1);
    const before = member.troubles.length;
    for (let round = 1; round <= 6; round += 1) {
      await world.append(instance, 2);
      await inKafka(1 + 2 * round);
    }
    const since = member.troubles.slice(before).filter((line) => line.includes(world.topic('schedule')));
    expect(since).toEqual([]);
  });

  it('makes hardly any transaction while nothing is appended, however many processes there are', async () => {
    await Promise.all(['one', 'two', 'three'].map((name) => world.member({ name, handles: false })));
    await world.append(world.ids.next());
    await inKafka(1);
    const transactions = async () => {
      const rows: unknown = await world.dataSource.query(
        'select xact_commit::int as count from pg_stat_database where datname = current_database()',
      );
      return z.array(z.object({ count: z.int() })).parse(rows)[0]?.count ?? 0;
    };
    // What was done before is counted a second later.
    const after = (ms: number, since = performance.now()) =>
      eventually(() => expect(performance.now() - since).toBeGreaterThan(ms), { withinMs: 60_000 });
    await after(3_000);
    const before = await transactions();
    await after(4_000);
    expect((await transactions()) - before).toBeLessThan(20);
  });

  it('goes on in another process at once when its own ends', async () => {
    const first = await world.member({ name: 'first', handles: false });
    await world.append(world.ids.next());
    await inKafka(1);
    await world.member({ name: 'second', handles: false });
    const holder = async () => {
      const rows: unknown = await world.dataSource.query('select holder from relay_cursor where topic = $1', [
        world.topic('schedule'),
      ]);
      return z.array(z.object({ holder: z.string().nullable() })).parse(rows)[0]?.holder ?? '';
    };
    const before = await holder();
    await first.close();
    // Before there is anything to send.
    await eventually(async () => expect([before, '']).not.toContain(await holder()), { withinMs: 20_000 });
    await world.append(world.ids.next());
    expect(await inKafka(2)).toHaveLength(2);
  });

  it('that died after it sent, and before it recorded that, is followed by one that sends again: handlers do not notice', async () => {
    const first = await world.member({ name: 'first' });
    const instance = world.ids.next();
    const events = await world.append(instance, 5);
    await world.settled(events);
    await first.close();
    // A process that ends at this point leaves this.
    await world.dataSource.query('update relay_cursor set position = 0, holder = null, held_until = null');

    await world.member({ name: 'second' });
    const more = await world.append(instance, 2);
    const found = await world.settled(more);
    await inKafka(12);
    expect(found.map(({ eventId }) => eventId)).toEqual([...events, ...more]);
    expect((await world.effects()).map(({ eventId }) => eventId)).toEqual([...events, ...more]);
  });

  it('that died under a clock that was ahead is followed when the clock is right again', async () => {
    const first = await world.member({ handles: false });
    await world.append(world.ids.next(), 3);
    await inKafka(3);
    await first.close();
    await world.dataSource.query(
      `update relay_cursor set holder = 'killed', held_until = now() + interval '8 hours', held_ms = 5000`,
    );
    await world.member({ handles: false });
    await world.append(world.ids.next(), 3);
    await inKafka(6);
  });

  it('fills a topic again that is there, and has lost what it acknowledged', async () => {
    const instance = world.ids.next();
    const first = await world.member();
    const events = await world.append(instance, 5);
    await world.settled(events);
    await first.close();
    await witness.lose(world.topic('schedule'));
    await eventually(() => witness.make(world.topic('schedule'), 6), { withinMs: 10_000 });

    await world.member();
    const more = await world.append(instance, 2);
    expect(inOrder(await inKafka(7))).toEqual([...events, ...more]);
    expect((await world.settled(more)).map(({ eventId }) => eventId)).toEqual([...events, ...more]);
  }, 90_000);

  it('never takes its cursor back', async () => {
    await world.member({ handles: false });
    await world.append(world.ids.next(), 3);
    await inKafka(3);
    const held = await cursorBeyond(0);
    await world.append(world.ids.next(), 3);
    await inKafka(6);
    await cursorBeyond(held);
  });

  it('fills a topic that was lost from the start of the ledger: what was handled stays handled, the rest arrives', async () => {
    const instance = world.ids.next();
    const first = await world.member({ name: 'first' });
    const handled = await world.append(instance, 3);
    await world.settled(handled);
    await cursorBeyond(0);
    // The events are sent twice, so that they have other offsets in the new topic.
    await world.dataSource.query('update relay_cursor set position = 0');
    await wakeReaders(world.dataSource.manager);
    await inKafka(6);
    await eventually(async () => expect(await world.waiting(first)).toBe(0), { withinMs: 20_000 });
    await first.close();
    const relaying = await world.member({ name: 'relaying', handles: false });
    const unhandled = await world.append(instance, 8);
    await inKafka(14);
    await relaying.close();
    await witness.lose(world.topic('schedule'));

    await world.member({ name: 'second' });
    const all = [...handled, ...unhandled];
    expect((await world.settled(unhandled, 60_000)).map(({ eventId }) => eventId)).toEqual(all);
    const more = await world.append(instance, 2);
    expect((await world.settled(more)).map(({ eventId }) => eventId)).toEqual([...all, ...more]);
    expect(inOrder(await inKafka(13))).toEqual([...all, ...more]);
    expect(await world.deadLetters()).toEqual([]);
  }, 120_000);

  it('also fills a topic that is lost while it runs', async () => {
    await world.member();
    const instance = world.ids.next();
    const before = await world.append(instance, 3);
    await world.settled(before);
    await witness.lose(world.topic('schedule'));
    const after = await world.append(instance, 3);
    expect((await world.settled(after, 90_000)).map(({ eventId }) => eventId)).toEqual([...before, ...after]);
    expect(inOrder(await inKafka(6))).toEqual([...before, ...after]);
  }, 120_000);

  it('tells how much waits, and for how long', async () => {
    const member = await world.member({ handles: false });
    await world.append(world.ids.next(), 3);
    const lag = () => member.metric('strongroom_relay_lag_events', `{topic="${world.topic('schedule')}"}`);
    await inKafka(3);
    await eventually(async () => expect(await lag()).toBe(0), { withinMs: 10_000 });
    expect(await member.metric('strongroom_relay_lag_seconds', `{topic="${world.topic('schedule')}"}`)).toBe(0);
  });
});

describeWithKafka('the relay and the feed, with a broker that fails', () => {
  let folder: string;
  let broker: KafkaBroker;
  let world: FeedWorld;

  /** Starts a broker on the same port when one is given, and on the data that is named. */
  const start = async (data: string, port?: number) => {
    const jars = process.env.STRONGROOM_TEST_KAFKA_JARS;
    if (!jars) throw new Error(`this test needs a Kafka: ${process.env.STRONGROOM_TEST_KAFKA_REASON}`);
    const sources = join(__dirname, '..', '..', '..', 'local-services', 'kafka');
    const place = { directory: join(folder, data), logFile: join(folder, 'kafka.log') };
    return KafkaBroker.start({ jars, sources, ...place, ...(port !== undefined && { port }) });
  };
  const portOf = ({ address }: KafkaBroker) => Number(address.split(':')[1]);
  const feed = (): FeedConfig => ({ kind: 'kafka', brokers: [broker.address] });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-feed-'));
    broker = await start('first');
  }, 60_000);
  afterAll(async () => {
    await broker.kill();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    world = await FeedWorld.create(feed());
  });
  afterEach(() => world.remove());

  it('start while it is away, say so, and catch up when it comes', async () => {
    await broker.kill();
    const member = await world.member();
    expect(await member.alive()).toBe(true);
    expect(await member.ready()).toBe(false);
    const events = await world.append(world.ids.next(), 5);

    broker = await broker.restart();
    expect((await world.settled(events, 60_000)).map(({ eventId }) => eventId)).toEqual(events);
    await eventually(async () => expect(await member.ready()).toBe(true), { withinMs: 20_000 });

    await broker.kill();
    await eventually(async () => expect(await member.ready()).toBe(false), { withinMs: 40_000 });
    broker = await broker.restart();
    await eventually(async () => expect(await member.ready()).toBe(true), { withinMs: 60_000 });
  }, 180_000);

  it('tell that events wait while it is away, and for how long: more with each second', async () => {
    const member = await world.member({ handles: false });
    const labels = `{topic="${world.topic('schedule')}"}`;
    const waiting = () => member.metric('strongroom_relay_lag_events', labels);
    const oldest = async () => (await member.metric('strongroom_relay_lag_seconds', labels)) ?? 0;
    await world.append(world.ids.next());
    await eventually(async () => expect(await world.cursor('schedule')).toBeGreaterThan(0), { withinMs: 30_000 });
    expect([await waiting(), await oldest()]).toEqual([0, 0]);

    await broker.kill();
    await world.append(world.ids.next(), 3);
    // This holds for a process that has never seen the broker as well.
    const late = await world.member({ name: 'late', handles: false });
    await eventually(async () => expect(await oldest()).toBeGreaterThan(2), { withinMs: 20_000 });
    expect(await waiting()).toBe(3);
    const ofLate = () => late.metric('strongroom_relay_lag_seconds', labels);
    await eventually(async () => expect(await ofLate()).toBeGreaterThan(2), { withinMs: 20_000 });
    const before = await oldest();
    await eventually(async () => expect(await oldest()).toBeGreaterThan(before + 3), { withinMs: 20_000 });

    broker = await broker.restart();
    await eventually(async () => expect([await waiting(), await oldest()]).toEqual([0, 0]), { withinMs: 60_000 });
  }, 120_000);

  it('stop at once while it is away', async () => {
    await broker.kill();
    const member = await world.member();
    await world.append(world.ids.next());
    const begun = performance.now();
    await member.close();
    const tookMs = performance.now() - begun;
    expect(tookMs).toBeLessThan(8_000 * patienceNow({ measured: true }));
    broker = await broker.restart();
  }, 60_000);

  it('bring everything once and in order though it is killed under load', async () => {
    await world.member({ name: 'one' });
    await world.member({ name: 'two' });
    const instances = Array.from({ length: 6 }, () => world.ids.next());
    const recorded = new Map<string, string[]>(instances.map((id) => [id, []]));
    const record = async (rounds: number) => {
      for (let round = 0; round < rounds; round += 1) {
        for (const id of instances) recorded.get(id)?.push(...(await world.append(id, 2)));
      }
    };
    await record(10);
    const killing = broker.kill();
    await record(10);
    await killing;
    broker = await broker.restart();
    await record(5);

    const all = [...recorded.values()].flat();
    const found = await world.settled(all, 90_000);
    expect(found).toHaveLength(all.length);
    for (const [id, events] of recorded) {
      expect(found.filter(({ instanceId }) => instanceId === id).map(({ eventId }) => eventId)).toEqual(events);
    }
    expect(await world.deadLetters()).toEqual([]);
  }, 180_000);

  it('fill an empty one that took its place, from the start of the ledger', async () => {
    const member = await world.member({ handles: false });
    const before = await world.append(world.ids.next(), 5);
    const witness = new KafkaWitness(feed());
    const there = async () => inOrder(await witness.messages(world.topic('schedule')));
    await eventually(async () => expect((await there()).sort()).toEqual([...before].sort()), { withinMs: 30_000 });

    await broker.kill();
    broker = await start('second', portOf(broker));
    const after = await world.append(world.ids.next(), 5);
    const all = [...before, ...after].sort();
    await eventually(async () => expect((await there()).sort()).toEqual(all), { withinMs: 60_000 });
    expect(await member.alive()).toBe(true);
  }, 120_000);
});
