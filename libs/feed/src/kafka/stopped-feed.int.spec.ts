import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithKafka } from '../../../../test/services/kafka.js';
import { FeedWorld } from '../../fixtures/feed-world.js';
import { kafkaForTests } from '../../fixtures/kafka-witness.js';

const connections = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

describeWithKafka('a feed over Kafka that is stopped', () => {
  let world: FeedWorld;
  beforeEach(async () => {
    world = await FeedWorld.create(kafkaForTests());
  });
  afterEach(() => world.remove());

  it('leaves no connection open, whenever that is', async () => {
    const first = await world.member();
    await eventually(async () => expect(await first.ready()).toBe(true), { withinMs: 60_000 });
    await first.close();
    let before = connections();
    await eventually(
      () => {
        const earlier = before;
        before = connections();
        expect(before).toBe(earlier);
      },
      { withinMs: 10_000 },
    );
    for (let ms = 0; ms < 480; ms += 40) {
      const member = await world.member();
      const openedAt = performance.now();
      await eventually(() => expect(performance.now() - openedAt).toBeGreaterThan(ms), { withinMs: 10_000 });
      await member.close();
      await eventually(() => expect(connections()).toBeLessThanOrEqual(before), { withinMs: 800 });
    }
  }, 180_000);
});
