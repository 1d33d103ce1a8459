/**
 * PostgreSQL 15 and newer: physical backups over the replication protocol, and incremental ones of 17 and newer, by
 * nothing but a connection. The server keeps the WAL that the backup needs by a temporary slot, which ends with the
 * connection however that ends.
 */
import { randomBytes } from 'node:crypto';
import { messageOf, type VaultManifest } from '@strongroom/contracts';
import type pg from 'pg';
import {
  type BackupOptions,
  Engine,
  type EngineBackup,
  type EngineObject,
  type EngineResult,
  type EngineTarget,
  type RestoredFolder,
  type RestoreOptions,
  type RestoreSource,
} from '../engine.js';
import { EngineFault, IncrementalNotPossible } from '../engine-fault.js';
import type { ServerHost } from '../server-host.js';
import { type BackupStart, BaseBackup, type Patience } from './backup/base-backup.js';
import { buildOn, noParent, notBuiltOn, parentFacts } from './chain/chain.js';
import { chainSlotOf, dropChainSlot, leaveSlot } from './chain/chain-slot.js';
import { againstServer, type Ground, madeAtEnd, notPossible } from './chain/grounds.js';
import { limitBlocksName, limitBlocksObject } from './chain/limit-list.js';
import { historyText, whyNoDescendant } from './chain/lineage.js';
import { WalSummaries } from './chain/wal-summaries.js';
import { connectionTo, unanswered } from './connection.js';
import { PostgresqlHost } from './host/postgresql-host.js';
import { restoreDataDirectory } from './restore/restore.js';
import { describe, historyOf, type Server } from './server.js';
import { faultOfServer } from './server-fault.js';

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
  readonly usual = { user: 'postgres', database: 'postgres' };

  private readonly patience: Required<PostgresqlEngineOptions>;

  constructor(options: PostgresqlEngineOptions = {}) {
    super();
    this.patience = { ...patience, ...options };
  }

  async backup(target: EngineTarget, options: BackupOptions): Promise<EngineBackup> {
    const { backupId, signal, parent } = options;
    const connection = connectionTo(target, 'replication', this.patience.connectMs);
    const { client, silence } = connection;
    const command = new BaseBackup({
      label: `strongroom ${backupId}`,
      silence,
      patience: this.patience,
      isIncremental: parent !== undefined,
    });
    let summaries: WalSummaries | undefined;
    const stop = () => {
      command.abort(cancelled());
      connection.destroy();
      summaries?.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) throw cancelled();
      await client.connect();
      silence.set(this.patience.answerMs, unanswered);
      const server = await describe(client);
      if (parent) {
        silence.set(this.patience.heldMs, unread);
        await buildOn(client, server, parent);
        silence.set(this.patience.answerMs, unanswered);
      }
      const temporary = `strongroom_${randomBytes(6).toString('hex')}`;
      await client.query(`CREATE_REPLICATION_SLOT "${temporary}" TEMPORARY PHYSICAL (RESERVE_WAL)`);
      if (parent) summaries = await WalSummaries.open(target, this.patience, { signal, temporarySlot: temporary });
      if (signal.aborted) throw cancelled();
      client.query(command);
      const start = await command.begun.catch((error: unknown) => {
        throw parent ? notBuiltOn(error) : error;
      });
      const limits = summaries && parent && (await limitsOf(summaries, server, parent.manifest, start));
      const result = command.ended
        .then(async (endLsn) => {
          silence.set(this.patience.answerMs, unanswered);
          const left = await afterwards(client, server, {
            backupId,
            temporary,
            timeline: start.timeline,
            isIncremental: parent !== undefined,
          });
          return resultOf(server, start, endLsn, { ...left, parent: parent?.manifest });
        })
        .catch((error: unknown) => {
          throw signal.aborted ? cancelled(error) : error;
        })
        .finally(() => {
          signal.removeEventListener('abort', stop);
          summaries?.close();
          void client.end();
        });
      result.catch(() => {});
      return { objects: all(limits, command.objects), estimatedBytes: start.estimatedBytes, result };
    } catch (error) {
      signal.removeEventListener('abort', stop);
      connection.destroy();
      summaries?.close();
      throw signal.aborted ? cancelled(error) : (silence.fault ?? faultOfServer(error));
    }
  }

  async whyNotIncremental(target: EngineTarget, signal: AbortSignal): Promise<string | undefined> {
    const against = await this.asking(target, signal, async (client) => againstServer(await describe(client)));
    if (against) return notPossible(against).message;
    try {
      (await WalSummaries.open(target, this.patience, { signal })).close();
      return undefined;
    } catch (error) {
      if (error instanceof IncrementalNotPossible && !signal.aborted) return error.message;
      throw signal.aborted ? cancelled(error) : error;
    }
  }

  async endChains(target: EngineTarget, backupIds: readonly string[], signal: AbortSignal): Promise<void> {
    await this.asking(target, signal, async (client) => {
      for (const id of backupIds) await dropChainSlot(client, chainSlotOf(id));
    });
  }

  whyNoDescendant(former: VaultManifest['engine'], now: VaultManifest['engine']): string | undefined {
    return whyNoDescendant(former, now);
  }

  serve(folder: string): ServerHost {
    return new PostgresqlHost(folder);
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
    const { client, silence, destroy: stop } = connectionTo(target, 'replication', this.patience.connectMs);
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) throw cancelled();
      await client.connect();
      silence.set(this.patience.answerMs, unanswered);
      const answer = await ask(client);
      await client.end();
      return answer;
    } catch (error) {
      stop();
      throw signal.aborted ? cancelled(error) : (silence.fault ?? faultOfServer(error));
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

/** What of the parent's content counts no more, as an object of the backup. */
async function limitsOf(
  summaries: WalSummaries,
  server: Server,
  parent: VaultManifest,
  start: BackupStart,
): Promise<EngineObject> {
  if (start.timeline !== parent.engine.timeline) {
    throw notPossible({
      ground: 'timeline-changed',
      reason: `The server was promoted to timeline ${start.timeline} as the backup began.`,
    });
  }
  const span = { timeline: start.timeline, startLsn: String(parent.engine.startLsn), endLsn: start.startLsn };
  const limits = await summaries.limits(span, server.blockSize);
  return { name: limitBlocksName, source: limitBlocksObject(limits, span) };
}

/** The small one first: what it needs of the server is soon done with. */
async function* all(
  first: EngineObject | undefined,
  others: AsyncIterable<EngineObject>,
): AsyncGenerator<EngineObject> {
  if (first) yield first;
  yield* others;
}

interface Left {
  history: string | null;
  slot: string | null;
  noSlot: Ground | undefined;
}

/** When the server has said that the backup is good, nothing makes it bad: without a slot nothing can be built on it. */
async function afterwards(
  client: pg.Client,
  server: Server,
  ids: { backupId: string; temporary: string; timeline: number; isIncremental: boolean },
): Promise<Left> {
  let history: string | null = null;
  try {
    const left = await historyOf(client, ids.timeline);
    history = left ? historyText(left) : null;
    const noSlot = await leaveSlot(client, server, ids);
    return { history, slot: noSlot ? null : chainSlotOf(ids.backupId), noSlot };
  } catch (error) {
    const message = messageOf(error);
    const reason = `When it had ended no replication slot could be made for it: ${message}.`;
    return { history, slot: null, noSlot: { ground: 'no-slot-free', reason } };
  }
}

function resultOf(
  server: Server,
  { timeline, startLsn, tablespaces }: BackupStart,
  endLsn: string,
  { history, slot, noSlot, parent }: Left & { parent: VaultManifest | undefined },
): EngineResult {
  return {
    datastore: { type: 'postgresql', version: server.version },
    facts: {
      serverVersion: server.version,
      serverVersionNumber: server.versionNumber,
      systemId: server.systemId,
      timeline,
      timelineHistory: history,
      serverLsn: server.lsn,
      startLsn,
      endLsn,
      blockSize: server.blockSize,
      segmentBlocks: server.segmentBlocks,
      dataChecksums: server.dataChecksums,
      walLogHints: server.walLogHints,
      chainSlot: slot,
      ...(slot === null ? { chainSlotGround: noSlot?.ground ?? null, chainSlotReason: noSlot?.reason ?? null } : {}),
      slotMadeAt: slot === null ? null : madeAtEnd,
      ...(parent ? parentFacts(parent) : noParent),
      limitBlocks: parent ? limitBlocksName : null,
      tablespaces: tablespaces.map(({ oid, location }) => ({ oid, location })),
    },
  };
}

function unread(seconds: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The parent's manifest did not get to the server for ${seconds} s. See whether the vault, the server or the network hangs.`,
  );
}

function cancelled(cause?: unknown): EngineFault {
  return new EngineFault('cancelled', 'The backup was cancelled.', { cause });
}
