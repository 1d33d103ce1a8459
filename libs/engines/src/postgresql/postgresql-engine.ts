/**
 * PostgreSQL 15 and newer: a full physical backup over the replication protocol, by nothing but a connection. The server
 * keeps the WAL that the backup needs by a temporary slot, which ends with the connection however that ends.
 */
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import pg from 'pg';
import {
  Engine,
  type EngineBackup,
  type EngineResult,
  type EngineTarget,
  type RestoredFolder,
  type RestoreSource,
} from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { type BackupStart, BaseBackup } from './base-backup.js';
import { restoreDataDirectory } from './restore.js';
import { faultOfServer } from './server-fault.js';

export interface PostgresqlEngineOptions {
  /** How long the server may send nothing. Its first checkpoint may take a while. Default two minutes. */
  stallMs?: number;
  /** Default ten seconds. */
  connectMs?: number;
}

interface Server {
  version: string;
  versionNumber: number;
  systemId: string;
  blockSize: number;
}

const oldestVersion = 150_000;

export class PostgresqlEngine extends Engine {
  readonly datastoreType = 'postgresql';

  constructor(private readonly options: PostgresqlEngineOptions = {}) {
    super();
  }

  async backup(target: EngineTarget, { label, signal }: { label: string; signal: AbortSignal }): Promise<EngineBackup> {
    const socket = new Socket();
    const client = this.client(target, socket);
    const command = new BaseBackup({ label, stallMs: this.options.stallMs ?? 120_000 });
    // Destroying the socket rejects whatever waits for an answer; `client.end()` would leave a connect waiting for ever.
    const stop = () => {
      command.abort(cancelled());
      socket.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    // Errors of the connection reach whoever waits for an answer; outside of that there is nobody to tell.
    client.on('error', () => {});
    try {
      if (signal.aborted) throw cancelled();
      await client.connect();
      const server = await describe(client);
      const slot = `strongroom_${randomBytes(6).toString('hex')}`;
      await client.query(`CREATE_REPLICATION_SLOT "${slot}" TEMPORARY PHYSICAL (RESERVE_WAL)`);
      client.query(command);
      const start = await command.begun;
      const result = command.ended
        .then((endLsn) => resultOf(server, start, endLsn))
        .finally(() => {
          signal.removeEventListener('abort', stop);
          void client.end();
        });
      result.catch(() => {});
      return { objects: command.objects, estimatedBytes: start.estimatedBytes, result };
    } catch (error) {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      throw signal.aborted ? cancelled(error) : faultOfServer(error);
    }
  }

  restore(source: RestoreSource, directory: string, progress?: (bytes: number) => void): Promise<RestoredFolder> {
    return restoreDataDirectory(source, directory, progress);
  }

  private client({ endpoint, password }: EngineTarget, socket: Socket): pg.Client {
    const { host, port, user, database, tls } = endpoint;
    const config: pg.ClientConfig & { replication: string } = {
      host,
      port,
      user,
      database,
      password,
      ssl: tls === 'disable' ? false : { rejectUnauthorized: tls === 'verify-full' },
      application_name: 'strongroom',
      connectionTimeoutMillis: this.options.connectMs ?? 10_000,
      keepAlive: true,
      replication: 'true',
      stream: () => socket,
    };
    return new pg.Client(config);
  }
}

async function describe(client: pg.Client): Promise<Server> {
  const show = async (name: string) =>
    String(Object.values((await client.query<Record<string, unknown>>(`SHOW ${name}`)).rows[0] ?? {})[0] ?? '');
  const versionNumber = Number(await show('server_version_num'));
  const version = (await show('server_version')).split(' ')[0] ?? '';
  if (versionNumber < oldestVersion) {
    throw new EngineFault(
      'version-unsupported',
      `The server is PostgreSQL ${version}; backups are taken of version 15 and newer. Upgrade the server.`,
    );
  }
  const { rows } = await client.query<{ systemid: unknown }>('IDENTIFY_SYSTEM');
  return {
    version,
    versionNumber,
    systemId: String(rows[0]?.systemid ?? ''),
    blockSize: Number(await show('block_size')),
  };
}

function resultOf(server: Server, { timeline, startLsn, tablespaces }: BackupStart, endLsn: string): EngineResult {
  return {
    datastore: { type: 'postgresql', version: server.version },
    facts: {
      serverVersion: server.version,
      serverVersionNumber: server.versionNumber,
      systemId: server.systemId,
      timeline,
      startLsn,
      endLsn,
      blockSize: server.blockSize,
      tablespaces: tablespaces.map(({ oid, location }) => ({ oid, location })),
    },
  };
}

function cancelled(cause?: unknown): EngineFault {
  return new EngineFault('cancelled', 'The backup was cancelled.', { cause });
}
