import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createLogger } from '@strongroom/runtime';
import { z } from 'zod';
import { FeedWorld } from '../fixtures/feed-world.js';
import { LedgerIdentity } from './ledger-identity.js';

let world: FeedWorld;
beforeEach(async () => {
  world = await FeedWorld.create({ kind: 'embedded' });
});
afterEach(() => world.remove());

const log = createLogger({ app: 'spec', level: 'silent' });
/** Another process: it has looked at nothing yet. */
const process = () => new LedgerIdentity(world.dataSource, log);
const reasons = async () =>
  z
    .array(z.object({ reason: z.string() }))
    .parse(await world.dataSource.query('select reason from ledger_identity order by n'))
    .map(({ reason }) => reason);

it('names the ledger once, and every process the same', async () => {
  const names = await Promise.all([process().current(), process().current()]);
  await world.append(world.ids.next(), 3);
  expect(new Set([...names, await process().current()]).size).toBe(1);
});

it('names the ledger anew when another server holds it, or another timeline of the server', async () => {
  const before = await process().current();
  await world.dataSource.query(`update ledger_identity set server = replace(server, '/00000001/', '/00000002/')`);
  const after = await process().current();
  expect(after).not.toBe(before);
  expect(await process().current()).toBe(after);
  expect((await reasons()).at(-1)).toMatch(/^the ledger was held by .*\/00000002\/\d+ before$/);
});

it('names the ledger anew when it ends before where it ended', async () => {
  await world.append(world.ids.next(), 3);
  let now = 0;
  const watching = new LedgerIdentity(world.dataSource, log, () => now);
  const before = await watching.current();
  await world.losesEnd(2);
  const other = process();
  expect(await other.current()).toBe(before);
  now += 1_000;
  expect(await watching.current()).not.toBe(before);
});

it('names the ledger anew once when messages show what it has lost, whatever they claim', async () => {
  const before = await process().current();
  await Promise.all([process().hasLost(before, 'Kafka has more'), process().hasLost(before, 'Kafka has more')]);
  await process().hasLost('no name of a ledger', 'a stranger says so');
  await process().hasLost(before, 'Kafka has more');
  const after = await process().current();
  expect(after).not.toBe(before);
  expect((await reasons()).filter((reason) => reason === 'a stranger says so')).toEqual([]);
});
