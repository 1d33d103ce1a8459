import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { created, registered, requested, writeEvent } from '../fixtures/written-events.js';
import { Backups, Instances, type RebuildProgress, Schedules, Views, viewTables } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const views = [
  ...['instance_view', 'schedule_view', 'backup_view', 'run_view', 'restore_test_view', 'copy_view', 'webhook_view'],
  'view_head',
];

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
const lines: string[] = [];
const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void lines.push(line) } });
const open = (applicationName: string) => openDataSource({ url: database.url, applicationName, entities: viewTables });
beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await open('many-accounts-spec');
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** Notes the statements of a data source from now on. */
function statementsOf(source: DataSource): string[] {
  const noted: string[] = [];
  source.logger.logQuery = (statement) => void noted.push(statement);
  return noted;
}
const newAccounts = (count: number) => Array.from({ length: count }, () => `account-${ids.next()}`);

const start = (accountId: string, backupId: string, attempt = 1) =>
  writeEvent(dataSource, accountId, 'backup', backupId, 'BackupStarted', {
    backupId,
    attempt,
    region: 'DFW',
    runner: 'spec',
  });

/** Each of the accounts has a schedule and a backup, whose events lie between those of the others. */
async function someHistory(accountIds: readonly string[]): Promise<Map<string, { schedule: string; backup: string }>> {
  const made = new Map(accountIds.map((id) => [id, { schedule: ids.next(), backup: ids.next() }]));
  const each = (write: (accountId: string, own: { schedule: string; backup: string }) => Promise<void>) =>
    Promise.all([...made].map((entry) => write(...entry)));
  await each((id, { schedule }) =>
    writeEvent(dataSource, id, 'schedule', schedule, 'ScheduleCreated', created(schedule)),
  );
  await each((id, { backup }) => writeEvent(dataSource, id, 'backup', backup, 'BackupRequested', requested(backup)));
  await each((id, { backup }) => start(id, backup));
  return made;
}

/** What the views show of an account. */
async function shownOf(accountId: string, { schedule, backup }: { schedule: string; backup: string }) {
  const [hour, status] = await Promise.all([
    new Schedules(dataSource).find(accountId, schedule),
    new Backups(dataSource).find(accountId, backup),
  ]);
  return `${hour?.hour} ${status?.status}`;
}
const asideOf = (accountIds: readonly string[]) =>
  dataSource.query('select kind, id from set_aside where account_id = any($1) order by kind, id', [accountIds]);
const everyRow = () => Promise.all(views.map((view) => dataSource.query(`select * from ${view} order by 1`)));

describe('the views of many accounts that have news at once', () => {
  it('are folded together: a few transactions, and in each one statement a view', async () => {
    const accounts = newAccounts(100);
    const made = await someHistory(accounts);
    const folding = await open('together');
    try {
      const statements = statementsOf(folding);
      await new Views(folding, new Ledger(folding)).catchUpEach(accounts, log);
      for (const [id, own] of made) expect(await shownOf(id, own)).toBe('14 BUILDING');
      // Some transactions find that there are no heads yet, and each of the lanes may fold parts of the accounts.
      expect(statements.filter((each) => each.startsWith('START')).length).toBeLessThanOrEqual(12);
      expect(statements.filter((each) => each.startsWith('insert into backup_view')).length).toBeLessThanOrEqual(6);
      expect(statements.length).toBeLessThanOrEqual(60);
    } finally {
      await folding.destroy();
    }
  });

  it('lack only the stream that can not be folded, which is set aside alone', async () => {
    const accounts = newAccounts(20);
    const made = await someHistory(accounts);
    const [first = '', second = ''] = accounts;
    const [failing, unreadable] = [made.get(first)?.backup ?? '', made.get(second)?.schedule ?? ''];
    await writeEvent(dataSource, second, 'schedule', unreadable, 'ScheduleUpdated', {
      ...created(unreadable),
      hour: 'noon',
    });
    await dataSource.query(`alter table backup_view add constraint failing check (id <> '${failing}') not valid`);
    try {
      await new Views(dataSource, ledger).catchUpEach(accounts, log);
    } finally {
      await dataSource.query('alter table backup_view drop constraint failing');
    }
    const shown = new Map(await Promise.all([...made].map(async ([id, own]) => [id, await shownOf(id, own)] as const)));
    expect(shown.get(first)).toBe('14 undefined');
    shown.delete(first);
    expect(new Set(shown.values())).toEqual(new Set(['14 BUILDING']));
    expect(await asideOf(accounts)).toEqual([
      { kind: 'stream', id: streamOf('backup', failing) },
      { kind: 'stream', id: streamOf('schedule', unreadable) },
    ]);
  });

  it('are folded by two processes that begin at other ends, and neither waits for the other in a circle', async () => {
    const accounts = newAccounts(60);
    const made = await someHistory(accounts);
    const other = await open('other-end');
    lines.length = 0;
    try {
      const processes = [new Views(dataSource, ledger), new Views(other, new Ledger(other))];
      for (let round = 0; round < 5; round += 1) {
        await Promise.all([...made].map(([id, { backup }]) => start(id, backup, round + 2)));
        const orders = [accounts, accounts.toReversed()];
        await Promise.all(processes.map((each, at) => each.catchUpEach(orders[at] ?? [], log)));
      }
    } finally {
      await other.destroy();
    }
    for (const [id, { backup }] of made) {
      expect(await new Backups(dataSource).find(id, backup)).toMatchObject({ attempt: 6, version: 7 });
    }
    expect(lines).toEqual([]);
    expect(await asideOf(accounts)).toEqual([]);
  });

  it('show every character of a text as it was recorded, beside those of others', async () => {
    const accounts = newAccounts(3);
    const odd = ['NULL', `"quoted", {braced}, \\back\\\\slash\n`, "',\t🧂 ünd '' --"];
    const made = accounts.map((accountId, at) => ({ accountId, id: ids.next(), text: odd[at] ?? '' }));
    for (const { accountId, id, text } of made) {
      const { endpoint, ...rest } = registered(id, text);
      await writeEvent(dataSource, accountId, 'instance', id, 'InstanceRegistered', {
        ...rest,
        endpoint: { ...endpoint, host: text },
      });
    }
    await new Views(dataSource, ledger).catchUpEach(accounts, log);
    for (const { accountId, id, text } of made) {
      expect(await new Instances(dataSource).find(accountId, id)).toMatchObject({
        name: text,
        endpoint: { host: text },
      });
    }
  });

  it('come in bounded pieces, and an account with very many events keeps none of the others waiting', async () => {
    const [large = '', ...small] = newAccounts(11);
    await dataSource.query(
      `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
       select gen_random_uuid(), 'schedule-' || id, 1, 'schedule', 'ScheduleCreated', $1, id, now(), $2::jsonb || jsonb_build_object('scheduleId', id), $3
       from (select gen_random_uuid() as id from generate_series(1, 1300)) made`,
      [large, JSON.stringify(created(ids.next())), context],
    );
    const made = await someHistory(small);
    const folds = new Views(dataSource, ledger);
    const order: string[] = [];
    await Promise.all([large, ...small].map(async (id) => folds.catchUp(id).then(() => order.push(id))));
    expect(order.at(-1)).toBe(large);
    for (const [id, own] of made) expect(await shownOf(id, own)).toBe('14 BUILDING');
    const [{ count }] = await dataSource.query('select count(*)::int from schedule_view where account_id = $1', [
      large,
    ]);
    expect(count).toBe(1_300);
  });
});

describe('requests of one account', () => {
  it('share looks and folds, and each sees its own append', async () => {
    const [accountId = ''] = newAccounts(1);
    const reading = await open('requests');
    try {
      const shared = new Views(reading, new Ledger(reading));
      const request = async () => {
        const instanceId = ids.next();
        const stream = streamOf('instance', instanceId);
        const events = [{ id: ids.next(), type: 'InstanceRegistered' as const, data: registered(instanceId) }];
        const append = { stream, expectedVersion: 0, accountId, instanceId, context, events, claims: [], releases: [] };
        await ledger.append(append);
        await shared.catchUp(accountId);
        return new Instances(dataSource).find(accountId, instanceId);
      };
      await request();
      const statements = statementsOf(reading);
      const found = await Promise.all(Array.from({ length: 64 }, request));
      expect(found.filter((row) => row === undefined)).toEqual([]);
      // Each would look by itself, and fold in a transaction of its own.
      expect(statements.filter((each) => each.includes('ledger_newest_of')).length).toBeLessThan(32);
      expect(statements.filter((each) => each.startsWith('START')).length).toBeLessThan(16);
    } finally {
      await reading.destroy();
    }
  });

  it('that find nothing new share one look, and take no lock', async () => {
    const [accountId = ''] = newAccounts(1);
    await someHistory([accountId]);
    const shared = new Views(dataSource, ledger);
    await shared.catchUp(accountId);
    const statements = statementsOf(dataSource);
    await Promise.all(Array.from({ length: 64 }, () => shared.catchUp(accountId)));
    expect(statements).toHaveLength(1);
  });
});

describe('a rebuild of all views', () => {
  it('makes every row anew, and removes those that no event tells of', async () => {
    const accounts = newAccounts(3);
    const made = await someHistory(accounts);
    const rebuilding = new Views(dataSource, ledger);
    await rebuilding.rebuild();
    const before = await everyRow();
    const [{ backup } = { backup: '' }] = made.values();
    await dataSource.query('update schedule_view set hour = 1 where account_id = any($1)', [accounts]);
    await dataSource.query('delete from backup_view where account_id = $1', [accounts[1]]);
    await dataSource.query(
      'insert into backup_view select (jsonb_populate_record(b, $2)).* from backup_view b where id = $1',
      [backup, { id: ids.next() }],
    );
    expect(await everyRow()).not.toEqual(before);
    await rebuilding.rebuild();
    expect(await everyRow()).toEqual(before);
  });

  it('tells how far it is, and shows nobody an account without its rows', async () => {
    const accounts = newAccounts(30);
    const made = await someHistory(accounts);
    const reader = await open('reader');
    try {
      const reading = new Views(reader, new Ledger(reader));
      await new Views(dataSource, ledger).rebuild();
      const before = await everyRow();
      const told: RebuildProgress[] = [];
      let isOver = false;
      const rebuilding = new Views(dataSource, ledger)
        .rebuild((progress) => told.push(progress))
        .then(() => {
          isOver = true;
        });
      const shown = new Set<string>();
      for (let at = 0; !isOver; at += 1) {
        const id = accounts[at % accounts.length] ?? '';
        await reading.catchUp(id);
        shown.add(await shownOf(id, made.get(id) ?? { schedule: '', backup: '' }));
      }
      await rebuilding;
      expect([...shown]).toEqual(['14 BUILDING']);
      expect(await everyRow()).toEqual(before);
      expect(told.at(-1)?.accounts).toBeGreaterThanOrEqual(accounts.length);
    } finally {
      await reader.destroy();
    }
  });
});
