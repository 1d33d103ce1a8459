/**
 * The engine of PostgreSQL 15 and newer. Incremental backups need version 17, and servers of version 18 are built from
 * backups. This file is the way in: what it calls lies in backup/, chain/, restore/ and host/.
 */
import type { Endpoint, EngineFacts } from '@strongroom/contracts';
import {
  type Abilities,
  type BackupOptions,
  Engine,
  type EngineBackup,
  type EngineTarget,
  type OutsideOption,
  type Possibility,
  type RestoredFolder,
  type RestoreOptions,
  type RestoreSource,
  type ServerDescription,
  type ServerTest,
} from '../engine.js';
import { EngineFault, IncrementalNotPossible } from '../engine-fault.js';
import type { Guests } from '../guests.js';
import type { ServerHost } from '../server-host.js';
import { endingWithin } from '../time-limit.js';
import type { Trial, TrialOptions } from '../trial.js';
import { asTold } from '../unknown-host.js';
import { manifestName } from './backup/base-backup.js';
import { takeBackup } from './backup/take-backup.js';
import { againstServer, againstVersion, notPossible } from './chain/grounds.js';
import { whyNoDescendant } from './chain/lineage.js';
import { dropReplicationSlot, replicationSlotOf } from './chain/replication-slot.js';
import { WalSummaries } from './chain/wal-summaries.js';
import { cancelled, ServerConnection, type ServerPatience } from './connection.js';
import { PostgresqlHost } from './host/postgresql-host.js';
import { tryOut } from './host/try-out.js';
import { restoreDataDirectory } from './restore/restore.js';
import { describe, factsOf, historyOf, type Server } from './server.js';
import { testServer } from './server-test.js';

/** The first checkpoint of a backup writes all of `shared_buffers`, and the disk may be slow. */
const usualPatience: ServerPatience = {
  beginMs: 1_800_000,
  stallMs: 120_000,
  heldMs: 600_000,
  connectMs: 10_000,
  answerMs: 120_000,
};

/** There is no place in a vault for log batches yet. */
const noLog: Possibility = { isPossible: false, why: 'Strongroom does not take the WAL of PostgreSQL yet.' };

export class PostgresqlEngine extends Engine {
  readonly datastoreType = 'postgresql';
  readonly usual = { user: 'postgres', database: 'postgres' };
  readonly versions = ['18', '17', '16', '15'] as const;
  readonly readByIncrementals = [manifestName];
  readonly outside: OutsideOption = {
    name: 'tablespace',
    help: 'where a tablespace goes, by its oid or by where the server had it; may be given more than once. Without it: TO.tablespaces/OID. A = in a path is written \\=',
    example: '16413=/fast/restored or /fast/data=/fast/restored',
  };

  private readonly patience: ServerPatience;

  constructor(patience: Partial<ServerPatience> = {}) {
    super();
    this.patience = { ...usualPatience, ...patience };
  }

  abilitiesOf(version: string): Abilities {
    const against = againstVersion(version, Number.parseInt(version, 10));
    return { incremental: against ? { isPossible: false, why: against.reason } : { isPossible: true }, log: noLog };
  }

  async describe(target: EngineTarget, signal: AbortSignal): Promise<ServerDescription> {
    const { server, facts } = await this.asking(target, { speaks: 'replication', signal }, async (connection) => {
      const server = await describe(connection);
      return { server, facts: factsOf(server, await historyOf(connection, server.timeline)) };
    });
    return {
      datastore: { type: this.datastoreType, version: server.version },
      facts,
      incremental: await this.incrementalOf(server, target, signal),
      log: noLog,
    };
  }

  async test(
    target: EngineTarget,
    { withinMs, signal = new AbortController().signal }: { withinMs: number; signal?: AbortSignal },
  ): Promise<ServerTest> {
    const ending = endingWithin(withinMs, signal);
    const inTime = async <T>(asked: Promise<T>): Promise<T> => {
      try {
        return await asked;
      } catch (error) {
        if (!ending.aborted) throw error;
        signal.throwIfAborted();
        const late = new EngineFault(
          'server-stalled',
          `Nothing came of it within ${withinMs / 1_000} s. See that the host and the port are right, and that no firewall drops what is sent there.`,
          { cause: error },
        );
        throw asTold(late, target, false);
      }
    };
    return testServer(target, {
      replication: (ask) => inTime(this.asking(target, { speaks: 'replication', signal: ending }, ask)),
      database: (ask) => inTime(this.asking(target, { speaks: 'sql', signal: ending }, ask)),
      summaries: () =>
        inTime(WalSummaries.open(target, this.patience, { signal: ending }).then((open) => open.close())),
    });
  }

  backup(target: EngineTarget, options: BackupOptions): Promise<EngineBackup> {
    return takeBackup(target, options, this.patience);
  }

  whyNoDescendant(former: EngineFacts, now: EngineFacts): string | undefined {
    return whyNoDescendant(former, now);
  }

  chainMarker(backupId: string): string {
    return replicationSlotOf(backupId);
  }

  async release(target: EngineTarget, backupIds: readonly string[], signal: AbortSignal): Promise<void> {
    await this.asking(target, { speaks: 'replication', signal }, async (connection) => {
      for (const id of backupIds) await dropReplicationSlot(connection, replicationSlotOf(id));
    });
  }

  describeLeftover(backupId: string, { host, port }: Endpoint): string {
    const name = replicationSlotOf(backupId);
    return `replication slot ${name} may be left on ${host}:${port}. If it is there, drop it: select pg_drop_replication_slot('${name}')`;
  }

  restore(chain: readonly RestoreSource[], directory: string, options?: RestoreOptions): Promise<RestoredFolder> {
    return restoreDataDirectory(chain, directory, options);
  }

  tryOut(options: TrialOptions): Promise<Trial> {
    return tryOut(options);
  }

  serve(folder: string, guests?: Guests): ServerHost {
    return new PostgresqlHost(folder, guests);
  }

  /** Judges what the server says of itself, and then tries whether its WAL summaries can be read. */
  private async incrementalOf(server: Server, target: EngineTarget, signal: AbortSignal): Promise<Possibility> {
    const against = againstServer(server);
    if (against) return { isPossible: false, why: notPossible(against).message };
    try {
      (await WalSummaries.open(target, this.patience, { signal })).close();
      return { isPossible: true };
    } catch (error) {
      if (error instanceof IncrementalNotPossible && !signal.aborted) return { isPossible: false, why: error.message };
      throw signal.aborted ? cancelled(error) : error;
    }
  }

  /** Connects, asks, and closes the connection. @throws {EngineFault} */
  private async asking<T>(
    target: EngineTarget,
    { speaks, signal }: { speaks: 'replication' | 'sql'; signal: AbortSignal },
    ask: (connection: ServerConnection) => Promise<T>,
  ): Promise<T> {
    let connection: ServerConnection | undefined;
    const stop = () => connection?.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { connectMs, answerMs } = this.patience;
      connection = await ServerConnection.open(target, speaks, { connectMs, answerMs, signal });
      const answer = await ask(connection);
      await connection.close();
      return answer;
    } catch (error) {
      stop();
      throw signal.aborted ? cancelled(error) : (connection?.faultOf(error) ?? error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
