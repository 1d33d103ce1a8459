import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { requested, writeEvent } from '../fixtures/written-events.js';
import { RestoreTests, Views, viewTables } from './index.js';

const ids = new RandomIds();
const sha256 = 'a'.repeat(64);
const log = createLogger({ app: 'spec', level: 'error' });

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'changed-rows-spec',
    entities: viewTables,
  }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** What may happen to a backup, in an order in which it may. */
function historyOf(backupId: string): [type: string, data: object][] {
  const soon = '2026-11-27T10:00:00.000Z';
  const trouble = { code: 'unreachable', reason: 'no answer' };
  const sizes = { sizeBytes: 5_000_000_000, rawBytes: 9_000_000_000, sha256 };
  const owner = { backupId, instanceId: ids.next(), scheduleId: null };
  const begun = (attempt: number, region: string) => ({ backupId, attempt, region, runner: 'spec' });
  return [
    ['BackupRequested', requested(backupId)],
    ['BackupStarted', begun(1, 'DFW')],
    ['BackupDelayed', { ...owner, delayMs: 5, ground: 'busy', reason: 'late' }],
    ['BackupAttemptFailed', { ...owner, attempt: 1, ...trouble, retryAt: soon, retryUntil: soon }],
    ['BackupStarted', begun(2, 'ORD')],
    ['BackupEncrypted', { ...owner, encryptedFor: ['office safe'] }],
    ['BackupVersionFound', { ...owner, datastore: { type: 'postgresql', version: '17' } }],
    [
      'BackupCompleted',
      {
        ...{ ...owner, attempt: 2, type: 'full', parentId: null, region: 'ORD' },
        ...{ location: `backups/${backupId}`, ...sizes, copyTo: [], startedAt: soon },
      },
    ],
    ['BackupHeld', { ...owner, reason: 'an audit' }],
    ['BackupHoldLifted', owner],
    ['RestoreTested', { ...owner, region: 'DFW', seconds: 2, proof: 'tables-read' }],
    ['RestoreTestFailed', { ...owner, region: 'IAD', seconds: 2, ...trouble }],
    ['RestoreTested', { ...owner, region: 'DFW', seconds: 1, proof: 'tables-read' }],
  ];
}

const columns = "to_jsonb(b) - array['id', 'account_id', 'instance_id', 'location', 'position']";
/** The rows without what differs from one backup to the other. The times are told by the events that they come from. */
async function rowsOf(accountIds: readonly string[]): Promise<unknown[]> {
  const rows: { row: Record<string, unknown> }[] = await dataSource.query(
    `select ${columns} as row from backup_view b where account_id = any($1) order by array_position($1, account_id)`,
    [accountIds],
  );
  return rows.map(({ row }) =>
    Object.fromEntries(Object.entries(row).map(([name, each]) => [name, withoutTimes(name, each)])),
  );
}
function withoutTimes(name: string, value: unknown): unknown {
  if (name.endsWith('_at') && name !== 'retry_at') return value === null ? null : 'a time';
  return JSON.parse(JSON.stringify(value).replaceAll(/"at":\s*"[^"]*"/g, '"at":"a time"'));
}

it('a row is the same in whatever pieces its events come, and whoever folds them', async () => {
  const accounts = ['at-once', 'one-by-one', 'by-twos', 'by-threes'].map((name) => `${name}-${ids.next()}`);
  const backups = accounts.map(() => ids.next());
  const [views, other] = [new Views(dataSource, new Ledger(dataSource)), new Views(dataSource, new Ledger(dataSource))];
  const length = historyOf('').length;
  for (let step = 0; step < length; step += 1) {
    for (const [number, accountId] of accounts.entries()) {
      const backupId = backups[number] ?? '';
      const [type, data] = historyOf(backupId)[step] ?? ['', {}];
      await writeEvent(dataSource, accountId, 'backup', backupId, type, data);
      if (number > 0 && step % number === 0) await (step % 2 === 0 ? views : other).catchUp(accountId);
    }
  }
  await views.catchUpEach(accounts, log);
  const [first, ...rest] = await rowsOf(accounts);
  expect(first).toMatchObject({
    status: 'COMPLETED',
    attempt: 2,
    version: length,
    hold: null,
    size_bytes: 5_000_000_000,
  });
  for (const each of rest) expect(each).toEqual(first);
  const tests = await new RestoreTests(dataSource).ofBackups(backups);
  const ofEach = backups.map((id) => tests.get(id)?.map(({ test }) => [test.region, test.seconds, test.fault]));
  for (const each of ofEach)
    expect(each).toEqual([
      ['DFW', 1, null],
      ['IAD', 2, expect.anything()],
    ]);
  expect(await dataSource.query('select id, reason from set_aside')).toEqual([]);
});

it('an event that only changes fields is written without a look at the row, and brings back none that is gone', async () => {
  const [accountId, backupId, gone] = [`account-${ids.next()}`, ids.next(), ids.next()];
  const views = new Views(dataSource, new Ledger(dataSource));
  for (const id of [backupId, gone])
    await writeEvent(dataSource, accountId, 'backup', id, 'BackupRequested', requested(id));
  await views.catchUp(accountId);
  await dataSource.query('delete from backup_view where id = $1', [gone]);
  for (const id of [backupId, gone]) {
    await writeEvent(dataSource, accountId, 'backup', id, 'BackupStarted', {
      backupId: id,
      attempt: 1,
      region: 'DFW',
      runner: 'spec',
    });
  }
  const statements: string[] = [];
  dataSource.logger.logQuery = (statement) => void statements.push(statement);
  await views.catchUp(accountId);
  dataSource.logger.logQuery = () => {};
  expect(statements.filter((each) => /from backup_view/.test(each))).toEqual([]);
  expect(statements.filter((each) => each.startsWith('update backup_view'))).toHaveLength(1);
  expect(
    await dataSource.query('select id, status, attempt from backup_view where account_id = $1', [accountId]),
  ).toEqual([{ id: backupId, status: 'BUILDING', attempt: 1 }]);
});

it('rows are changed by their ids, though no statistics tell that there are many', async () => {
  const [crowd, accountId, backupId] = [`crowd-${ids.next()}`, `account-${ids.next()}`, ids.next()];
  const views = new Views(dataSource, new Ledger(dataSource));
  await writeEvent(dataSource, accountId, 'backup', backupId, 'BackupRequested', requested(backupId));
  await views.catchUp(accountId);
  await dataSource.query('alter table backup_view set (autovacuum_enabled = off)');
  await dataSource.query(
    `insert into backup_view select (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(), 'account_id', $2::text))).*
     from backup_view b, generate_series(1, 3000) where id = $1`,
    [backupId, crowd],
  );
  const scans = async () => {
    await dataSource.query('select pg_stat_force_next_flush()');
    const rows: { read: string }[] = await dataSource.query(
      `select seq_tup_read::text as read from pg_stat_user_tables where relname = 'backup_view'`,
    );
    return Number(rows[0]?.read);
  };
  const single = await openDataSource({
    ...{ url: database.url, applicationName: 'one-session', entities: viewTables, poolSize: 1 },
  });
  try {
    const folding = new Views(single, new Ledger(single));
    const before = await scans();
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      await writeEvent(dataSource, accountId, 'backup', backupId, 'BackupStarted', {
        backupId,
        attempt,
        region: 'DFW',
        runner: 'spec',
      });
      await folding.catchUp(accountId);
    }
    await single.query('select pg_stat_force_next_flush()');
    expect((await scans()) - before).toBe(0);
  } finally {
    await single.destroy();
  }
});

it('a rebuild leaves a row that is right as it is, and writes one that is wrong', async () => {
  const [accountId, right, wrong] = [`account-${ids.next()}`, ids.next(), ids.next()];
  const views = new Views(dataSource, new Ledger(dataSource));
  for (const id of [right, wrong]) {
    for (const [type, data] of historyOf(id)) await writeEvent(dataSource, accountId, 'backup', id, type, data);
  }
  await views.catchUp(accountId);
  await dataSource.query(`update backup_view set facts = '{"odd": 1}' where id = $1`, [wrong]);
  const placeOf = async (id: string): Promise<unknown> =>
    (await dataSource.query('select xmin::text, facts from backup_view where id = $1', [id]))[0];
  const before = await placeOf(right);
  await views.rebuild();
  expect(await placeOf(right)).toEqual(before);
  expect(await placeOf(wrong)).toMatchObject({ facts: null });
});
