/** Connections to a customer's server, for the replication protocol or for SQL. Each has a limit to its silence. */
import { Socket } from 'node:net';
import pg from 'pg';
import type { EngineTarget } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import type { Patience } from './backup/base-backup.js';
import { SilenceLimit } from './silence-limit.js';
import { tlsOf } from './tls.js';

/** How long the engine waits, in milliseconds. */
export interface ServerPatience extends Patience {
  /** Until a connection is there. */
  connectMs: number;
  /** Until the server answers anything but the backup itself. */
  answerMs: number;
}

export interface ServerConnection {
  client: pg.Client;
  silence: SilenceLimit;
  /** Rejects everything that waits for an answer. `client.end()` would leave a connect waiting for ever. */
  destroy(): void;
}

/** Makes a connection, without connecting yet. @param connectMs how long connecting may take */
export function connectionTo(target: EngineTarget, speaks: 'replication' | 'sql', connectMs: number): ServerConnection {
  const socket = new Socket();
  const { endpoint, password } = target;
  const { host, port, user, database } = endpoint;
  const config: pg.ClientConfig & { replication?: string } = {
    host,
    port,
    user,
    database,
    password,
    ssl: tlsOf(target),
    application_name: 'strongroom',
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    ...(speaks === 'replication' && { replication: 'true' }),
    stream: () => socket,
  };
  const client = new pg.Client(config);
  // The code that waits for an answer gets the errors. At other times an error must not end the process.
  client.on('error', () => {});
  return { client, silence: new SilenceLimit(socket), destroy: () => socket.destroy() };
}

export function unanswered(seconds: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The server did not answer for ${seconds} s. See whether the server or the network hangs.`,
  );
}

export function cancelled(cause?: unknown): EngineFault {
  return new EngineFault('cancelled', 'The backup was cancelled.', { cause });
}
