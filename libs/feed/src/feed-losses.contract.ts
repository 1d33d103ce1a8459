/** What every feed promises when its database loses commits, or when letters are replayed, tested on real services. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FeedConfig } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { FeedWorld } from '../fixtures/feed-world.js';

export function feedLossesContract(kind: string, feed: () => FeedConfig): void {
  describe(`the ${kind} feed, after a loss`, () => {
    let world: FeedWorld;
    beforeEach(async () => {
      world = await FeedWorld.create(feed());
    });
    afterEach(() => world.remove());

    const idsOf = (found: { eventId: string }[]) => found.map(({ eventId }) => eventId);
    const sorted = (ids: string[]) => [...ids].sort();

    it('goes back as often as its database loses what was handled, to the same place too', async () => {
      const instance = world.ids.next();
      await world.member();
      const events = await world.append(instance, 6);
      await world.settled(events);
      for (let round = 0; round < 3; round += 1) {
        await world.losesLastCommits(events.length - 4);
        events.push(...(await world.append(instance)));
        expect(sorted(idsOf(await world.settled(events, 60_000)))).toEqual(sorted(events));
      }
    }, 120_000);

    it('replays no letter whose event the ledger does not have, and says so', async () => {
      await world.member();
      const [before] = await world.settled(await world.append(world.ids.next()));
      const ghost = { id: world.ids.next(), instanceId: world.ids.next(), position: before?.position ?? 0 };
      const letter = await world.leaveLetterOf(ghost);
      await world.askForReplay(letter);
      await eventually(async () => expect(await world.isReplayAsked(letter)).toBe(false), { withinMs: 30_000 });
      expect(await world.deadLetters()).toMatchObject([{ replayed: false }]);
      expect(idsOf(await world.effects())).not.toContain(ghost.id);
    });

    it('handles once what an operator has replayed before the second look comes', async () => {
      let isMended = false;
      const member = await world.member({
        feedTakesMs: 12_000,
        also: () => (isMended ? Promise.resolve() : Promise.reject(new TypeError('not yet'))),
      });
      const [event] = await world.append(world.ids.next());
      await eventually(async () => expect(await world.deadLetters()).toHaveLength(1), { withinMs: 30_000 });
      isMended = true;
      await world.askForReplay((await world.deadLetters())[0]?.id);
      await world.settled([event ?? '']);
      await eventually(
        async () => expect(await member.metric('strongroom_unhandled_events', '{type="ScheduleDeleted"}')).toBe(0),
        { withinMs: 60_000 },
      );
      const looked = () => world.secondLookAt();
      const head = await world.ledger.head();
      await eventually(async () => expect(await looked()).toBe(head), { withinMs: 60_000 });
      expect(idsOf(await world.effects())).toEqual([event]);
    }, 120_000);

    it('sets aside an event of which not even the time can be read, and brings those beside it', async () => {
      const instance = world.ids.next();
      const events = await world.append(instance, 2);
      await world.appendTimeless(instance);
      events.push(...(await world.append(instance, 2)));
      await world.member();
      expect(idsOf(await world.settled(events))).toEqual(events);
      expect(await world.deadLetters()).toHaveLength(1);
    });

    it('counts what only a newer version knows', async () => {
      const member = await world.member();
      const instance = world.ids.next();
      await world.appendNewer(instance);
      await world.settled(await world.append(instance));
      const newer = `{topic="${world.topic('schedule')}",outcome="newer"}`;
      await eventually(async () => expect(await member.metric('strongroom_feed_events_total', newer)).toBe(1), {
        withinMs: 10_000,
      });
    });
  });
}
