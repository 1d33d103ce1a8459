/**
 * PostgreSQL 15 and newer: physical backups over the replication protocol, and incremental ones of 17 and newer, by
 * nothing but a connection. The server keeps the WAL that the backup needs by a temporary slot, which ends with the
 * connection however that ends.
 */
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import pg from 'pg';
import {
  type BackupOptions,
  Engine,
  type EngineBackup,
  type EngineResult,
  type EngineTarget,
  type RestoredFolder,
  type RestoreOptions,
  type RestoreSource,
} from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { type BackupStart, BaseBackup, type Patience } from './base-backup.js';
import { beginChain, buildOn, type ChainFacts, manifestOf, notBuiltOn, whyNot } from './chain.js';
import { chainSlotOf, dropChainSlot } from './chain-slot.js';
import { restoreDataDirectory } from './restore.js';
import { describe, type Server } from './server.js';
import { faultOfServer } from './server-fault.js';
import { SilenceLimit } from './silence-limit.js';

/** How long is waited for what, in milliseconds. */
export interface PostgresqlEngineOptions extends Partial<Patience> {
  /** For a connection. */
  connectMs?: number;
  /** For a sign of life in answer to anything but the backup itself. */
  answerMs?: number;
}

/** The first checkpoint writes all of `shared_buffers`, be the disk slow. */
const patience: Required<PostgresqlEngineOptions> = {
  beginMs: 1_800_000,
  stallMs: 120_000,
  heldMs: 600_000,
  connectMs: 10_000,
  answerMs: 120_000,
};

export class PostgresqlEngine extends Engine {
  readonly datastoreType = 'postgresql';

  private readonly patience: Required<PostgresqlEngineOptions>;

  constructor(options: PostgresqlEngineOptions = {}) {
    super();
    this.patience = { ...patience, ...options };
  }

  async backup(target: EngineTarget, options: BackupOptions): Promise<EngineBackup> {
    const { backupId, signal, parent } = options;
    const ofParent = parent && { manifest: parent.manifest, ofServer: await manifestOf(parent) };
    const socket = new Socket();
    const silence = new SilenceLimit(socket);
    const client = this.client(target, socket);
    const command = new BaseBackup({
      label: `strongroom ${backupId}`,
      silence,
      patience: this.patience,
      isIncremental: parent !== undefined,
    });
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
      silence.set(this.patience.answerMs, unanswered);
      const server = await describe(client);
      const slot = `strongroom_${randomBytes(6).toString('hex')}`;
      await client.query(`CREATE_REPLICATION_SLOT "${slot}" TEMPORARY PHYSICAL (RESERVE_WAL)`);
      const chain = ofParent
        ? await buildOn(client, server, ofParent.manifest, ofParent.ofServer)
        : await beginChain(client, server, backupId);
      client.query(command);
      const start = await command.begun.catch((error: unknown) => {
        throw parent ? notBuiltOn(error) : error;
      });
      const result = command.ended
        .then((endLsn) => resultOf(server, start, endLsn, chain))
        .finally(() => {
          signal.removeEventListener('abort', stop);
          void client.end();
        });
      result.catch(() => {});
      return { objects: command.objects, estimatedBytes: start.estimatedBytes, result };
    } catch (error) {
      signal.removeEventListener('abort', stop);
      socket.destroy();
      throw signal.aborted ? cancelled(error) : (silence.fault ?? faultOfServer(error));
    }
  }

  async whyNotIncremental(target: EngineTarget, signal: AbortSignal): Promise<string | undefined> {
    return this.asking(target, signal, async (client) => whyNot(await describe(client)));
  }

  async endChains(target: EngineTarget, fullBackupIds: readonly string[], signal: AbortSignal): Promise<void> {
    await this.asking(target, signal, async (client) => {
      for (const id of fullBackupIds) await dropChainSlot(client, chainSlotOf(id));
    });
  }

  restore(chain: readonly RestoreSource[], directory: string, options?: RestoreOptions): Promise<RestoredFolder> {
    return restoreDataDirectory(chain, directory, options);
  }

  /** @throws {EngineFault} */
  private async asking<T>(
    target: EngineTarget,
    signal: AbortSignal,
    ask: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    const socket = new Socket();
    const silence = new SilenceLimit(socket);
    const client = this.client(target, socket);
    client.on('error', () => {});
    const stop = () => socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) throw cancelled();
      await client.connect();
      silence.set(this.patience.answerMs, unanswered);
      const answer = await ask(client);
      await client.end();
      return answer;
    } catch (error) {
      socket.destroy();
      throw signal.aborted ? cancelled(error) : (silence.fault ?? faultOfServer(error));
    } finally {
      signal.removeEventListener('abort', stop);
    }
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
      connectionTimeoutMillis: this.patience.connectMs,
      keepAlive: true,
      replication: 'true',
      stream: () => socket,
    };
    return new pg.Client(config);
  }
}

function resultOf(
  server: Server,
  { timeline, startLsn, tablespaces }: BackupStart,
  endLsn: string,
  chain: ChainFacts,
): EngineResult {
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
      ...chain,
      tablespaces: tablespaces.map(({ oid, location }) => ({ oid, location })),
    },
  };
}

function unanswered(seconds: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The server did not answer for ${seconds} s. See whether the server or the network hangs.`,
  );
}

function cancelled(cause?: unknown): EngineFault {
  return new EngineFault('cancelled', 'The backup was cancelled.', { cause });
}
