import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { RecordedEvent } from '@strongroom/contracts';
import { createLogger, Metrics } from '@strongroom/runtime';
import { FeedWorld } from '../fixtures/feed-world.js';
import { DeadLetters } from './dead-letters.js';
import type { FeedContext } from './feed-context.js';
import { Handlers } from './handlers.js';
import { SecondLook } from './second-look.js';

const minuteMs = 60_000;

let world: FeedWorld;
beforeAll(async () => {
  world = await FeedWorld.create({ kind: 'embedded' });
});
afterAll(() => world.remove());

/** A second look with a clock that is turned by hand, and without a feed that handles anything. */
function secondLookOf(group: string) {
  const { dataSource, ledger, ids } = world;
  const log = createLogger({ app: 'spec', level: 'silent' });
  const clock = { ms: 0 };
  const handled: string[] = [];
  const handlers = new Handlers();
  handlers.add(
    'ScheduleDeleted',
    Object.assign(async ({ id }: RecordedEvent, _: FeedContext) => void handled.push(id), { isEventHandler: true }),
  );
  const deadLetters = new DeadLetters(dataSource, group, ids, log);
  const parts = { dataSource, ledger, log, metrics: new Metrics(), group, handlers, deadLetters };
  return { clock, handled, secondLook: new SecondLook({ ...parts, elapsedMs: () => clock.ms }) };
}

it('goes by how long an event has been there, no matter what the clock of the ledger says', async () => {
  const { clock, handled, secondLook } = secondLookOf('patient');
  const [first] = await world.append(world.ids.next());
  await secondLook.handleMissed();
  clock.ms += 3 * minuteMs;
  const [second] = await world.append(world.ids.next());
  await secondLook.handleMissed();
  expect(handled).toEqual([]);
  clock.ms += 2 * minuteMs;
  await secondLook.handleMissed();
  expect(handled).toEqual([first]);
  clock.ms += 3 * minuteMs;
  await secondLook.handleMissed();
  await secondLook.handleMissed();
  expect(handled).toEqual([first, second]);
});

it('looks at what comes after the ledger has lost its end, even on a standby that took over', async () => {
  const { clock, handled, secondLook } = secondLookOf('taken over');
  const kept = await world.append(world.ids.next());
  await secondLook.handleMissed();
  const head = await world.ledger.head();
  clock.ms += minuteMs;
  await world.append(world.ids.next(), 100);
  await secondLook.handleMissed();
  await world.dataSource.query('alter table ledger_event disable trigger user');
  await world.dataSource.query('delete from ledger_event where position > $1', [head]);
  await world.dataSource.query('alter table ledger_event enable trigger user');
  await world.dataSource.query(`select setval(pg_get_serial_sequence('ledger_event', 'position'), $1)`, [head]);
  for (let minute = 0; minute < 6; minute += 1) {
    clock.ms += minuteMs;
    await secondLook.handleMissed();
  }
  const after = await world.append(world.ids.next(), 3);
  await secondLook.handleMissed();
  clock.ms += 5 * minuteMs;
  await secondLook.handleMissed();
  expect(handled).toEqual(expect.arrayContaining([...kept, ...after]));
});

it('takes back an offset beyond the end of the ledger, to what was handled last', async () => {
  const { secondLook } = secondLookOf('beyond');
  await world.append(world.ids.next(), 3);
  const head = await world.ledger.head();
  const places = [
    { topic: 'offset', offset: 1_000_000_000, position: head - 1 },
    { topic: 'position', offset: head, position: 1_000_000_000 },
    { topic: 'both', offset: 1_000_000_000, position: 1_000_000_000 },
    { topic: 'neither', offset: head, position: head - 2 },
  ];
  for (const { topic, offset, position } of places) {
    await world.dataSource.query(
      `insert into feed_offset (consumer_group, source, topic, partition, "offset", position)
       values ('beyond', 'ledger', $1, 0, $2, $3)`,
      [topic, offset, position],
    );
  }
  await secondLook.handleMissed();
  const found: unknown = await world.dataSource.query(
    `select topic, "offset"::int, position::int from feed_offset where consumer_group = 'beyond' order by topic`,
  );
  expect(found).toEqual([
    { topic: 'both', offset: head, position: head },
    { topic: 'neither', offset: head, position: head - 2 },
    { topic: 'offset', offset: head - 1, position: head - 1 },
    { topic: 'position', offset: head, position: head },
  ]);
});

it('asks as often about a long history as about a short one', async () => {
  let statements = 0;
  const { logger } = world.dataSource;
  const counting = {
    ...logger,
    logQuery: () => {
      statements += 1;
    },
  };
  const costOf = async (group: string, events: number) => {
    const { clock, handled, secondLook } = secondLookOf(group);
    await world.append(world.ids.next(), events);
    await secondLook.handleMissed();
    clock.ms += 5 * minuteMs;
    while ((await secondLook.handleMissed()) === 'again');
    // Everything before is passed now, and one event is new.
    const before = handled.length;
    await world.append(world.ids.next());
    await secondLook.handleMissed();
    clock.ms += 5 * minuteMs;
    statements = 0;
    await secondLook.handleMissed();
    expect(handled.length).toBe(before + 1);
    return statements;
  };
  world.dataSource.setOptions({ logging: ['query'], logger: counting });
  try {
    const short = await costOf('short', 10);
    expect(short).toBeGreaterThan(0);
    expect(await costOf('long', 6_000)).toBe(short);
  } finally {
    world.dataSource.setOptions({ logging: false, logger });
  }
});
