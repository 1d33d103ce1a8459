/** Whether a session may change the schema of the ledger, and which migrations are missing there. */
import { Fault } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { migrations } from './migrations.js';

/** A newer schema is needed, and the service may not make it. Waiting helps: somebody else makes it. */
export class SchemaFault extends Fault<'schema-not-up-to-date'> {
  override readonly name = 'SchemaFault';

  constructor(missing: readonly string[]) {
    super(
      'schema-not-up-to-date',
      true,
      `the schema of the database is not up to date: it lacks ${missing.join(', ')}. The role of this service may not change it. Run: strongroom migrate, with the URL of the owner of the database.`,
    );
  }
}

/** The role may not change the schema, and somebody has asked for that. */
export class NotOwnerFault extends Fault<'not-the-owner'> {
  override readonly name = 'NotOwnerFault';

  constructor(role: string) {
    super(
      'not-the-owner',
      false,
      `${role} does not own the tables of the ledger, so it can neither change the schema nor give rights. Log in as the role that owns them.`,
    );
  }
}

const owners = z.array(z.object({ owns: z.boolean() })).length(1);
const names = z.array(z.object({ name: z.string() }));

/** Whether the role of the session owns the tables, or may make them where there are none yet. */
export async function ownsSchema(dataSource: DataSource): Promise<boolean> {
  const rows: unknown = await dataSource.query(
    `select coalesce(
       (select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = to_regclass('schema_migration')),
       has_schema_privilege(current_schema(), 'create'), false) as owns`,
  );
  return owners.parse(rows)[0]?.owns ?? false;
}

/** @throws {NotOwnerFault} when the role of the session may not change the schema */
export async function mustOwnSchema(dataSource: DataSource): Promise<void> {
  if (await ownsSchema(dataSource)) return;
  const rows: unknown = await dataSource.query('select current_user::text as name');
  throw new NotOwnerFault(names.parse(rows)[0]?.name ?? 'the role');
}

/** @throws {SchemaFault} when a migration of this version was not run there */
export async function mustBeUpToDate(dataSource: DataSource): Promise<void> {
  const there: unknown = await dataSource.query(
    `select to_regclass('schema_migration')::text as name where to_regclass('schema_migration') is not null`,
  );
  const done: unknown =
    names.parse(there).length === 0 ? [] : await dataSource.query('select name from schema_migration');
  const known = new Set(names.parse(done).map(({ name }) => name));
  const missing = migrations.map(({ name }) => name).filter((name) => !known.has(name));
  if (missing.length > 0) throw new SchemaFault(missing);
}
