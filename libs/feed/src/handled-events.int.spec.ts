import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { rowsLookedAt } from '../../../test/services/rows-looked-at.js';
import { FeedWorld } from '../fixtures/feed-world.js';
import { unhandledOf } from './handled-events.js';

let world: FeedWorld;
beforeAll(async () => {
  world = await FeedWorld.create({ kind: 'embedded' });
});
afterAll(() => world.remove());

it('finds what a group has not handled, and looks at no more rows than it is asked about, while the database knows nothing of the table yet', async () => {
  const { dataSource } = world;
  await dataSource.query(
    `insert into feed_handled (consumer_group, position)
     select consumer_group, position from unnest(array['one', 'other']) consumer_group, generate_series(1, 20000) position
     where consumer_group = 'other' or position not in (19007, 19003)`,
  );
  const asked = Array.from({ length: 500 }, (_, at) => 19_500 - at);
  await dataSource.transaction(async (manager) => {
    const before = await rowsLookedAt(manager, 'feed_handled');
    expect(await unhandledOf(manager, 'one', asked)).toEqual([19_003, 19_007]);
    expect((await rowsLookedAt(manager, 'feed_handled')) - before).toBeLessThanOrEqual(asked.length);
  });
});
