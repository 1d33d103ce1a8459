import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { FeedWorld } from '../fixtures/feed-world.js';
import { DeadLetters } from './dead-letters.js';
import { Handlers } from './handlers.js';

let world: FeedWorld;
let letters: DeadLetters;
beforeEach(async () => {
  world = await FeedWorld.create({ kind: 'embedded' });
  const log = createLogger({ app: 'spec', level: 'silent' });
  letters = new DeadLetters(world.dataSource, `${world.namespace}.replicator`, world.ids, log);
});
afterEach(() => world.remove());

it('replays a letter though another one that was asked for is of no known form', async () => {
  const instanceId = world.ids.next();
  const [id = ''] = await world.append(instanceId);
  const spoiled = await world.leaveLetterOf({ id: world.ids.next(), instanceId, position: 1_000 });
  await world.dataSource.query(`update dead_letter set message = '"spoiled by hand"', source = 'spoiled'`);
  const letter = await world.leaveLetterOf({ id, instanceId, position: await world.ledger.head() });
  await world.askForReplay(spoiled);
  await world.askForReplay(letter);
  await letters.replayAsked(new Handlers(), world.ledger);
  const rows: unknown = await world.dataSource.query(
    'select id, replayed_at is not null as replayed, replay_asked_at is not null as asked from dead_letter order by replayed',
  );
  expect(rows).toEqual([
    { id: spoiled, replayed: false, asked: false },
    { id: letter, replayed: true, asked: true },
  ]);
});

it.each([0, 1])('keeps a message that is too large for a row, wherever it is cut (%i)', async (shift) => {
  const value = `${'x'.repeat(shift)}${'😀'.repeat(8_100_000)}`;
  const message = { topic: 'topic', partition: 0, offset: BigInt(shift), position: undefined, value, headers: {} };
  const key = { group: 'group', source: 'source', topic: 'topic', partition: 0 };
  await world.dataSource.transaction((manager) => letters.setAside(manager, key, message, new Error('the cause')));
  expect(await world.deadLetters()).toMatchObject([{ message: { value: expect.stringContaining('😀') } }]);
});

it('forgets letters that were replayed long ago, some at a time, and no other', async () => {
  await world.dataSource.query(
    `insert into dead_letter (id, consumer_group, source, topic, partition, "offset", message, error, set_aside_at, replayed_at)
     select gen_random_uuid(), $1, 'source', case when n > 1500 then 'kept' else 'old' end, 0, n, '{}', 'the cause',
       now() - interval '1 year',
       case n when 1501 then null when 1502 then now() - interval '6 days' else now() - interval '1 year' end
     from generate_series(1, 1502) as n`,
    [`${world.namespace}.replicator`],
  );
  for (let pass = 0; pass < 2; pass += 1) await letters.forgetReplayed();
  const left: unknown = await world.dataSource.query('select topic from dead_letter');
  expect(left).toEqual([{ topic: 'kept' }, { topic: 'kept' }]);
});
