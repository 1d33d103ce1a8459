/** Reads every table of a server to its last row, and tells the number of rows and a digest of them. */
import { messageOf } from '@strongroom/contracts';
import type pg from 'pg';
import { z } from 'zod';
import type { ReadDatabase, ReadTable } from '../../trial.js';
import type { ScratchServer } from './scratch-server.js';

const names = z.array(z.object({ name: z.string() }));
const found = z.tuple([z.object({ rows: z.string(), digest: z.string() })]);
/** Leaves out a database whose dropping was cut off: nobody can connect to it, and it can only be dropped again. */
const databases = 'select datname as name from pg_database where datallowconn and datconnlimit <> -2 order by 1';
/** Leaves out the tables of sessions that are over, and views that were never filled. */
const tables = `select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and c.relpersistence <> 't' and (c.relkind = 'r' or c.relispopulated) order by 1`;

/** @throws naming the database and the table that can't be read */
export async function readTables(server: ScratchServer): Promise<ReadDatabase[]> {
  const list = await within(server, 'template1', async (client) => names.parse((await client.query(databases)).rows));
  const read: ReadDatabase[] = [];
  for (const { name } of list) {
    read.push({ name, tables: await within(server, name, (client) => readAll(client, name)) });
  }
  return read;
}

async function readAll(client: pg.Client, database: string): Promise<ReadTable[]> {
  const read: ReadTable[] = [];
  for (const { name } of names.parse((await client.query(tables)).rows)) {
    // (t.*) is the whole row, also where a column has the name of the alias.
    const all = `select count(*)::text as rows, coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0)::text as digest from only ${name} t`;
    try {
      const [{ rows, digest }] = found.parse((await client.query(all)).rows);
      read.push({ name, rows, digest });
    } catch (error) {
      const why = messageOf(error);
      throw new Error(`Table ${name} of database ${database} can't be read: ${why}`, { cause: error });
    }
  }
  return read;
}

async function within<T>(server: ScratchServer, database: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await server.connect(database);
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
