/** What a PostgreSQL server says of itself over a replication connection. */
import type { EngineFacts } from '@strongroom/contracts';
import { z } from 'zod';
import { EngineFault } from '../engine-fault.js';
import { historyText, type LeftTimeline } from './chain/lineage.js';
import type { ServerConnection } from './connection.js';
import { isLsn } from './lsn.js';
import * as said from './server-says.js';
import { sqlStateOf } from './server-words.js';

export interface Server {
  version: string;
  versionNumber: number;
  systemId: string;
  timeline: number;
  /** How far its WAL has come. On a standby: how much of it the standby has. */
  lsn: string;
  blockSize: number;
  /** How many blocks a whole segment of a relation's file has. */
  segmentBlocks: number;
  dataChecksums: string;
  walLogHints: string;
  /** Whether it notes what incrementals need to know. Never before version 17. */
  summarizesWal: boolean;
}

const oldestVersion = 150_000;
const oldestSummarizing = 170_000;
const undefinedFile = '58P01';
const mostHistoryBytes = 1_048_576;
/** A server gets a timeline with each promotion. */
const mostTimelines = 1_000;

const identity = z.object({ systemid: said.systemId, timeline: said.timeline, xlogpos: said.lsn });
const historyFile = z.object({ content: z.string() });

/** Asks the server. @throws {EngineFault} `version-unsupported`; `protocol-violation`; errors of the connection as they are */
export async function describe(connection: ServerConnection): Promise<Server> {
  const versionNumber = await show(connection, 'server_version_num', said.versionNumber);
  const version = await show(connection, 'server_version', said.version);
  if (versionNumber < oldestVersion) {
    throw new EngineFault(
      'version-unsupported',
      `The server is PostgreSQL ${version}; backups are taken of version 15 and newer. Upgrade the server.`,
    );
  }
  const { systemid, timeline, xlogpos } = await identify(connection);
  const blockSize = await show(connection, 'block_size', said.blockSize);
  return {
    version,
    versionNumber,
    systemId: systemid,
    timeline,
    lsn: xlogpos,
    blockSize,
    segmentBlocks: await segmentBlocks(connection, blockSize),
    dataChecksums: await show(connection, 'data_checksums', said.dataChecksums),
    walLogHints: await show(connection, 'wal_log_hints', said.onOrOff),
    summarizesWal:
      versionNumber >= oldestSummarizing && (await show(connection, 'summarize_wal', said.onOrOff)) === 'on',
  };
}

export async function identify(connection: ServerConnection): Promise<z.infer<typeof identity>> {
  const [row] = await connection.ask('IDENTIFY_SYSTEM', identity, { leastRows: 1 });
  return row as z.infer<typeof identity>;
}

async function segmentBlocks(connection: ServerConnection, blockSize: number): Promise<number> {
  const size = await show(connection, 'segment_size', said.sizeSetting);
  const blocks = said.segmentBlocksOf(size, blockSize);
  if (blocks === undefined) throw said.violation(`its segments have ${size}, and its blocks ${blockSize} bytes`);
  return blocks;
}

/** Asks for a setting. */
export async function show<T>(connection: ServerConnection, name: string, form: z.ZodType<T>): Promise<T> {
  const command = `SHOW ${name}`;
  const [row] = await connection.ask(command, z.record(z.string(), z.unknown()), { leastRows: 1 });
  return said.parsed(form, Object.values(row ?? {})[0], command);
}

/** What a backup's manifest keeps of the server. @param history of its timeline; undefined when it is not known */
export function factsOf(server: Server, history: readonly LeftTimeline[] | undefined) {
  return {
    serverVersion: server.version,
    serverVersionNumber: server.versionNumber,
    systemId: server.systemId,
    timeline: server.timeline,
    timelineHistory: history ? historyText(history) : null,
    serverLsn: server.lsn,
    blockSize: server.blockSize,
    segmentBlocks: server.segmentBlocks,
    dataChecksums: server.dataChecksums,
    walLogHints: server.walLogHints,
  } satisfies EngineFacts;
}

/** The timelines that led to this one, the oldest first. Undefined when the server has not kept them. */
export async function historyOf(connection: ServerConnection, timeline: number): Promise<LeftTimeline[] | undefined> {
  if (timeline === 1) return [];
  try {
    const limits = { leastRows: 1, mostBytes: mostHistoryBytes };
    const [row] = await connection.ask(`TIMELINE_HISTORY ${timeline}`, historyFile, limits);
    return historyInFile(row?.content ?? '');
  } catch (error) {
    if (sqlStateOf(error) === undefinedFile) return undefined;
    throw error;
  }
}

/**
 * Each line has a timeline, where it was left, and why. Source: PostgreSQL, src/backend/access/transam/timeline.c.
 * @throws {EngineFault} `protocol-violation` when there are more than any server has
 */
export function historyInFile(content: string): LeftTimeline[] {
  const history = content.split('\n').flatMap((line) => {
    const [, timeline, switchLsn] = /^\s*(\d{1,10})\s+(\S{1,20})\s/.exec(`${line.slice(0, 100)} `) ?? [];
    return timeline !== undefined && isLsn(switchLsn) ? [{ timeline: Number(timeline), switchLsn }] : [];
  });
  if (history.length > mostTimelines) throw said.violation(`its history has ${history.length} timelines`);
  return history;
}
