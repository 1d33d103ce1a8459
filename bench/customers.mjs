/** Servers to back up in a measurement, and their backups through the API of the stack. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Client } from '../dist/libs/client/src/index.js';
import { PostgresServer } from '../dist/libs/server-processes/src/index.js';

const sampleMs = 250;
const password = 'bench';

/** A server of so many gigabytes. @param fill as in `fillings.mjs` */
export async function startCustomer(place, name, fill, gigabytes) {
  const server = await PostgresServer.start({
    directory: join(place.folder, name),
    password,
    settings: { fsync: 'off', max_wal_size: '8GB', shared_buffers: '256MB' },
    logFile: join(place.folder, `${name}.log`),
  });
  place.undo.push(() => server.stop());
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await fill(client, gigabytes);
  await client.query('checkpoint');
  await client.end();
  return server;
}

/**
 * Backs a server up, and copies the backup to regions at the same time.
 * @param sampled is called a few times a second meanwhile
 * @returns the backup as the API tells it, when every copy is there
 */
export async function backUpAndCopy(stack, server, { to, sampled }) {
  const client = new Client({ baseUrl: stack.api, accountId: stack.accountId, token: stack.tokens.admin });
  const connection = { host: '127.0.0.1', port: server.port, user: 'postgres', password, database: 'postgres' };
  const datastore = { type: 'postgresql', version: '18' };
  const instance = await client.instances.register({
    name: 'bench',
    datastore,
    connection: { ...connection, tls: 'disable' },
  });
  const { id } = await client.backups.create({ name: 'bench', instance: instance.id, copy_to: to });
  for (let looks = 1; ; looks += 1) {
    await delay(sampleMs);
    sampled();
    if (looks % 4 !== 0) continue;
    const seen = await client.backups.get(id);
    if (seen.status === 'FAILED') throw new Error(seen.fault.message);
    const failed = seen.copies.find(({ status }) => status === 'FAILED');
    if (failed) throw new Error(failed.fault.message);
    if (seen.copies.length === to.length && seen.copies.every(({ status }) => status === 'COMPLETED')) return seen;
  }
}

/** How long a backup took, or a copy. */
export function secondsOf({ started, completed }) {
  return (Date.parse(completed) - Date.parse(started)) / 1_000;
}
