import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { aggregates } from '@strongroom/contracts';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { giveServicesRoles, urlOfService } from '../../../test/services/service-roles.js';
import { migrateDatabase } from './database-module.js';
import { grants, roleOf, type ServiceName, serviceNames } from './grants.js';

let database: TestDatabase;
let owner: pg.Client;
const sessions = new Map<ServiceName, pg.Client>();
beforeAll(async () => {
  database = await createTestDatabase();
  await giveServicesRoles(database.url);
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  for (const service of serviceNames) {
    const client = new pg.Client({ connectionString: urlOfService(database.url, service) });
    await client.connect();
    sessions.set(service, client);
  }
}, 60_000);
afterAll(async () => {
  for (const client of [owner, ...sessions.values()]) await client.end();
  await database.drop();
});

const as = (service: ServiceName, sql: string, values: unknown[] = []) => {
  const client = sessions.get(service);
  if (!client) throw new Error(`${service} is not connected`);
  return client.query(sql, values);
};
const denied = { code: '42501' };

function request(fields: Record<string, unknown> = {}) {
  const instanceId = randomUUID();
  const id = randomUUID();
  return {
    ...{ request: 0, expectedVersion: 0, accountId: 'acme', claims: [], releases: [], quotas: [] },
    ...{ stream: `backup-${id}`, aggregate: 'backup', instanceId },
    context: { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' },
    events: [{ id: randomUUID(), type: 'SlotSkipped', data: { instanceId } }],
    ...fields,
  };
}
const append = (service: ServiceName, fields: Record<string, unknown> = {}) =>
  as(service, 'select * from ledger_append($1)', [JSON.stringify([request(fields)])]);
const ofAggregate = (aggregate: string) => ({ aggregate, stream: `${aggregate}-${randomUUID()}` });

describe.each(serviceNames)('the role of the %s', (service) => {
  const { tables, appends } = grants[service];

  it.each(['ledger_event', 'ledger_claim', 'ledger_quota', 'ledger_writer'])('changes no row of %s', async (table) => {
    await expect(
      as(service, `insert into ${table} overriding system value select * from ${table} limit 0`),
    ).rejects.toMatchObject(denied);
    await expect(as(service, `delete from ${table}`)).rejects.toMatchObject(denied);
    await expect(as(service, `truncate ${table}`)).rejects.toMatchObject(denied);
    await expect(as(service, `alter table ${table} disable trigger all`)).rejects.toMatchObject(denied);
    const [column] = (
      await owner.query('select attname from pg_attribute where attrelid = $1::regclass and attnum = 2', [table])
    ).rows;
    await expect(as(service, `update ${table} set ${column.attname} = ${column.attname}`)).rejects.toMatchObject(
      denied,
    );
  });

  it('has the rights that are listed, and no other', async () => {
    const { rows } = await owner.query(
      `select c.relname as name, array_agg(lower(p.privilege) order by p.privilege) as allowed
       from pg_class c cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p(privilege)
       where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and has_table_privilege($1, c.oid, p.privilege)
       group by c.relname`,
      [roleOf(service)],
    );
    const listed = Object.entries(tables).map(([name, allowed]) => ({ name, allowed: [...allowed].sort() }));
    expect(rows.sort(byName)).toEqual(listed.sort(byName));
  });

  it('makes nothing: no table, no function, no schema, no role', async () => {
    for (const what of ['table mine (a int)', 'schema mine', 'role mine', 'function mine() returns int return 1']) {
      await expect(as(service, `create ${what}`)).rejects.toMatchObject(denied);
    }
  });

  it('appends to the streams of its aggregates, and to no other', async () => {
    for (const aggregate of aggregates) {
      const appended = append(service, ofAggregate(aggregate));
      if (appends.includes(aggregate))
        await expect(appended).resolves.toMatchObject({ rows: [{ outcome: 'appended' }] });
      else await expect(appended).rejects.toMatchObject(denied);
    }
    const named = { aggregate: appends[0], stream: `somewhere-${randomUUID()}` };
    await expect(append(service, named)).rejects.toMatchObject(denied);
  });

  it('takes and gives back no claim that an event holds', async () => {
    const take = as(service, `select ledger_take_claim('running-backup-of-instance', $1, 'me')`, [randomUUID()]);
    await expect(take).rejects.toMatchObject(denied);
    const giveBack = as(service, `select ledger_give_back_claims('running-backup-of-instance', $1)`, [[randomUUID()]]);
    await expect(giveBack).rejects.toMatchObject(denied);
  });
});

const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);

describe('the ledger', () => {
  it('refuses an event of another account than its stream', async () => {
    const first = request();
    await as('api', 'select * from ledger_append($1)', [JSON.stringify([first])]);
    const { stream, instanceId } = first;
    const next = {
      stream,
      instanceId,
      expectedVersion: 1,
      events: [{ id: randomUUID(), type: 'BackupDeleted', data: {} }],
    };
    await expect(append('api', { ...next, accountId: 'forger' })).rejects.toMatchObject({ code: '23514' });
    await expect(append('api', next)).resolves.toMatchObject({ rows: [{ outcome: 'appended' }] });
  });

  it('refuses an event that names an instance of another account', async () => {
    const instanceId = randomUUID();
    const registered = { stream: `instance-${instanceId}`, aggregate: 'instance', instanceId };
    await append('api', {
      ...registered,
      events: [{ id: randomUUID(), type: 'InstanceRegistered', data: { instanceId } }],
    });
    const events = [{ id: randomUUID(), type: 'BackupRequested', data: { instanceId } }];
    await expect(append('api', { instanceId, events, accountId: 'forger' })).rejects.toMatchObject({ code: '23514' });
    await expect(append('api', { events, accountId: 'forger' })).rejects.toMatchObject({ code: '23514' });
    await expect(append('api', { instanceId, events })).resolves.toMatchObject({ rows: [{ outcome: 'appended' }] });
  });

  it("is nobody else's: no function with the rights of its owner is for the public, and each has its search path", async () => {
    const { rows } = await owner.query(
      `select p.proname as name, has_function_privilege('public', p.oid, 'execute') as is_public, p.proconfig as config
       from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef`,
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { name, is_public, config } of rows) {
      expect({ name, is_public, config }).toEqual({ name, is_public: false, config: ['search_path=public, pg_temp'] });
    }
  });
});

describe('the grants', () => {
  it('are not written again where they stand, and put right where somebody has changed them', async () => {
    const standing = async () => (await owner.query(`select xmin, relacl from pg_class where relname = 'job'`)).rows;
    const before = await standing();
    await migrateDatabase(database.url, 'spec');
    expect(await standing()).toEqual(before);
    await owner.query(
      `grant insert on ledger_event to ${roleOf('replicator')}; revoke select on job from ${roleOf('api')}`,
    );
    await migrateDatabase(database.url, 'spec');
    await expect(as('api', 'select 1 from job')).resolves.toMatchObject({ rows: [] });
    await expect(
      as('replicator', 'insert into ledger_event overriding system value select * from ledger_event limit 0'),
    ).rejects.toMatchObject(denied);
  });
});
