/**
 * Reads and writes many rows of a view at once. The rows go to the database as one array a column, which it takes apart with the least
 * work, and each view has one statement for any number of them; and one for each choice of columns that change. The sessions keep them
 * prepared. Whoever holds the lock of a head has told the planner to find rows by their ids (`view-head.ts`).
 */
import type { Aggregate } from '@strongroom/contracts';
import { preparedWithin } from '@strongroom/runtime';
import type { EntityManager, EntitySchema } from 'typeorm';
import { z } from 'zod';
import type { ViewRow } from './view.js';

interface Column {
  /** As it is called in the row. */
  property: string;
  /** As it is called in the table. */
  name: string;
  type: string;
}

/** JavaScript has one kind of number. Byte counts and positions stay far below 2^53. */
const asNumber = '::float8';

/** How many rows one statement looks at to find those without a stream. */
const mostSwept = 5_000;

const sweeps = z.array(z.object({ looked: z.int(), last: z.string().nullable() })).length(1);
const identity = z.object({ id: z.string(), accountId: z.string(), version: z.int() });
/** The other columns are as the table has them. */
const readRows = z.array(
  z.custom<ViewRow>((row) => identity.safeParse(row).success, 'a row of a view lacks its identity'),
);

/** A session keeps so many statements for changes of a view. Further choices of columns, which are rare, are parsed each time. */
const mostKept = 64;

/** The statement for one choice of columns that change. */
interface ChangeStatement {
  text: string;
  columns: readonly Column[];
}

export class ViewRows {
  private readonly toRead: string;
  private readonly toPut: string;
  private readonly toRenew: string;
  private readonly toRemove: string;
  private readonly columns: readonly Column[];

  private readonly toSweep: string;

  private readonly table: string;
  /** By the names of the properties, in any order. */
  private readonly toChange = new Map<string, ChangeStatement>();

  /** @param aggregate of the streams that the rows are folded from */
  constructor(aggregate: Aggregate, { options: { name, tableName, columns } }: EntitySchema) {
    const all = Object.entries(columns).map(
      ([property, column]): Column => ({
        property,
        name: `"${column?.name ?? property}"`,
        type: `${String(column?.type)}${column?.array ? '[]' : ''}`,
      }),
    );
    const table = tableName ?? name;
    this.table = table;
    const given = all.map(givenAs);
    const taken = all.map(takenFrom);
    const set = all.filter(({ property }) => property !== 'id').map((each) => `${each.name} = excluded.${each.name}`);
    this.toRead = `select ${all.map(readAs).join(', ')} from ${table} where id = any($1::uuid[])`;
    this.columns = all;
    const names = all.map((each) => each.name).join(', ');
    const toPut = (which: string) => `insert into ${table} (${names}) select ${taken.join(', ')}
      from unnest(${given.join(', ')}) as given(${names}) ${which}
      on conflict (id) do update set ${set.join(', ')}`;
    this.toPut = toPut('');
    this.toRenew = toPut(`where not exists (
        select from ${table} t where t.id = given.id and (${all.map((each) => `t.${each.name}`).join(', ')}) is not distinct from (${taken.join(', ')})
      )`);
    this.toSweep = `with step as (select id from ${table} where $1::uuid is null or id > $1 order by id limit $2), gone as (
        delete from ${table} t using step where t.id = step.id and ledger_position_of('${aggregate}-' || step.id, 1) is null returning t.id)
      select (select count(*) from step)::int as looked, (select id from step order by id desc limit 1) as last`;
    this.toRemove = `delete from ${table} where id = any($1::uuid[])`;
  }

  /** The rows that are there, by id. */
  async read(manager: EntityManager, ids: readonly string[]): Promise<Map<string, ViewRow>> {
    if (ids.length === 0) return new Map();
    const found: unknown = await preparedWithin(manager, this.toRead, [ids]);
    return new Map(readRows.parse(found).map((row) => [row.id, row]));
  }

  async put(manager: EntityManager, rows: readonly ViewRow[]): Promise<void> {
    if (rows.length > 0) await preparedWithin(manager, this.toPut, arraysOf(this.columns, rows));
  }

  /** As `put`, but a row that is there and the same is left as it is: to find that out costs much less than to write it. */
  async renew(manager: EntityManager, rows: readonly ViewRow[]): Promise<void> {
    if (rows.length > 0) await preparedWithin(manager, this.toRenew, arraysOf(this.columns, rows));
  }

  /** Changes some fields of rows. A row that is not there stays away. @param changes by id, the fields as they are to be */
  async change(manager: EntityManager, changes: ReadonlyMap<string, Partial<ViewRow>>): Promise<void> {
    const alike = new Map<ChangeStatement, { ids: string[]; some: Partial<ViewRow>[] }>();
    for (const [id, change] of changes) {
      const statement = this.statementFor(Object.keys(change));
      const { ids, some } = alike.get(statement) ?? { ids: [], some: [] };
      ids.push(id);
      some.push(change);
      alike.set(statement, { ids, some });
    }
    for (const [{ text, columns }, { ids, some }] of alike) {
      const values = [ids, ...arraysOf(columns, some)];
      if (this.toChange.size <= mostKept) await preparedWithin(manager, text, values);
      else await manager.query(text, values);
    }
  }

  private statementFor(properties: readonly string[]): ChangeStatement {
    const known = this.toChange.get(properties.join());
    if (known) return known;
    const columns = this.columns.filter(({ property }) => properties.includes(property));
    const inOrder = columns.map(({ property }) => property).join();
    const statement = this.toChange.get(inOrder) ?? {
      text: `update ${this.table} t set ${columns.map((each) => `${each.name} = ${takenFrom(each)}`).join(', ')}
        from unnest($1::uuid[], ${columns.map((each, at) => givenAs(each, at + 1)).join(', ')})
          as given(of_row, ${columns.map((each) => each.name).join(', ')}) where t.id = given.of_row`,
      columns,
    };
    for (const key of [inOrder, properties.join()]) this.toChange.set(key, statement);
    return statement;
  }

  /**
   * Removes those of the next rows that have no stream, in order of id. Nobody else writes such a row, so no lock is needed.
   * @returns the row after which there are more; undefined when there are none
   */
  async sweep(manager: EntityManager, after: string | undefined): Promise<string | undefined> {
    const found: unknown = await manager.query(this.toSweep, [after ?? null, mostSwept]);
    const [step] = sweeps.parse(found);
    return step?.looked === mostSwept ? (step.last ?? undefined) : undefined;
  }

  async remove(manager: EntityManager, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await preparedWithin(manager, this.toRemove, [ids]);
  }
}

/** One array for each column. */
function arraysOf(columns: readonly Column[], rows: readonly Partial<ViewRow>[]): string[] {
  return columns.map(({ property, type }) =>
    arrayOf(
      type,
      rows.map((row): unknown => Reflect.get(row, property)),
    ),
  );
}

/** An array as PostgreSQL reads it. The driver would make the same text with much more work. */
function arrayOf(type: string, values: readonly unknown[]): string {
  // An array within an array would be taken apart with it, so it is text; and so is JSON.
  if (isArray(type))
    return `{${values.map((value) => (Array.isArray(value) ? quoted(arrayOf('text', value)) : 'NULL')).join(',')}}`;
  if (type === 'jsonb')
    return `{${values.map((value) => (value == null ? 'NULL' : quoted(JSON.stringify(value)))).join(',')}}`;
  return `{${values.map(element).join(',')}}`;
}

function element(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'string') return quoted(value);
  return value instanceof Date ? value.toISOString() : String(value);
}

const special = /["\\]/;
const eachSpecial = /["\\]/g;

function quoted(text: string): string {
  return special.test(text) ? `"${text.replaceAll(eachSpecial, '\\$&')}"` : `"${text}"`;
}

function givenAs({ type }: Column, at: number): string {
  return `$${at + 1}::${isArray(type) ? 'text' : type}[]`;
}

function takenFrom({ name, type }: Column): string {
  return `given.${name}${isArray(type) ? `::${type}` : ''}`;
}

function isArray(type: string): boolean {
  return type.endsWith('[]');
}

function readAs({ property, name, type }: Column): string {
  return `${name}${type === 'bigint' ? asNumber : ''} as "${property}"`;
}
