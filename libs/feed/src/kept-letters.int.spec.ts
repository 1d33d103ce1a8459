import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { FeedWorld } from '../fixtures/feed-world.js';
import { KeptLetters } from './kept-letters.js';

describe('the letters that a deployment keeps', () => {
  let world: FeedWorld;
  let letters: KeptLetters;
  beforeEach(async () => {
    world = await FeedWorld.create({ kind: 'embedded' });
    letters = new KeptLetters(world.dataSource);
  });
  afterEach(() => world.remove());

  it('are shown with their error, and replayed once when somebody asks; one that fails again is marked no more', async () => {
    let isMended = false;
    await world.member({
      also: async () => {
        if (!isMended) throw new Error('the cause');
      },
    });
    const waiting = () => letters.list({ withReplayed: false, limit: 10 });
    expect(await waiting()).toEqual([]);
    const [event] = await world.append(world.ids.next());
    await eventually(async () => expect(await waiting()).toHaveLength(1), { withinMs: 30_000 });
    const [letter] = await waiting();
    const id = letter?.id ?? '';
    expect(await letters.find(id)).toMatchObject({ error: 'Error: the cause', message: { value: { id: event } } });

    expect(await letters.askReplay([id, world.ids.next()])).toEqual([id]);
    await eventually(
      async () => expect(await letters.find(id)).toMatchObject({ replayAskedAt: null, replayedAt: null }),
      {
        withinMs: 30_000,
      },
    );
    expect(await world.effects()).toEqual([]);

    isMended = true;
    expect(await letters.askReplay([id])).toEqual([id]);
    await eventually(async () => expect(await waiting()).toEqual([]), { withinMs: 30_000 });
    expect((await world.effects()).map(({ eventId }) => eventId)).toEqual([event]);
    expect(await letters.list({ withReplayed: true, limit: 10 })).toMatchObject([{ id }]);
    expect(await letters.askReplay([id])).toEqual([]);
  }, 120_000);
});
