import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { migrate } from '@strongroom/database';
import { RandomIds } from '@strongroom/runtime';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { patience } from '../../../test/services/patience.js';
import type { AppendRequest } from './append-request.js';
import { Ledger } from './ledger.js';

const ids = new RandomIds();
const role = `bent_${randomBytes(4).toString('hex')}`;
let database: TestDatabase;
/** The database as the role, whose defaults are bent. */
let url: string;
let admin: pg.Client;
let dataSource: DataSource | undefined;

const open = async () => {
  dataSource = await openDataSource({ url, applicationName: 'bent-defaults-spec', poolSize: 4 });
  return dataSource;
};
const close = async () => {
  await dataSource?.destroy();
  dataSource = undefined;
};

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  await admin.query(`create role ${role} login password 'bent'; alter database ${database.name} owner to ${role}`);
  const asRole = new URL(database.url);
  asRole.username = role;
  asRole.password = 'bent';
  url = asRole.href;
  await migrate(await open());
  await close();
});
afterEach(async () => {
  await close();
  await admin.query(`alter role ${role} reset all; alter database ${database.name} reset all`);
});
afterAll(async () => {
  await admin.end();
  await database.drop();
  const server = new pg.Client({ connectionString: process.env.STRONGROOM_TEST_POSTGRES_URL });
  await server.connect();
  await server.query(`drop role ${role}`);
  await server.end();
});

function deletion(scheduleId: string, expectedVersion: number, more: Partial<AppendRequest> = {}): AppendRequest {
  const instanceId = ids.next();
  return {
    stream: streamOf('schedule', scheduleId),
    expectedVersion,
    accountId: 'acme',
    instanceId,
    context: { requestId: 'a\\b', correlationId: 'c', causationId: null, actor: 'spec' },
    events: [{ id: ids.next(), type: 'ScheduleDeleted', data: { scheduleId, instanceId } }],
    claims: [],
    releases: [],
    ...more,
  };
}

/** What the ledger is for: to append, to refuse, to read back, and to tell time. */
async function doTheMainThings(): Promise<void> {
  const ledger = new Ledger(await open());
  const scheduleId = ids.next();
  const claims = [{ kind: 'schedule-of-instance', key: ids.next() }];
  const many = Array.from({ length: 8 }, () => ledger.append(deletion(ids.next(), 0)));
  const one = deletion(scheduleId, 0, { claims });
  const outcome = await ledger.append(one);
  expect(outcome).toMatchObject({ outcome: 'appended' });
  for (const each of await Promise.all(many)) expect(each).toMatchObject({ outcome: 'appended' });
  expect(await ledger.append(deletion(scheduleId, 0))).toEqual({ outcome: 'conflict' });
  expect(await ledger.append(deletion(ids.next(), 0, { claims }))).toMatchObject({ outcome: 'claimed' });
  const two = [deletion(ids.next(), 0), deletion(ids.next(), 0)];
  expect(await ledger.appendTogether(two)).toMatchObject([{ outcome: 'appended' }, { outcome: 'appended' }]);
  const [event] = await ledger.readStream(one.stream);
  expect(event).toMatchObject({ ...one.events[0], context: one.context, version: 1 });
  expect(Math.abs(Date.now() - Date.parse(event?.at ?? ''))).toBeLessThan(120_000 * patience);
  expect(outcome.outcome === 'appended' && outcome.at.toISOString()).toBe(event?.at);
  const { oldestAt } = await ledger.lag('schedule', (event?.position ?? 1) - 1);
  expect(oldestAt?.toISOString()).toBe(event?.at);
}

/** The value in a session of ours. */
async function shown(setting: string): Promise<string> {
  const rows: unknown = await dataSource?.query('select current_setting($1) as value', [setting]);
  return z.array(z.object({ value: z.string() })).parse(rows)[0]?.value ?? '';
}

/** By setting, how a role or a database may have it, and how our sessions must have it; undefined where it does not matter. */
const bent: [setting: string, as: string, held: string | undefined][] = [
  ['DateStyle', "'SQL, DMY'", 'ISO, MDY'],
  ['DateStyle', "'German'", 'ISO, MDY'],
  ['IntervalStyle', "'iso_8601'", 'postgres'],
  ['TimeZone', "'Asia/Kathmandu'", 'UTC'],
  ['default_transaction_isolation', "'repeatable read'", 'read committed'],
  ['default_transaction_isolation', "'serializable'", 'read committed'],
  ['default_transaction_deferrable', 'on', 'off'],
  ['search_path', "'pg_catalog'", undefined],
  ['search_path', "''", undefined],
  ['search_path', "'nowhere', 'pg_temp'", undefined],
  ['statement_timeout', "'100ms'", '1min'],
  ['lock_timeout', "'1ms'", '0'],
  ['idle_in_transaction_session_timeout', "'1ms'", '2s'],
  ['idle_session_timeout', "'300ms'", '0'],
  ['transaction_timeout', "'200ms'", '0'],
  ['synchronous_commit', 'off', 'on'],
  ['row_security', 'off', 'on'],
  ['bytea_output', "'escape'", 'hex'],
  ['standard_conforming_strings', 'off', 'on'],
  ['extra_float_digits', '-15', '1'],
  ['client_encoding', "'LATIN1'", 'UTF8'],
  ['array_nulls', 'off', 'on'],
  ['transform_null_equals', 'on', 'off'],
  ['exit_on_error', 'on', 'off'],
  ['jit', 'on', 'off'],
  ['jit_above_cost', '0', undefined],
  ['enable_indexscan', 'off', undefined],
  ['plan_cache_mode', "'force_generic_plan'", undefined],
  ['debug_parallel_query', 'on', undefined],
  ['client_min_messages', "'debug5'", undefined],
  ['check_function_bodies', 'off', undefined],
  ['plpgsql.extra_errors', "'all'", undefined],
  ['lc_messages', "'C'", undefined],
  ['work_mem', "'64kB'", undefined],
];

describe.each(['role', 'database'])('a default of the %s', (whose) => {
  const alter = (change: string) => admin.query(`alter ${whose} ${whose === 'role' ? role : database.name} ${change}`);

  it.each(bent)('bends nothing: %s = %s', async (setting, as, held) => {
    await alter(`set ${setting} = ${as}`);
    await doTheMainThings();
    if (held !== undefined) expect(await shown(setting)).toBe(held);
  });

  it('keeps the ledger where it is, when a schema before it on the search path comes to have other tables', async () => {
    await admin.query(
      'create schema decoy; create table decoy.schedule_view (nothing text); grant all on schema decoy to public',
    );
    await alter("set search_path = 'decoy', 'public'");
    await doTheMainThings();
    expect(await shown('search_path')).toBe('public, pg_temp');
    await admin.query('drop schema decoy cascade');
  });

  it('may be stricter than need be', async () => {
    await alter("set synchronous_commit = 'remote_apply'");
    await doTheMainThings();
    expect(await shown('synchronous_commit')).toBe('remote_apply');
  });

  it('that only takes reads stays, because somebody means it', async () => {
    await alter('set default_transaction_read_only = on');
    const ledger = new Ledger(await open());
    await expect(ledger.append(deletion(ids.next(), 0))).rejects.toMatchObject({
      code: 'ledger-unavailable',
      mayBeWritten: false,
      message: expect.stringContaining('read-only transaction'),
    });
  });

  it('that may be changed by a superuser alone is refused by its name', async () => {
    await alter("set session_replication_role = 'replica'");
    const opening = openDataSource({ url, applicationName: 'bent-defaults-spec' });
    await expect(opening).rejects.toThrow(/session_replication_role/);
  });
});

describe('a role with a schema of its own', () => {
  it('has the ledger there, also when its search path changes later', async () => {
    const own = await createTestDatabase({ empty: true });
    const ownUrl = new URL(url);
    ownUrl.pathname = `/${own.name}`;
    const owner = new pg.Client({ connectionString: own.url });
    await owner.connect();
    const migrated = async () => {
      const source = await openDataSource({ url: ownUrl.href, applicationName: 'spec', poolSize: 2 });
      await migrate(source);
      const rows: unknown = await source.query('select current_schema() as schema');
      await source.destroy();
      return z.array(z.object({ schema: z.string() })).parse(rows)[0]?.schema;
    };
    try {
      await owner.query(
        `create schema vaulted authorization ${role}; alter role ${role} in database ${own.name} set search_path = vaulted`,
      );
      expect(await migrated()).toBe('vaulted');
      await owner.query(
        `alter role ${role} in database ${own.name} reset search_path; grant all on schema public to ${role}`,
      );
      expect(await migrated()).toBe('vaulted');
      // Every role may make temporary tables, and their schemas come before this one by name.
      await owner.query('create temporary table ledger_event (forged text)');
      expect(await migrated()).toBe('vaulted');
      await owner.query('drop table pg_temp.ledger_event');
      const { rows } = await owner.query(
        "select count(*)::int as ledgers from pg_class where relname = 'ledger_event'",
      );
      expect(rows).toEqual([{ ledgers: 1 }]);
    } finally {
      await owner.end();
      await own.drop();
    }
  });
});
