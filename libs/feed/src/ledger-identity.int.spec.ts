import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { migrate } from '@strongroom/database';
import { createLogger } from '@strongroom/runtime';
import { PostgresServer } from '@strongroom/server-processes';
import { z } from 'zod';
import { openDataSource } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
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

it('keeps its name though only some of the roles may ask for the identifier of the server, whoever is first', async () => {
  const role = `spec_${world.ids.next().replaceAll('-', '')}`;
  await world.dataSource.query(`
    create role ${role} login password 'secret';
    grant all on all tables in schema public to ${role};
    revoke execute on function pg_control_system() from public;`);
  const url = new URL(world.databaseUrl);
  [url.username, url.password] = [role, 'secret'];
  const other = await openDataSource({ url: url.href, applicationName: 'other-role-spec' });
  try {
    const [may, mayNot] = [process, () => new LedgerIdentity(other, log)];
    for (const order of [
      [mayNot, may],
      [may, mayNot],
    ]) {
      await world.dataSource.query('delete from ledger_identity');
      const names = new Set<string>();
      for (const each of [...order, ...order]) names.add(await each().current());
      expect(names.size).toBe(1);
    }
    // The one that may look still tells another server.
    const before = await may().current();
    await world.dataSource.query(`update ledger_identity set server = '1' || server`);
    expect(await mayNot().current()).toBe(before);
    expect(await may().current()).not.toBe(before);
  } finally {
    await other.destroy();
    await world.dataSource.query(`drop owned by ${role}; drop role ${role}`);
  }
});

it('forgets names of long ago, and never the newest', async () => {
  await process().current();
  await world.dataSource.query(`
    insert into ledger_identity (server, reason, began_at)
      select 'elsewhere', 'long ago', now() - interval '1 year' from generate_series(1, 5);
    insert into ledger_identity (server, reason, began_at) values ('elsewhere', 'a week ago', now() - interval '7 days');`);
  await process().current();
  // Nobody can tell which name is the newest but by its number.
  expect(await reasons()).toEqual(['the first name', 'a week ago', 'the ledger was held by elsewhere before']);
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

it('tells the name on a standby too, and names the ledger anew when that is promoted', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-standby-'));
  let server = await PostgresServer.start({
    directory: join(directory, 'data'),
    logFile: join(directory, 'log'),
    ...{ password: 'secret', settings: { fsync: 'off' } },
  });
  const dataSource = await openDataSource({ url: server.url(), applicationName: 'standby-spec' });
  try {
    await migrate(dataSource);
    const name = await new LedgerIdentity(dataSource, log).current();
    await writeFile(join(server.dataDirectory, 'standby.signal'), '');
    server = await server.restart();
    const identity = () => new LedgerIdentity(dataSource, log);
    expect(await eventually(() => identity().current(), { withinMs: 20_000 })).toBe(name);
    await dataSource.query('select pg_promote()');
    const after = await eventually(() => identity().current(), { withinMs: 20_000 });
    expect(after).not.toBe(name);
  } finally {
    await dataSource.destroy();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);
