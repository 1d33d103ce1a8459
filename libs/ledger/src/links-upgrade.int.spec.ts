/** An upgrade to a ledger with links: appends go on beside it, in the form that older processes know, and none of them is lost. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { migrate, migrations } from '@strongroom/database';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { giveServicesRoles } from '../../../test/services/service-roles.js';
import { verifyLinks } from './links.js';

let database: TestDatabase;
let older: DataSource;
let newer: DataSource;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  const options = { url: database.url, applicationName: 'links-upgrade-spec' };
  const before = migrations.slice(
    0,
    migrations.findIndex(({ name }) => name === 'Roles1700000000057'),
  );
  older = await openDataSource({ ...options, migrations: before });
  await migrate(older);
  // A migration installs the form of today, which looks up its tables when it is called.
  await older.query(readFileSync(join(__dirname, '..', 'fixtures', 'ledger_append-before-links.sql'), 'utf8'));
  newer = await openDataSource(options);
});
afterEach(async () => {
  await Promise.all([older.destroy(), newer.destroy()]);
  await database.drop();
});

const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
const answers = z.array(z.object({ outcome: z.string() })).length(1);
/** Appends by the statement that older processes send. */
async function append(source: DataSource): Promise<string> {
  const [scheduleId, instanceId] = [randomUUID(), randomUUID()];
  const event = { id: randomUUID(), type: 'ScheduleDeleted' as const, data: { scheduleId, instanceId } };
  const of = { stream: streamOf('schedule', scheduleId), expectedVersion: 0, accountId: 'acme', instanceId, context };
  const request = { ...of, request: 0, aggregate: 'schedule', events: [event], claims: [], releases: [], quotas: [] };
  const rows: unknown = await source.query('select * from ledger_append($1)', [JSON.stringify([request])]);
  return answers.parse(rows)[0]?.outcome ?? '';
}

it('older processes append while the ledger is migrated: nothing is refused or lost, and the links are whole', async () => {
  let isDone = false;
  const outcomes: string[] = [];
  const processes = Array.from({ length: 6 }, async () => {
    const source = await openDataSource({ url: database.url, applicationName: 'older', poolSize: 1 });
    while (!isDone) outcomes.push(await append(source));
    await source.destroy();
  });
  const appended = async (more: number) => {
    const from = outcomes.length;
    await eventually(async () => expect(outcomes.length).toBeGreaterThanOrEqual(from + more), { withinMs: 20_000 });
  };
  // A long statement, such as a dump, reads the ledger meanwhile.
  const reader = new pg.Client({ connectionString: database.url });
  try {
    await appended(50);
    await reader.connect();
    await reader.query('begin');
    await reader.query('select from ledger_event limit 1');
    const migrated = giveServicesRoles(database.url);
    const hasLinks = async () => {
      const found: unknown[] = await newer.query(
        `select from pg_attribute where attrelid = 'ledger_event'::regclass and attname = 'link'`,
      );
      return found.length > 0;
    };
    await eventually(
      async () => {
        const [row] = await newer.query(`select count(*)::int as done from schema_migration where name like 'Roles%'`);
        expect(row.done).toBe(1);
      },
      { withinMs: 20_000 },
    );
    // The migration gives way to the appends as long as it has to.
    await appended(100);
    expect(await hasLinks()).toBe(false);
    await reader.query('rollback');
    await migrated;
    expect(await hasLinks()).toBe(true);
    await appended(50);
  } finally {
    isDone = true;
    await Promise.all([...processes, reader.end()]);
  }
  expect(new Set(outcomes)).toEqual(new Set(['appended']));
  const { head, unlinked, broken } = await verifyLinks(newer);
  expect([head.events, broken]).toEqual([outcomes.length, undefined]);
  expect(unlinked).toBeGreaterThanOrEqual(150);
  expect(unlinked).toBeLessThan(outcomes.length);
}, 120_000);
