import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { patience } from '../../../../test/services/patience.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { kafkaForTests } from '../../fixtures/kafka-witness.js';

const lateMs = 700;

describeWithKafka('a member of a consumer group that freezes', () => {
  let world: FeedWorld;
  beforeEach(async () => {
    world = await FeedWorld.create(kafkaForTests());
  });
  afterEach(() => world.remove());

  /** Events of so many instances that each partition has some. */
  const appendEverywhere = async () =>
    (await Promise.all(Array.from({ length: 24 }, () => world.append(world.ids.next())))).flat();

  it.each([
    { does: 'waits for events', isStuck: false },
    { does: 'is in the middle of one', isStuck: true },
  ])(
    'while it $does keeps its events from the others for two seconds at most, and each is handled once',
    async ({ isStuck }) => {
      // It comes first, so it relays, too.
      const frozen = await world.memberProcess('frozen', isStuck);
      const other = await world.member({ name: 'other', lateMs });
      await eventually(async () => expect(await other.ready()).toBe(true), { withinMs: 60_000 });
      const before = await appendEverywhere();
      if (isStuck) await frozen.inTheMiddle();
      else await world.settled(before);
      frozen.pause();
      const begunAt = performance.now();
      const after = await appendEverywhere();
      await world.settled([...before, ...after]);
      expect(performance.now() - begunAt).toBeLessThan(2_000 + 1_000 * patience);
      frozen.resume();
      const last = await appendEverywhere();
      await world.settled(last);
      // One that is stuck keeps its partitions for as long as it lives.
      if (isStuck) await frozen.kill();
      await eventually(async () => expect(await world.waiting(other)).toBe(0), { withinMs: 60_000 });
      const handled = (await world.effects()).map(({ eventId }) => eventId);
      expect(handled.sort()).toEqual([...before, ...after, ...last].sort());
      expect(await world.deadLetters()).toEqual([]);
    },
  );

  it('while it relays keeps no event waiting for the broker, and what the broker brings later is not handled again', async () => {
    const member = await world.member({ name: 'other', lateMs });
    const readUpTo = (position: number) =>
      eventually(
        async () => {
          const [{ reached }] = await world.dataSource.query(
            'select max(position)::int as reached from feed_offset where topic = $1',
            [world.topic('schedule')],
          );
          expect(reached).toBe(position);
        },
        { withinMs: 60_000 },
      );
    const taken = async () => (await member.metric('strongroom_taken_events_total', '{type="ScheduleDeleted"}')) ?? 0;
    const brought = async () =>
      (await member.metric('strongroom_feed_events_total', `{topic="${world.topic('schedule')}",outcome="handled"}`)) ??
      0;
    const first = await appendEverywhere();
    await world.settled(first);
    await readUpTo(await world.ledger.head());
    // Nobody sends while a stranger holds the leases of the relay.
    await world.dataSource.query(
      `update relay_cursor set holder = 'stranger', held_until = now() + $1 * interval '1 ms', held_ms = $1`,
      [8_000 * patience],
    );
    // A relay may send once more before it finds out.
    const second = await appendEverywhere();
    await world.settled(second);
    await eventually(async () => expect((await taken()) + (await brought())).toBe(first.length + second.length), {
      withinMs: 10_000,
    });
    const before = await taken();
    const begunAt = performance.now();
    const events = await appendEverywhere();
    await world.settled(events);
    expect(performance.now() - begunAt).toBeLessThan(2_000 + 1_000 * patience);
    await eventually(async () => expect((await taken()) - before).toBe(events.length), { withinMs: 10_000 });
    await readUpTo(await world.ledger.head());
    expect(await world.effects()).toHaveLength(3 * events.length);
  });
});
