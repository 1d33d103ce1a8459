import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { aggregates, messageOf } from '@strongroom/contracts';
import pg from 'pg';
import { createTestDatabase, openDataSource, type TestDatabase } from '../../../test/services/database.js';
import { giveServicesRoles, urlOfService } from '../../../test/services/service-roles.js';
import { migrateDatabase } from './database-module.js';
import { applyGrants, grants, type Privilege, roleOf, type ServiceName, serviceNames } from './grants.js';

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

/** What comes of a statement, which is undone. Some have no right to what they name; others name what only a superuser can have. */
async function outcomeOf(service: ServiceName, statement: string): Promise<string> {
  await as(service, 'begin');
  try {
    await as(service, statement);
    return 'done';
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    return code === '42501' ? 'denied' : `${code}: ${messageOf(error)}`;
  } finally {
    await as(service, 'rollback');
  }
}

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

  it('reads and writes the tables that are listed, and is refused each other statement on each table', async () => {
    const { rows } = await owner.query<{ name: string; column: string }>(
      `select c.oid::regclass::text as name, a.attname as column from pg_class c
       join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(Object.keys(tables).length);
    const wrong: string[] = [];
    for (const { name, column } of rows) {
      const statements: [Privilege | undefined, string][] = [
        ['select', `select from ${name} limit 0`],
        ['select', `select ${column} from ${name} limit 0`],
        ['select', `copy (select ${column} from ${name} limit 0) to stdout`],
        ['insert', `insert into ${name} overriding system value select (null::${name}).* where false`],
        ['insert', `copy ${name} from program 'true'`],
        ['update', `update ${name} set ${column} = default where false`],
        ['update', `select from ${name} limit 0 for update`],
        ['delete', `delete from ${name} where false`],
        [undefined, `truncate ${name}`],
        [undefined, `alter table ${name} disable trigger all`],
        [undefined, `alter table ${name} add column another text`],
        [
          undefined,
          `create trigger mine before update on ${name} for each row execute function suppress_redundant_updates_trigger()`,
        ],
        [undefined, `create index on ${name} (${column})`],
        [undefined, `alter table ${name} owner to current_user`],
        [undefined, `drop table ${name}`],
      ];
      for (const [needs, statement] of statements) {
        const ended = await outcomeOf(service, statement);
        const isListed = needs !== undefined && (tables[name] ?? []).includes(needs) && !/program/.test(statement);
        if (ended !== (isListed ? 'done' : 'denied')) wrong.push(`${statement}: ${ended}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('moves no sequence, and calls no function with the rights of its owner that is not listed', async () => {
    const sequences = await owner.query<{ name: string }>(
      `select oid::regclass::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S'`,
    );
    expect(sequences.rows.length).toBeGreaterThan(0);
    for (const { name } of sequences.rows) {
      for (const call of [`nextval('${name}')`, `setval('${name}', 1)`, `last_value from ${name}`]) {
        expect({ call, ended: await outcomeOf(service, `select ${call}`) }).toEqual({ call, ended: 'denied' });
      }
    }
    const { rows } = await owner.query<{ name: string; signature: string; nulls: string }>(
      `select p.oid::regprocedure::text as signature, p.proname as name,
         coalesce((select string_agg('null::' || format_type(t, null), ', ') from unnest(p.proargtypes::oid[]) t), '') as nulls
       from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef`,
    );
    for (const { name, signature, nulls } of rows) {
      if (grants[service].functions.some((each) => each.replaceAll(', ', ',') === signature)) continue;
      expect({ name, ended: await outcomeOf(service, `select ${name}(${nulls})`) }).toEqual({ name, ended: 'denied' });
    }
  });

  it('makes nothing, becomes nobody else, and reads no file of the server', async () => {
    const others = serviceNames.filter((each) => each !== service).map((each) => `set role ${roleOf(each)}`);
    const statements = [
      ...['table mine (a int)', 'schema mine', 'role mine', 'function mine() returns int return 1'],
      ...['extension dblink', 'event trigger mine on ddl_command_start execute function ledger_refuses()'],
      ...['or replace function ledger_permitted() returns text[] return null', 'publication mine for all tables'],
    ].map((what) => `create ${what}`);
    statements.push(
      ...others,
      ...['set role postgres', 'set session_replication_role = replica', "set log_statement = 'none'"],
      ...[
        `alter role ${roleOf(service)} superuser`,
        `alter role ${roleOf(service)} bypassrls`,
        'alter database postgres owner to current_user',
      ],
      ...[`select pg_read_file('PG_VERSION')`, `select pg_ls_dir('.')`, `select lo_import('/etc/passwd')`],
      ...[`copy (select 1) to program 'true'`, 'select passwd from pg_shadow'],
    );
    const done: string[] = [];
    for (const statement of statements) {
      const ended = await outcomeOf(service, statement);
      if (ended !== 'denied') done.push(`${statement}: ${ended}`);
    }
    expect(done).toEqual([]);
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

  it('takes, gives back and counts nothing that does not go with its events', async () => {
    const instanceId = randomUUID();
    const aggregate = service === 'replicator' ? 'copy' : 'backup';
    const own = { ...ofAggregate(aggregate), instanceId };
    const given = (kind: string, key: string) => ({ kind, key });
    const running = given('running-backup-of-instance', instanceId);
    const wrong: Record<string, unknown>[] = [
      { claims: [running], events: [] },
      { releases: [running], events: [] },
      { claims: null, releases: [running], events: [] },
      { quotas: [{ ...given('instances-of-account', 'acme'), by: 1, most: 9 }], events: [] },
      { claims: [given('running-backup-of-instance', randomUUID())] },
      { claims: [given('schedule-of-instance', instanceId)] },
      { claims: [given('a-kind-that-nobody-has', instanceId)] },
      { quotas: [{ ...given('instances-of-account', 'acme'), by: 1, most: 9 }] },
      { quotas: [{ ...given('schedules-of-account', 'acme'), by: -1, most: 9 }] },
      ...(aggregate === 'copy' ? [{ claims: [running] }, { claims: [given('idempotency-key', 'acme key')] }] : []),
    ];
    for (const fields of wrong) {
      expect({ fields, ended: await append(service, { ...own, ...fields }).catch(codeOf) }).toEqual({
        fields,
        ended: '42501',
      });
    }
    const { rows } = await owner.query('select from ledger_claim where key = $1', [instanceId]);
    expect(rows).toEqual([]);
    if (service === 'replicator') return;
    const quota = { ...given('instances-of-account', 'another account'), by: 1, most: 9 };
    const instance = { ...ofAggregate('instance'), instanceId };
    await expect(append(service, { ...instance, quotas: [quota] })).rejects.toMatchObject(denied);
    await expect(append(service, { ...own, claims: [running] })).resolves.toMatchObject({
      rows: [{ outcome: 'appended' }],
    });
  });

  it('makes nothing in a schema that was open to everybody, as those of databases from before PostgreSQL 15 are', async () => {
    const made = 'create function ledger_newest_of(a text, b text default null) returns bigint return 0';
    await owner.query(`grant create on schema public to public, ${roleOf(service)}`);
    expect(await outcomeOf(service, made)).toBe('done');
    await migrateDatabase(database.url, 'spec');
    expect(await outcomeOf(service, made)).toBe('denied');
  });

  it('is told that it can not migrate', async () => {
    await expect(migrateDatabase(urlOfService(database.url, service), 'spec')).rejects.toMatchObject({
      code: 'not-the-owner',
      message: expect.stringContaining(roleOf(service)),
    });
  });

  it('takes and gives back no claim that an event holds', async () => {
    const take = as(service, `select ledger_take_claim('running-backup-of-instance', $1, 'me')`, [randomUUID()]);
    await expect(take).rejects.toMatchObject(denied);
    const giveBack = as(service, `select ledger_give_back_claims('running-backup-of-instance', $1)`, [[randomUUID()]]);
    await expect(giveBack).rejects.toMatchObject(denied);
  });
});

const codeOf = (error: unknown) => (error instanceof pg.DatabaseError ? error.code : error);
const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);

describe("a login that is a member of a service's role", () => {
  const name = `loose_${randomUUID().slice(0, 8)}`;
  let member: pg.Client;
  beforeAll(async () => {
    const password = owner.escapeLiteral(new URL(database.url).password);
    await owner.query(`create role ${name} login noinherit password ${password}`);
    const url = new URL(database.url);
    url.username = name;
    member = new pg.Client({ connectionString: url.href });
    await member.connect();
  });
  afterAll(async () => {
    await member.end();
    await owner.query(`revoke all on function ledger_append(jsonb) from ${name}; drop role ${name}`);
  });
  const appendAs = (aggregate: string) =>
    member.query('select * from ledger_append($1)', [JSON.stringify([request(ofAggregate(aggregate))])]);

  it('appends to nothing where nobody has made it one, though it may call the function', async () => {
    await owner.query(`grant execute on function ledger_append(jsonb) to ${name}`);
    for (const aggregate of aggregates) await expect(appendAs(aggregate)).rejects.toMatchObject(denied);
  });

  it('appends to what the role may, also when it takes the role by itself', async () => {
    await owner.query(`grant ${roleOf('replicator')} to ${name}`);
    await member.query(`set role ${roleOf('replicator')}`);
    await expect(appendAs('copy')).resolves.toMatchObject({ rows: [{ outcome: 'appended' }] });
    for (const aggregate of ['instance', 'schedule', 'backup']) {
      await expect(appendAs(aggregate)).rejects.toMatchObject(denied);
    }
  });
});

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
      const own = expect.arrayContaining(['search_path=public, pg_temp']);
      expect({ name, is_public, config }).toEqual({ name, is_public: false, config: own });
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

  it('are put right by a process that is slow, whose session would end between two statements of a transaction', async () => {
    await owner.query(`revoke select on job from ${roleOf('api')}`);
    const dataSource = await openDataSource({ url: database.url, applicationName: 'spec', poolSize: 1 });
    try {
      const run = dataSource.createQueryRunner();
      await run.query('set idle_in_transaction_session_timeout = 1');
      expect(await applyGrants(run)).toEqual([...serviceNames]);
      await run.release();
    } finally {
      await dataSource.destroy();
    }
    await expect(as('api', 'select 1 from job')).resolves.toMatchObject({ rows: [] });
  });
});
