import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { FeedWorld } from '../fixtures/feed-world.js';
import { feedOffsets, movingPartitions } from './feed-offsets.js';

let world: FeedWorld;
beforeEach(async () => {
  world = await FeedWorld.create({ kind: 'embedded' });
});
afterEach(() => world.remove());

it('a partition moves with its events alone: messages of strangers, however many, do not have an event wait for its consumer', async () => {
  const { dataSource } = world;
  const key = { group: 'group', source: 'kafka:cluster', topic: 'topic', partition: 2 };
  const moveTo = (offset: bigint, position: number) =>
    dataSource.transaction(async (manager) => {
      await feedOffsets.lock(manager, [key]);
      await feedOffsets.move(manager, [{ key, handled: { offset, position } }]);
    });
  await moveTo(5n, 1);
  await dataSource.query(`update feed_offset set moved_at = now() - interval '1 minute'`);
  await moveTo(900n, 1);
  expect(await movingPartitions(dataSource, 'group')).toEqual([]);
  await moveTo(901n, 2);
  expect(await movingPartitions(dataSource, 'group')).toMatchObject([{ topic: 'topic', partition: 2 }]);
});
