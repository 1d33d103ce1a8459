import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresServer } from '@strongroom/server-processes';
import pg from 'pg';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { type PostgresVersion, postgresOfVersion } from '../../../test/services/postgres-versions.js';
import { giveServicesRoles } from '../../../test/services/service-roles.js';
import { differenceOf, dumpSchema } from '../fixtures/schema-dump.js';
import { migrate, migrations } from './index.js';

const kept = readFileSync(join(__dirname, '..', 'schema.sql'), 'utf8');

async function migrated(url: string): Promise<void> {
  const dataSource = await openDataSource({ url, applicationName: 'schema-spec', poolSize: 2 });
  try {
    await migrate(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

async function connected<Result>(url: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

describe('the schema', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ empty: true });
    // The rights of the services' roles are no part of it.
    await Promise.all([giveServicesRoles(database.url), ...[1, 2, 3].map(() => migrated(database.url))]);
  });
  afterAll(() => database.drop());

  /** The dump of a schema that is changed for it, and changed back afterwards. */
  const dumpAfter = (change: string) =>
    connected(database.url, async (client) => {
      await client.query('begin');
      await client.query(change);
      return dumpSchema(client);
    });

  it('is what schema.sql says, when several processes have made it at once', async () => {
    const landed = await connected(database.url, async (client) => {
      expect(differenceOf(kept, await dumpSchema(client))).toBeUndefined();
      return client.query('select count(*)::int as migrations from schema_migration');
    });
    expect(landed.rows).toEqual([{ migrations: migrations.length }]);
  });

  const changes: [string, string, RegExp][] = [
    ['a column', 'alter table known_vault add column colour text', /the migrations: colour text/],
    [
      'a type',
      'alter table known_vault alter column region type varchar(9)',
      /the migrations: region character varying/,
    ],
    ['a default', 'alter table job alter column lane drop default', /the migrations: lane text not null$/m],
    ['what may be null', 'alter table job alter column lane drop not null', /the migrations: lane text default/],
    [
      'a constraint',
      'alter table ledger_quota drop constraint ledger_quota_used_check',
      /the file: .*ledger_quota_used_check/,
    ],
    ['an index', 'drop index job_ready', /the file: .*job_ready/],
    ['a trigger', 'drop trigger ledger_is_append_only on ledger_event', /the file: .*ledger_is_append_only/],
    ['a privilege', 'grant update on ledger_event to public', /the migrations: grant update on ledger_event to public/],
    ['a lost privilege', 'grant delete on ledger_event to current_user', /the file: .*revoke delete, truncate, update/],
    ['an option', 'alter table slot_timer reset (fillfactor)', /the file: .*fillfactor=80/],
    ['what is logged', 'alter table request_count set logged', /the file: .*create unlogged table request_count/],
    [
      'a function',
      "create or replace function ledger_refuses_change() returns trigger language plpgsql as 'begin end'",
      /ledger|begin/,
    ],
    [
      'a comment of a table',
      "comment on table job is 'Nothing.'",
      /the file: .*-- Long work.*\n.*the migrations: -- Nothing\./,
    ],
    ['a comment of a column', 'comment on column job.lane is null', /the file: .*-- What the work contends for/],
    ['a table', 'create table attic (id int)', /the migrations: create table attic/],
  ];
  it.each(changes)('is told from one with another form of %s', async (_what, change, told) => {
    const difference = differenceOf(kept, await dumpAfter(change));
    expect(difference).toMatch(told);
    expect(difference).toContain('run `npm run schema`');
  });

  it.each([
    ['create view attic as select 1', 'attic (relation of kind v)'],
    ['create sequence attic', 'attic (relation of kind S)'],
    ["create type attic as enum ('a')", 'attic (type)'],
  ])('is not dumped when it has what the dump can not show: %s', async (change, named) => {
    await expect(dumpAfter(change)).rejects.toThrow(named);
  });

  it.each(['15', '16', '17'] as PostgresVersion[])('is the same on PostgreSQL %s', async (version) => {
    const programs = await postgresOfVersion(version);
    if (!programs) return;
    const folder = mkdtempSync(join(tmpdir(), `strongroom-schema-${version}-`));
    chmodSync(folder, 0o711);
    const server = await PostgresServer.start({
      directory: join(folder, 'postgres'),
      password: 'spec',
      programs,
      logFile: join(folder, 'postgres.log'),
      settings: { fsync: 'off' },
    });
    try {
      await migrated(server.url());
      expect(differenceOf(kept, await connected(server.url(), dumpSchema))).toBeUndefined();
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
