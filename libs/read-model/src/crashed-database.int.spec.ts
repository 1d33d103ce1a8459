import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { migrate } from '@strongroom/database';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds } from '@strongroom/runtime';
import { PostgresServer } from '@strongroom/server-processes';
import type { DataSource } from 'typeorm';
import { openDataSource } from '../../../test/services/database.js';
import { created, writeEvent } from '../fixtures/written-events.js';
import { Views, viewTables } from './index.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });

let folder: string;
let server: PostgresServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-crashed-'));
  // The server runs as another user where root tests.
  chmodSync(folder, 0o711);
  const [directory, logFile] = [join(folder, 'data'), join(folder, 'log')];
  // What is committed without a flush stays in memory for longer than the test needs to end the server.
  server = await PostgresServer.start({ directory, logFile, password: 'spec', settings: { wal_writer_delay: '10s' } });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function connected<Result>(work: (dataSource: DataSource, views: Views) => Promise<Result>): Promise<Result> {
  const options = { url: server.url(), applicationName: 'crashed-spec', entities: viewTables };
  const dataSource = await openDataSource(options);
  try {
    return await work(dataSource, new Views(dataSource, new Ledger(dataSource)));
  } finally {
    await dataSource.destroy();
  }
}
const rowsOf = (dataSource: DataSource) =>
  Promise.all(['schedule_view', 'view_head'].map((table) => dataSource.query(`select * from ${table} order by 1`)));

it('views that a crash of the database takes back are folded again: their heads went back with them', async () => {
  const accounts = Array.from({ length: 20 }, (_, number) => `account-${number}`);
  const before = await connected(async (dataSource, views) => {
    await migrate(dataSource);
    for (const accountId of accounts) {
      const schedule = ids.next();
      await writeEvent(dataSource, accountId, 'schedule', schedule, 'ScheduleCreated', created(schedule));
    }
    await views.catchUpEach(accounts, log);
    const rows = await rowsOf(dataSource);
    await server.kill();
    return rows;
  });
  server = await server.restart();
  await connected(async (dataSource, views) => {
    const [left] = await dataSource.query(
      `select count(*)::int as rows, (select count(*)::int from view_head where position > 0) as heads from schedule_view`,
    );
    expect(left.rows).toBe(left.heads);
    await Promise.all(accounts.map((accountId) => views.catchUp(accountId)));
    expect(await rowsOf(dataSource)).toEqual(before);
  });
});
