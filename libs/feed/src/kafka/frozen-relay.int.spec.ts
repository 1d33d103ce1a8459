import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { patienceNow } from '../../../../test/services/patience.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { KafkaWitness, kafkaForTests, type Subscription } from '../../fixtures/kafka-witness.js';
import type { MemberProcess } from '../../fixtures/member-process.js';

describeWithKafka('a relay that freezes', () => {
  let world: FeedWorld;
  let subscriber: Subscription;
  let members: MemberProcess[];
  let instances: string[];
  let all: string[];
  beforeEach(async () => {
    world = await FeedWorld.create(kafkaForTests());
    all = [];
    instances = Array.from({ length: 24 }, () => world.ids.next());
    // One relays, and the other stands by.
    members = [await world.memberProcess('first'), await world.memberProcess('second')];
    subscriber = await new KafkaWitness(kafkaForTests()).subscribe(world.topic('schedule'));
    await arrives(await append());
  }, 120_000);
  afterEach(async () => {
    await subscriber.end();
    await world.remove();
  });

  /** Events of so many instances that each partition has some. */
  const append = async () => {
    const events = (await Promise.all(instances.map((id) => world.append(id)))).flat();
    all.push(...events);
    return events;
  };
  const ids = () => subscriber.arrived.map(({ headers }) => headers.ce_id ?? '');
  const arrives = (events: string[]) =>
    eventually(() => expect([...events].filter((id) => !ids().includes(id))).toEqual([]), { withinMs: 60_000 });
  /** The process that relays now. On a busy machine it may be another one than a moment ago. */
  const relaying = () =>
    eventually(
      async () => {
        const rows: { holder: string | null }[] = await world.dataSource.query(
          'select holder from relay_cursor where topic = $1',
          [world.topic('schedule')],
        );
        const holder = rows[0]?.holder ?? '';
        const found = members.find((member) => member.isHolder(holder));
        if (found === undefined) throw new Error(`no process of the test holds the lease, but "${holder}"`);
        return found;
      },
      { withinMs: 10_000 },
    );
  /** What is new in each partition, when what comes again is passed over. */
  const news = () => {
    const newest = new Map<number, number>();
    return subscriber.arrived.filter(({ partition, headers }) => {
      const position = Number(headers['strongroom-position']);
      const isNew = position > (newest.get(partition) ?? 0);
      if (isNew) newest.set(partition, position);
      return isNew;
    });
  };
  const inTime = async (events: string[], since: number) => {
    await arrives(events);
    expect(performance.now() - since).toBeLessThan(2_000 + 1_000 * patienceNow({ measured: true }));
  };

  it('keeps no subscriber of Kafka waiting for longer than two seconds, and sends nothing again when it wakes up', async () => {
    for (let round = 0; round < 2; round += 1) {
      const head = await world.ledger.head();
      await eventually(async () => expect(await world.cursor('schedule')).toBe(head), { withinMs: 30_000 });
      const frozen = await relaying();
      frozen.pause();
      const frozenAt = performance.now();
      await inTime(await append(), frozenAt);
      expect(await relaying()).not.toBe(frozen);
      frozen.resume();
      await arrives(await append());
    }
    expect(ids().sort()).toEqual([...all].sort());
    expect(news()).toHaveLength(all.length);
  }, 120_000);

  it('in the middle of sending sends hardly anything again, and each partition stays in order', async () => {
    for (let round = 0; round < 3; round += 1) {
      // It freezes among events, each time at another point.
      for (let n = 0; n < 3 * round; n += 1) await append();
      const frozen = await relaying();
      frozen.pause();
      for (let n = 3 * round; n < 12; n += 1) await append();
      await inTime([...all], performance.now());
      expect(await relaying()).not.toBe(frozen);
      frozen.resume();
    }
    await arrives(await append());
    expect(
      news()
        .map(({ headers }) => headers.ce_id)
        .sort(),
    ).toEqual([...all].sort());
    expect(ids().length).toBeLessThan(1.3 * all.length);
  }, 180_000);
});
