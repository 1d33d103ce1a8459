import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getBackups, getHealthReady, getSchedules } from '@strongroom/contracts';
import { prepareDatabase } from '@strongroom/database';
import { createLogger } from '@strongroom/runtime';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { eventually } from '../../../../test/services/eventually.js';
import { describeWithPgBouncer, PgBouncer, type PoolMode } from '../../../../test/services/pgbouncer.js';
import { SpecRuntime } from '../../../../test/services/runtime-parts.js';
import { Gateway } from '../../fixtures/gateway.js';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});
afterEach(() => database.drop());

const stopping = new AbortController().signal;

/** Brings the schema up to date as a service does at its start. @returns what it has logged */
async function prepared(databaseUrl: string): Promise<string[]> {
  const runtime = await SpecRuntime.create('DFW');
  const lines: string[] = [];
  const log = createLogger({ app: 'api', level: 'info', to: { write: (line) => lines.push(line) } });
  const { config } = runtime.partsOf('scheduler', databaseUrl, ['DFW']);
  try {
    await prepareDatabase({ config, log }, stopping);
  } finally {
    await runtime.remove();
  }
  return lines;
}

describeWithPgBouncer('a PgBouncer before the ledger', () => {
  let bouncer: PgBouncer | undefined;
  const before = async (mode: PoolMode) => {
    bouncer = await PgBouncer.before(database.url, mode);
    return bouncer.url;
  };
  afterEach(() => bouncer?.stop());

  it('that gives each client a session serves as PostgreSQL itself does, and several processes start at once', async () => {
    const url = await before('session');
    await Promise.all([prepared(url), prepared(url), prepared(url)]);
    const gateway = await Gateway.open({ database: { ...database, url } });
    try {
      const instance = await gateway.register();
      const schedule = await gateway.schedule(instance);
      const backup = await gateway.backup(instance);
      expect(await gateway.ids(getSchedules)).toEqual([schedule]);
      expect(await gateway.ids(getBackups)).toEqual([backup]);
      let news = 0;
      const stop = await gateway.ledger.onAppend(() => {
        news += 1;
      });
      await eventually(() => expect(news).toBeGreaterThan(0), { withinMs: 10_000 });
      const heard = news;
      await gateway.run(backup, instance, 'failed');
      await eventually(() => expect(news).toBeGreaterThan(heard), { withinMs: 10_000 });
      await stop();
      expect((await gateway.call(getHealthReady)).status).toBe(200);
    } finally {
      await gateway.end();
    }
  });

  it.each(['transaction', 'statement'] as const)(
    'that shares sessions by %s is refused at the start, with what to do',
    async (mode) => {
      const url = await before(mode);
      await expect(prepared(url)).rejects.toMatchObject({
        code: 'sessions-shared',
        message: expect.stringMatching(new RegExp(`${mode} pooling.*pool_mode = session`)),
      });
      const opening = Gateway.open({ database: { ...database, url } });
      await expect(opening).rejects.toMatchObject({ code: 'sessions-shared' });
    },
  );
});

describe('a database whose settings let a commit be lost', () => {
  it('is reported at the start, by the name of the setting', async () => {
    // The server of the tests does not flush to the disk.
    const lines = await prepared(database.url);
    expect(lines.join('\n')).toContain('fsync or full_page_writes is off');
  });

  it('or no change be made, is reported too', async () => {
    await prepared(database.url);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`alter database ${database.name} set default_transaction_read_only = on`);
    await client.end();
    expect((await prepared(database.url)).join('\n')).toContain('default_transaction_read_only is on');
  });
});
