/** The peer of a POST: pgbench with one durable statement that writes a key and an event, each as the ledger has them, in a schema of its own. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { postgresTool } from './stack.mjs';

const run = promisify(execFile);
const seconds = 3;
// pgbench takes a colon and a word for a variable of its own.
const definition = JSON.stringify({
  dayOfWeek: 2,
  hour: 3,
  minute: 30,
  fullBackupRetention: 2,
  copyTo: ['IAD', 'ORD'],
  paused: false,
}).replaceAll(':', ': ');

const tables = `
  create schema bench_peer;
  create table bench_peer.kept
    (account text, key text, digest bytea, resource uuid, begun timestamptz default now(), primary key (account, key));
  create table bench_peer.event (position bigint generated always as identity primary key, id uuid, stream text, version int,
    type text, account text, at timestamptz default now(), data jsonb, context jsonb, unique (stream, version));
  create index on bench_peer.event (account, position);`;

const statement = `with made as (select gen_random_uuid() as id), kept as (
    insert into kept (account, key, digest, resource) select 'acme', id::text, sha256(id::text::bytea), id from made)
  insert into event (id, stream, version, type, account, data, context)
  select id, 'schedule-' || id, 1, 'ScheduleCreated', 'acme',
    jsonb_build_object('scheduleId', id, 'instanceId', id, 'definition', '${definition}'::jsonb),
    '{"requestId": "00000000-0000-0000-0000-000000000000", "actor": "bench", "causationId": null}'
  from made;`;

/** @returns runs the statement by so many clients: how often a second, and how long each took in milliseconds */
export async function preparePgbench(stack, folder) {
  const client = new pg.Client({ connectionString: stack.postgres });
  await client.connect();
  await client.query(tables);
  await client.end();
  const script = join(folder, 'append.sql');
  writeFileSync(script, `${statement.replaceAll('\n', ' ')}\n`);
  // libpq reads a plus sign as it is.
  const url = `${stack.postgres}?options=-c%20search_path%3Dbench_peer`;
  return async (clients) => {
    const given = ['-n', '-M', 'prepared', '-f', script, '-c', clients, '-j', 1, '-T', seconds, url];
    const { stdout } = await run(postgresTool('pgbench') ?? 'pgbench', given.map(String));
    const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
    const latencyMs = Number(/latency average = ([\d.]+)/.exec(stdout)?.[1]);
    if (!(perSecond > 0)) throw new Error(`pgbench told no rate: ${stdout}`);
    return { perSecond, latencyMs };
  };
}
