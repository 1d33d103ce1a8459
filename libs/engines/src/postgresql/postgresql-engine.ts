/**
 * PostgreSQL 15 and newer: a full physical backup over the replication protocol, by nothing but a connection. The server
 * keeps the WAL that the backup needs by a temporary slot, which ends with the connection however that ends.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Engine, type EngineBackup, type EngineResult, type EngineTarget, type RestoreSource } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { BaseBackup } from './base-backup.js';
import { restoreDataDirectory } from './restore.js';
import { faultOfServer } from './server-fault.js';

export interface PostgresqlEngineOptions {
  /** How long the server may send nothing. Its first checkpoint may take a while. Default two minutes. */
  stallMs?: number;
  /** Default ten seconds. */
  connectMs?: number;
}

const oldestVersion = 150_000;

export class PostgresqlEngine extends Engine {
  readonly datastoreType = 'postgresql';

  constructor(private readonly options: PostgresqlEngineOptions = {}) {
    super();
  }

  async backup(target: EngineTarget, { label, signal }: { label: string; signal: AbortSignal }): Promise<EngineBackup> {
    signal.throwIfAborted();
    const client = this.client(target);
    const command = new BaseBackup({ label, stallMs: this.options.stallMs ?? 120_000 });
    const stop = () => {
      command.abort(new EngineFault('cancelled', 'The backup was cancelled.'));
      void client.end().catch(() => {});
    };
    // Errors of the connection reach whoever waits for an answer; outside of that there is nobody to tell.
    client.on('error', () => {});
    signal.addEventListener('abort', stop, { once: true });
    const end = async () => {
      signal.removeEventListener('abort', stop);
      await client.end().catch(() => {});
    };
    try {
      await client.connect();
      const server = await describe(client);
      await client.query(
        `CREATE_REPLICATION_SLOT "strongroom_${randomBytes(6).toString('hex')}" TEMPORARY PHYSICAL (RESERVE_WAL)`,
      );
      client.query(command);
      const start = await command.begun;
      const result = command.ended.then(
        (endLsn): EngineResult => ({
          datastore: { type: this.datastoreType, version: server.version },
          facts: {
            serverVersion: server.version,
            serverVersionNumber: server.versionNumber,
            systemId: server.systemId,
            timeline: start.timeline,
            startLsn: start.startLsn,
            endLsn,
            blockSize: server.blockSize,
            tablespaces: start.tablespaces.map(({ oid, location }) => ({ oid, location })),
          },
        }),
      );
      result.then(end, end).catch(() => {});
      return { objects: command.objects, estimatedBytes: start.estimatedBytes, result };
    } catch (error) {
      await end();
      if (signal.aborted) throw new EngineFault('cancelled', 'The backup was cancelled.', { cause: error });
      throw faultOfServer(error);
    }
  }

  restore(source: RestoreSource, directory: string, progress?: (bytes: number) => void): Promise<void> {
    return restoreDataDirectory(source, directory, progress);
  }

  private client({ endpoint, password }: EngineTarget): pg.Client {
    const { host, port, user, database, tls } = endpoint;
    const replication: pg.ClientConfig & { replication: string } = {
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
    };
    return new pg.Client(replication);
  }
}

async function describe(
  client: pg.Client,
): Promise<{ version: string; versionNumber: number; systemId: string; blockSize: number }> {
  const show = async (name: string) =>
    String(Object.values((await client.query(`SHOW ${name}`)).rows[0] ?? {})[0] ?? '');
  const versionNumber = Number(await show('server_version_num'));
  const version = (await show('server_version')).split(' ')[0] ?? '';
  if (versionNumber < oldestVersion) {
    throw new EngineFault(
      'version-unsupported',
      `The server is PostgreSQL ${version}; backups are taken of version 15 and newer.`,
    );
  }
  const { rows } = await client.query('IDENTIFY_SYSTEM');
  return {
    version,
    versionNumber,
    systemId: String(rows[0]?.systemid ?? ''),
    blockSize: Number(await show('block_size')),
  };
}
