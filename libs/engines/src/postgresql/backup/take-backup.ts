/**
 * Takes a physical backup, full or incremental, over the replication protocol: it needs a connection and nothing else. A
 * temporary replication slot keeps the WAL that the backup needs. The slot ends with the connection, in every case.
 */
import { randomBytes } from 'node:crypto';
import type { VaultManifest } from '@strongroom/contracts';
import type { BackupOptions, EngineBackup, EngineObject, EngineResult, EngineTarget } from '../../engine.js';
import { EngineFault } from '../../engine-fault.js';
import { buildOn, noParent, notBuiltOn, parentFacts } from '../chain/chain.js';
import { type Ground, madeAtEnd, notPossible } from '../chain/grounds.js';
import { limitBlocksName, limitBlocksObject } from '../chain/limit-list.js';
import type { LeftTimeline } from '../chain/lineage.js';
import { leaveReplicationSlot, replicationSlotOf, reserveWal } from '../chain/replication-slot.js';
import { WalSummaries } from '../chain/wal-summaries.js';
import { cancelled, ServerConnection, type ServerPatience } from '../connection.js';
import { longestLink } from '../restore/tablespace-map.js';
import { describe, factsOf, historyOf, type Server } from '../server.js';
import { saidBy } from '../server-words.js';
import { type BackupStart, BaseBackup } from './base-backup.js';
import { whyEnded } from './why-ended.js';

/** @throws {IncrementalNotPossible | EngineFault} as `Engine.backup` says */
export async function takeBackup(
  target: EngineTarget,
  options: BackupOptions,
  patience: ServerPatience,
): Promise<EngineBackup> {
  try {
    return await begin(target, options, patience, false);
  } catch (error) {
    if (!(error instanceof LinkTooLong)) throw error;
    return begin(target, options, patience, true);
  }
}

/** The server has a tablespace whose path is too long for a link in an archive. It says where they are as a backup begins. */
class LinkTooLong extends EngineFault {
  constructor(location: string) {
    super('backup-aborted-by-server', `The path ${location} is too long for a link in an archive.`);
  }
}

async function begin(
  target: EngineTarget,
  { backupId, signal, parent }: BackupOptions,
  patience: ServerPatience,
  mapsTablespaces: boolean,
): Promise<EngineBackup> {
  let connection: ServerConnection | undefined;
  let command: BaseBackup | undefined;
  let summaries: WalSummaries | undefined;
  const stop = () => {
    command?.abort(cancelled());
    connection?.destroy();
    summaries?.close();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { connectMs, answerMs } = patience;
    const open = await ServerConnection.open(target, 'replication', { connectMs, answerMs, signal });
    connection = open;
    const { silence, notices } = open;
    const server = await describe(open);
    if (parent) await buildOn(open, server, parent, patience.heldMs);
    const temporary = `strongroom_${randomBytes(6).toString('hex')}`;
    await reserveWal(open, temporary);
    if (parent) summaries = await WalSummaries.open(target, patience, { signal, temporarySlot: temporary });
    if (signal.aborted) throw cancelled();
    const isIncremental = parent !== undefined;
    const explain = (fault: EngineFault, startLsn: string) => whyEnded(fault, target, { startLsn, patience, signal });
    command = new BaseBackup({
      label: `strongroom ${backupId}`,
      connection: open,
      patience,
      isIncremental,
      mapsTablespaces,
      explain,
    });
    open.client.query(command);
    const start = await command.begun.catch((error: unknown) => {
      throw parent ? notBuiltOn(error) : error;
    });
    const long = start.tablespaces.find(({ location }) => Buffer.byteLength(location) > longestLink);
    if (long && !mapsTablespaces) throw new LinkTooLong(long.location);
    const limits = summaries && parent && (await limitsOf(summaries, server, parent.manifest, start));
    const result = command.ended
      .then(async (endLsn) => {
        silence.lift();
        const left = await afterwards(open, server, {
          backupId,
          temporary,
          timeline: start.timeline,
          isIncremental,
        });
        return resultOf(server, start, endLsn, { ...left, parent: parent?.manifest, warnings: notices.warnings });
      })
      .catch((error: unknown) => {
        throw signal.aborted ? cancelled(error) : error;
      })
      .finally(() => {
        signal.removeEventListener('abort', stop);
        summaries?.close();
        void open.close();
      });
    result.catch(() => {});
    return { objects: all(limits, command.objects), estimatedBytes: start.estimatedBytes, result };
  } catch (error) {
    signal.removeEventListener('abort', stop);
    connection?.destroy();
    summaries?.close();
    throw signal.aborted ? cancelled(error) : (connection?.faultOf(error) ?? error);
  }
}

/** The object of the backup that says which of the parent's content no longer counts. */
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

/** The small object comes first, so that the connection that it needs is soon closed. */
async function* all(
  first: EngineObject | undefined,
  others: AsyncIterable<EngineObject>,
): AsyncGenerator<EngineObject> {
  if (first) yield first;
  yield* others;
}

interface Left {
  history: readonly LeftTimeline[] | undefined;
  replicationSlot: string | null;
  noReplicationSlot: Ground | undefined;
}

/** The backup is good by now, and a failure here does not change that: without its replication slot nothing can be built on it. */
async function afterwards(
  connection: ServerConnection,
  server: Server,
  ids: { backupId: string; temporary: string; timeline: number; isIncremental: boolean },
): Promise<Left> {
  let history: Left['history'];
  try {
    history = await historyOf(connection, ids.timeline);
    const noReplicationSlot = await leaveReplicationSlot(connection, server, ids);
    return { history, replicationSlot: noReplicationSlot ? null : replicationSlotOf(ids.backupId), noReplicationSlot };
  } catch (error) {
    const reason = `When it had ended no replication slot could be made for it: ${saidBy(error)}`;
    return { history, replicationSlot: null, noReplicationSlot: { ground: 'no-slot-free', reason } };
  }
}

function resultOf(
  server: Server,
  { timeline, startLsn, tablespaces }: BackupStart,
  endLsn: string,
  {
    history,
    replicationSlot,
    noReplicationSlot,
    parent,
    warnings,
  }: Left & {
    parent: VaultManifest | undefined;
    warnings: readonly string[];
  },
): EngineResult {
  return {
    datastore: { type: 'postgresql', version: server.version },
    facts: {
      ...factsOf({ ...server, timeline }, history),
      startLsn,
      endLsn,
      chainSlot: replicationSlot,
      ...(replicationSlot === null
        ? { chainSlotGround: noReplicationSlot?.ground ?? null, chainSlotReason: noReplicationSlot?.reason ?? null }
        : {}),
      slotMadeAt: replicationSlot === null ? null : madeAtEnd,
      ...(parent ? parentFacts(parent) : noParent),
      limitBlocks: parent ? limitBlocksName : null,
      warnings: warnings.map((said) => ({ said })),
      tablespaces: tablespaces.map(({ oid, location }) => ({ oid, location })),
    },
  };
}
