/**
 * What each service may do in the database: the one place that says it. A service whose login has one of these roles reads and
 * writes what is listed here and nothing else. It appends to the ledger through a function alone.
 *
 * The grants are applied after every migration, to those of the roles that are there. Without them, one role that owns everything
 * may be used by all services.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Aggregate, aggregates } from '@strongroom/contracts';
import type { QueryRunner } from 'typeorm';
import { z } from 'zod';

export const serviceNames = ['api', 'scheduler', 'replicator'] as const;
export type ServiceName = (typeof serviceNames)[number];

export const privileges = ['select', 'insert', 'update', 'delete'] as const;
export type Privilege = (typeof privileges)[number];

export interface Granted {
  /** By table, what the service may do with its rows. */
  tables: Readonly<Record<string, readonly Privilege[]>>;
  /** The functions with the rights of their owner that the service calls. */
  functions: readonly string[];
  /** The kinds of aggregates to whose streams the service appends. */
  appends: readonly Aggregate[];
}

const read = ['select'] as const;
const added = ['select', 'insert'] as const;
const kept = ['select', 'insert', 'update'] as const;
const whole = privileges;

/** Every service folds the views, relays events to the broker and reads the ledger. */
const ofEach = {
  schema_migration: read,
  ledger_event: read,
  ledger_identity: whole,
  backup_view: whole,
  copy_view: whole,
  instance_view: whole,
  restore_test_view: whole,
  run_view: whole,
  schedule_view: whole,
  webhook_view: whole,
  view_head: kept,
  set_aside: whole,
  relay_cursor: kept,
} as const;

/** What a service needs that handles events and does jobs. */
const ofWorkers = {
  ...ofEach,
  dead_letter: whole,
  feed_handled: ['select', 'insert', 'delete'],
  feed_handled_since: read,
  feed_offset: kept,
  second_look: kept,
  job: ['select', 'update', 'delete'],
  // Rows are locked before they go, and a lock needs the right to update.
  job_news: ['select', 'update', 'delete'],
  job_turn: kept,
  known_vault: added,
  transfer_limit: read,
  transfer_cap: read,
  transfer_budget: kept,
} as const;

const appending = [
  'ledger_append(jsonb)',
  'job_add(jsonb)',
  'job_add_of_events(integer[], integer[], text[], uuid[], text[], text[], bigint[], integer[], bigint[])',
] as const;
const claiming = ['ledger_take_claim(text, text, text)', 'ledger_give_back_claims(text, text[])'] as const;

export const grants: Readonly<Record<ServiceName, Granted>> = {
  api: {
    tables: {
      ...ofEach,
      ledger_claim: read,
      // A topic that was made anew is filled and read from its start, whoever notices it.
      feed_offset: ['select', 'update'],
      dead_letter: ['select', 'update'],
      job: read,
      instance_credential: whole,
      changed_credential: whole,
      idempotent_request: whole,
      request_count: kept,
      audit_entry: whole,
      audit_export: kept,
      refused_login: ['select', 'insert', 'delete'],
      server_login: whole,
      region_outage: read,
      transfer_in_force: read,
      verification: read,
      webhook_secret: whole,
      webhook_cursor: whole,
      webhook_delivery: whole,
    },
    functions: [...appending, ...claiming],
    // Clients ask it for everything.
    appends: aggregates,
  },
  scheduler: {
    tables: {
      ...ofWorkers,
      ledger_claim: read,
      // A server that it builds has the password of its source.
      instance_credential: kept,
      changed_credential: read,
      expected_seal: ['select', 'insert', 'delete'],
      schedule_outcome: read,
      slot_timer: whole,
      steady_time: whole,
      refused_login: ['select', 'insert', 'delete'],
      server_login: whole,
      region_outage: whole,
    },
    functions: appending,
    appends: ['instance', 'backup', 'copy'],
  },
  replicator: {
    tables: { ...ofWorkers, region_outage: whole, transfer_in_force: whole, transfer_rate: kept, verification: whole },
    functions: appending,
    appends: ['copy'],
  },
};

/** The role of a service in the database: `strongroom_api`. A login may be this role itself, or a member of it. */
export function roleOf(service: ServiceName): string {
  return `strongroom_${service}`;
}

const found = z.array(z.object({ role: z.string(), grant: z.string() }));
const roles = z.array(z.object({ name: z.string(), is_standby: z.boolean() }));

/**
 * Gives each role that is there what its service may do, and takes everything else from it. Only the owner can. Nothing is written
 * where everything is as it should be. @returns the services whose roles are there
 */
export async function applyGrants(run: QueryRunner): Promise<ServiceName[]> {
  const rows: unknown = await run.query(
    'select rolname as name, pg_is_in_recovery() as is_standby from pg_roles where rolname = any($1)',
    [serviceNames.map(roleOf)],
  );
  const there = roles.parse(rows);
  if (there.length === 0 || !(await isReady(run))) return [];
  const served = serviceNames.filter((service) => there.some(({ name }) => name === roleOf(service)));
  if (there.some((each) => each.is_standby) || (await areApplied(run, served))) return served;
  const roleNames = served.map(roleOf).join();
  // They come as one message, which the server carries out as a whole or not at all. Between the statements of a transaction it would wait for
  // this process, and end the session of one that is slow.
  await run.query(
    [`delete from ledger_writer where role_name <> all('{${roleNames}}')`, ...served.flatMap(statementsFor)].join(
      ';\n',
    ),
  );
  return served;
}

/** An older version, which has fewer migrations, may have made the schema. */
async function isReady(run: QueryRunner): Promise<boolean> {
  const rows: unknown = await run.query(`select to_regclass('ledger_writer') is not null as ready`);
  return z.array(z.object({ ready: z.boolean() })).parse(rows)[0]?.ready ?? false;
}

/** Whether the roles have what they should have, and no more. */
async function areApplied(run: QueryRunner, served: readonly ServiceName[]): Promise<boolean> {
  const rows: unknown = await run.query(
    `select grantee::regrole::text as role, lower(privilege_type) || ' on ' || name as grant from (
       select c.oid::regclass::text as name, a.grantee, a.privilege_type from pg_class c cross join lateral aclexplode(c.relacl) a
       where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relkind = 'r'
       union all
       select p.oid::regprocedure::text, a.grantee, a.privilege_type from pg_proc p cross join lateral aclexplode(p.proacl) a
       where p.pronamespace = quote_ident(current_schema())::regnamespace
     ) granted
     where grantee in (select oid from pg_roles where rolname = any($1))
     union all
     select 'public', 'create in the schema' where has_schema_privilege('public', current_schema(), 'create')
     union all
     select role_name, 'append to ' || array_to_string(aggregates, ', ') from ledger_writer`,
    [served.map(roleOf)],
  );
  const standing = found.parse(rows).map(({ role, grant }) => `${role}: ${grant}`);
  const wanted = served.flatMap((service) => {
    const { tables, functions, appends } = grants[service];
    return [
      ...Object.entries(tables).flatMap(([table, allowed]) => allowed.map((each) => `${each} on ${table}`)),
      ...functions.map((name) => `execute on ${name.replaceAll(', ', ',')}`),
      `append to ${appends.join(', ')}`,
    ].map((grant) => `${roleOf(service)}: ${grant}`);
  });
  return isDeepStrictEqual(standing.sort(), wanted.sort());
}

/** The names are our own, and need no quotes. */
function statementsFor(service: ServiceName): string[] {
  const role = roleOf(service);
  const { tables, functions, appends } = grants[service];
  return [
    `do $$
     declare
       ours record;
     begin
       for ours in
         select c.oid::regclass::text as name, 'table' as kind from pg_class c
         where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relkind = 'r' and pg_has_role(c.relowner, 'usage')
         union all
         select p.oid::regprocedure::text, 'function' from pg_proc p
         where p.pronamespace = quote_ident(current_schema())::regnamespace and p.prokind = 'f' and pg_has_role(p.proowner, 'usage')
       loop
         execute format('revoke all on %s %s from ${role}', ours.kind, ours.name);
       end loop;
       execute format('grant usage on schema %I to ${role}', current_schema());
       -- Databases that were made before PostgreSQL 15 let everybody make functions there, which others would then call.
       execute format('revoke create on schema %I from public, ${role}', current_schema());
     end $$`,
    ...Object.entries(tables).map(([table, allowed]) => `grant ${allowed.join(', ')} on ${table} to ${role}`),
    ...functions.map((name) => `grant execute on function ${name} to ${role}`),
    `insert into ledger_writer (role_name, aggregates) values ('${role}', '{${appends.join()}}')
     on conflict (role_name) do update set aggregates = excluded.aggregates`,
  ];
}
