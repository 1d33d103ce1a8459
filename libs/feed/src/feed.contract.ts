/** What every feed promises, tested on real services. The handler has no guard against repetition: each effect is counted. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FeedConfig } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { FeedWorld } from '../fixtures/feed-world.js';
import type { HandledEvent } from '../fixtures/member.js';
import type { FeedContext } from './feed-context.js';

export function feedContract(kind: string, feed: () => FeedConfig): void {
  describe(`the ${kind} feed`, () => {
    let world: FeedWorld;
    beforeEach(async () => {
      world = await FeedWorld.create(feed());
    });
    afterEach(() => world.remove());

    const idsOf = (found: { eventId: string }[]) => found.map(({ eventId }) => eventId);
    const sorted = (ids: string[]) => [...ids].sort();

    it('brings every event once, those of an instance in the order in which they were recorded', async () => {
      const instances = Array.from({ length: 8 }, () => world.ids.next());
      const recorded = new Map<string, string[]>(instances.map((id) => [id, []]));
      const record = async (rounds: number) => {
        for (let round = 0; round < rounds; round += 1) {
          await Promise.all(
            instances.map(async (id) => void recorded.get(id)?.push(...(await world.append(id, 1 + (round % 4))))),
          );
        }
      };
      await record(8);
      await world.member();
      await record(8);

      const all = [...recorded.values()].flat();
      const found = await world.settled(all);
      expect(sorted(idsOf(found))).toEqual(sorted(all));
      for (const [id, events] of recorded) {
        expect(idsOf(found.filter(({ instanceId }) => instanceId === id))).toEqual(events);
      }
      expect(await world.deadLetters()).toEqual([]);
    });

    it('goes on after a restart where it ended', async () => {
      const instance = world.ids.next();
      const first = await world.member({ name: 'first' });
      const before = await world.append(instance, 10);
      await world.settled(before);
      await first.close();
      const meanwhile = await world.append(instance, 10);

      const handed: string[] = [];
      await world.member({ name: 'second', also: async ({ id }) => void handed.push(id) });
      const after = await world.append(instance, 1);
      expect(idsOf(await world.settled(after))).toEqual([...before, ...meanwhile, ...after]);
      expect(handed).toEqual([...meanwhile, ...after]);
    });

    it('costs nothing for what nobody handles: no topic is read for it, and no row is written', async () => {
      const instance = world.ids.next();
      await world.appendUnhandled(instance);
      await world.member();
      await world.settled(await world.append(instance, 2));
      expect(await world.dataSource.query('select topic from feed_offset')).toEqual([
        { topic: world.topic('schedule') },
      ]);
      expect(await world.dataSource.query('select count(*)::int as claimed from feed_handled')).toEqual([
        { claimed: 2 },
      ]);
    });

    it('runs the handlers of an event one after another, as they are written, and passes over what nobody handles', async () => {
      const steps: string[] = [];
      const member = await world.member({
        also: async (_, { manager }) => {
          steps.push('first begins');
          await manager.query('select pg_sleep(0.1)');
          steps.push('first ends');
        },
        second: async () => void steps.push('second'),
      });
      const instance = world.ids.next();
      await world.appendUnhandled(instance);
      await world.settled(await world.append(instance));
      await eventually(() => expect(steps).toEqual(['first begins', 'first ends', 'second']), { withinMs: 10_000 });
      await eventually(async () => expect(await world.waiting(member)).toBe(0), { withinMs: 30_000 });
      expect(await world.deadLetters()).toEqual([]);
    });

    it('hands events that come at once to the handlers of events together, each once, before the handlers of one', async () => {
      const steps: string[] = [];
      const events = await world.append(world.ids.next(), 20);
      const groups: number[] = [];
      await world.member({
        together: async (found) => {
          groups.push(found.length);
          steps.push(...found.map(({ id }) => `together ${id}`));
        },
        also: async ({ id }) => void steps.push(`alone ${id}`),
      });
      expect(idsOf(await world.settled(events))).toEqual(events);
      expect(Math.max(...groups)).toBeGreaterThan(1);
      for (const id of events) {
        const own = steps.filter((step) => step.endsWith(id));
        expect(own).toEqual([`together ${id}`, `alone ${id}`]);
      }
    });

    it('leaves nothing of a handler that lost its database half-way: the event is handled again, whole, once', async () => {
      let cut = 0;
      await world.member({
        also: async (_, { manager }) => {
          if (cut < 2) {
            cut += 1;
            await manager.query('select pg_terminate_backend(pg_backend_pid())');
          }
        },
      });
      const events = await world.append(world.ids.next(), 5);
      expect(idsOf(await world.settled(events))).toEqual(events);
      expect(cut).toBe(2);
      expect(await world.deadLetters()).toEqual([]);
    });

    it('sets aside what no attempt can handle, and goes on with what follows, even with events of the same instance', async () => {
      let poison: string | undefined;
      const tried: string[] = [];
      const member = await world.member({
        also: async ({ id }) => {
          if (id !== poison) return;
          tried.push(id);
          throw new TypeError('instance is not iterable');
        },
      });
      const [instance, other] = [world.ids.next(), world.ids.next()];
      poison = world.ids.next();
      const before = await world.append(instance, 3);
      await world.append(instance, 1, [poison]);
      const after = [...(await world.append(instance, 3)), ...(await world.append(other, 3))];

      expect(sorted(idsOf(await world.settled([...before, ...after])))).toEqual(sorted([...before, ...after]));
      expect(tried.length).toBeGreaterThanOrEqual(3);
      expect(await world.deadLetters()).toMatchObject([
        { error: 'TypeError: instance is not iterable', replayed: false, position: expect.any(Number) },
      ]);
      expect(await member.metric('strongroom_dead_letters')).toBe(1);
      expect(await member.ready()).toBe(true);
    });

    it('sets aside what it cannot read, once, and goes on', async () => {
      const instance = world.ids.next();
      const before = await world.append(instance, 2);
      await world.appendMalformed(instance);
      const after = await world.append(instance, 2);
      const first = await world.member();
      await world.settled([...before, ...after]);
      await first.close();
      await world.member();
      const more = await world.append(instance, 2);
      expect(idsOf(await world.settled(more))).toEqual([...before, ...after, ...more]);
      expect(await world.deadLetters()).toHaveLength(1);
    });

    it('passes over what a newer version has added, types, values and fields, and handles what it knows', async () => {
      const instance = world.ids.next();
      const events = await world.append(instance, 2);
      await world.appendNewer(instance);
      await world.appendNewerValue(instance);
      events.push(await world.appendWider(instance), ...(await world.append(instance, 2)));
      const handed: object[] = [];
      const member = await world.member({ also: async ({ data }) => void handed.push(data) });
      expect(idsOf(await world.settled(events))).toEqual(events);
      await eventually(async () => expect(await world.waiting(member)).toBe(0), { withinMs: 30_000 });
      expect(handed.map((data) => Object.keys(data).sort())).toEqual(
        Array.from({ length: 5 }, () => ['instanceId', 'scheduleId']),
      );
      expect(await world.deadLetters()).toEqual([]);
    });

    it('does not set aside what works at another attempt', async () => {
      let failures = 0;
      await world.member({
        also: async () => {
          if (failures >= 2) return;
          failures += 1;
          throw new Error('not yet');
        },
      });
      const events = await world.append(world.ids.next(), 3);
      expect(idsOf(await world.settled(events))).toEqual(events);
      expect(await world.deadLetters()).toEqual([]);
    });

    it('handles what was set aside when an operator asks for it, once', async () => {
      let mended = false;
      const member = await world.member({
        also: async () => {
          if (!mended) throw new Error('the cause');
        },
      });
      const [event] = await world.append(world.ids.next());
      const [letter] = await eventually(
        async () => {
          const found = await world.deadLetters();
          expect(found).toHaveLength(1);
          return found;
        },
        { withinMs: 30_000 },
      );
      expect(await world.effects()).toEqual([]);

      mended = true;
      await world.askForReplay(letter?.id);
      await eventually(async () => expect(await world.deadLetters()).toMatchObject([{ replayed: true }]), {
        withinMs: 30_000,
      });
      await world.askForReplay(letter?.id);
      await world.settled(await world.append(world.ids.next()));
      expect(idsOf(await world.effects()).filter((id) => id === event)).toHaveLength(1);
      expect(await member.metric('strongroom_dead_letters')).toBe(0);
    });

    it('waits until an outage of the database ends: nothing is lost, set aside, or done twice', async () => {
      let inTheMiddle = () => {};
      const begun = new Promise<void>((resolve) => {
        inTheMiddle = resolve;
      });
      let goOn = () => {};
      const gone = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const attempts: string[] = [];
      const member = await world.member({
        also: async ({ id }) => {
          attempts.push(id);
          inTheMiddle();
          await gone;
        },
      });
      const events = await world.append(world.ids.next(), 20);
      await begun;
      await world.database.cut();
      goOn();
      await world.refused(40);
      expect(await member.alive()).toBe(true);
      await world.database.restore();

      expect(idsOf(await world.settled(events, 45_000))).toEqual(events);
      expect(attempts.length).toBeGreaterThan(events.length);
      expect(await world.deadLetters()).toEqual([]);
      expect(sorted(idsOf(await world.settled(await world.append(world.ids.next(), 2))))).toHaveLength(22);
    });

    it('has each event handled once between two members of a group', async () => {
      await Promise.all([world.member({ name: 'one' }), world.member({ name: 'two' })]);
      const instances = Array.from({ length: 12 }, () => world.ids.next());
      const events: string[] = [];
      for (let round = 0; round < 10; round += 1) {
        events.push(...(await Promise.all(instances.map((id) => world.append(id, 2)))).flat());
      }
      await world.member({ name: 'three' });
      events.push(...(await Promise.all(instances.map((id) => world.append(id, 2)))).flat());

      const found = await world.settled(events);
      expect(sorted(idsOf(found))).toEqual(sorted(events));
      for (const id of instances) {
        const positions = found.filter(({ instanceId }) => instanceId === id).map(({ position }) => position);
        expect(positions).toEqual([...positions].sort((a, b) => a - b));
      }
    });

    it('takes over from a member that was killed in the middle of an event: it has its effect once', async () => {
      const killed = await world.stuckMember('killed');
      const events = await world.append(world.ids.next(), 3);
      await killed.inTheMiddle();
      await world.member({ name: 'heir' });
      await killed.kill();
      const found = await world.settled(events, 45_000);
      expect(idsOf(found)).toEqual(events);
      expect(new Set(found.map(({ member }) => member))).toEqual(new Set(['heir']));
    }, 90_000);

    it('finds again what its offset was moved past, handles it once, and counts it until then', async () => {
      const instance = world.ids.next();
      const first = await world.member();
      const before = await world.append(instance, 3);
      await world.settled(before);
      await first.close();
      await world.member({ handles: false });
      const lost = await world.append(instance, 3);
      await world.losesWhatIsRecorded();
      const member = await world.member({ feedTakesMs: 2_000 });
      const unhandled = () => member.metric('strongroom_unhandled_events', '{type="ScheduleDeleted"}');
      await eventually(async () => expect(await unhandled()).toBe(3), { withinMs: 10_000 });
      await eventually(async () => expect(await world.waiting(member)).toBe(0), { withinMs: 10_000 });
      const after = await world.append(instance, 2);

      const found = await world.settled([...lost, ...after], 60_000);
      expect(sorted(idsOf(found))).toEqual(sorted([...before, ...lost, ...after]));
      await eventually(async () => expect(await unhandled()).toBe(0), { withinMs: 10_000 });
      const handled = '{type="ScheduleDeleted",outcome="handled"}';
      expect(await member.metric('strongroom_lost_messages_total', handled)).toBe(3);
    });

    it('goes on though its offsets were moved beyond the end of the ledger', async () => {
      const instance = world.ids.next();
      const first = await world.member();
      const before = await world.append(instance, 2);
      await world.settled(before);
      await first.close();
      await world.losesWhatIsRecorded(1_000_000);
      await world.member({ feedTakesMs: 1_000 });
      const after = await world.append(instance, 3);
      expect(sorted(idsOf(await world.settled(after)))).toEqual(sorted([...before, ...after]));
      const more = await world.append(instance, 3);
      expect(sorted(idsOf(await world.settled(more)))).toEqual(sorted([...before, ...after, ...more]));
    });

    it('handles again what its database has lost together with its offset, though its member is alive', async () => {
      const instance = world.ids.next();
      const member = await world.member();
      const events = await world.append(instance, 10);
      await world.settled(events);
      await world.losesLastCommits(5);
      const [more] = await world.append(instance);
      expect(sorted(idsOf(await world.settled([...events, more ?? ''], 60_000)))).toEqual(
        sorted([...events, more ?? '']),
      );
      expect(await member.alive()).toBe(true);
    });

    it('tries once more what was set aside, and its letter is done when that helps', async () => {
      let isMended = false;
      await world.member({
        feedTakesMs: 3_000,
        also: () => (isMended ? Promise.resolve() : Promise.reject(new TypeError('not yet'))),
      });
      const instance = world.ids.next();
      const events = await world.append(instance);
      await eventually(async () => expect(await world.deadLetters()).toHaveLength(1), { withinMs: 30_000 });
      isMended = true;
      await world.appendMalformed(instance);
      events.push(...(await world.append(instance)));
      expect(sorted(idsOf(await world.settled(events)))).toEqual(sorted(events));
      await eventually(
        async () => expect((await world.deadLetters()).map(({ replayed }) => replayed)).toEqual([true, false]),
        { withinMs: 30_000 },
      );
    });

    it('finishes what it has in hand when it is told to stop', async () => {
      let begin = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const member = await world.member({
        also: async (_: HandledEvent, { manager }: FeedContext) => {
          begin();
          await manager.query('select pg_sleep(0.5)');
        },
      });
      const [event] = await world.append(world.ids.next());
      await begun;
      await member.close();
      expect(idsOf(await world.effects())).toEqual([event]);
      await eventually(async () => expect(await world.connections('strongroom-')).toBe(0), { withinMs: 10_000 });
    });

    it('leaves the events to others in an app without handlers', async () => {
      await world.member({ name: 'api', handles: false });
      const events = await world.append(world.ids.next(), 3);
      const rows: unknown = await world.dataSource.query('select * from feed_offset');
      expect(rows).toEqual([]);
      await world.member();
      await world.settled(events);
    });

    it('tells what it has done, and what waits', async () => {
      let goOn = () => {};
      const gate = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const member = await world.member({ also: () => gate });
      const events = await world.append(world.ids.next(), 4);
      await eventually(async () => expect(await world.waiting(member)).toBe(4), { withinMs: 20_000 });
      goOn();
      await world.settled(events);
      await eventually(async () => expect(await world.waiting(member)).toBe(0), { withinMs: 20_000 });
      const labels = `{topic="${world.topic('schedule')}"`;
      expect(await member.metric('strongroom_feed_events_total', `${labels},outcome="handled"}`)).toBe(4);
      expect(await member.metric('strongroom_feed_delay_seconds_count', `${labels}}`)).toBe(4);
    });
  });
}
