/** What a PostgreSQL server says of itself over a replication connection. */
import type { EngineFacts } from '@strongroom/contracts';
import type pg from 'pg';
import { EngineFault } from '../engine-fault.js';
import { historyText, type LeftTimeline } from './chain/lineage.js';
import { isLsn } from './lsn.js';
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
const bytesOf: Record<string, number> = { B: 1, kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

/** Asks the server. @throws {EngineFault} `version-unsupported`; errors of the connection as they are */
export async function describe(client: pg.Client): Promise<Server> {
  const versionNumber = Number(await show(client, 'server_version_num'));
  // A manifest and an event hold this much of it.
  const version = ((await show(client, 'server_version')).split(' ')[0] ?? '').slice(0, 32);
  if (versionNumber < oldestVersion) {
    throw new EngineFault(
      'version-unsupported',
      `The server is PostgreSQL ${version}; backups are taken of version 15 and newer. Upgrade the server.`,
    );
  }
  const { rows } = await client.query<{ systemid: unknown; timeline: unknown; xlogpos: unknown }>('IDENTIFY_SYSTEM');
  const blockSize = Number(await show(client, 'block_size'));
  return {
    version,
    versionNumber,
    systemId: String(rows[0]?.systemid ?? ''),
    timeline: Number(rows[0]?.timeline ?? 0),
    lsn: String(rows[0]?.xlogpos ?? ''),
    blockSize,
    segmentBlocks: bytesOfSize(await show(client, 'segment_size')) / blockSize,
    dataChecksums: await show(client, 'data_checksums'),
    walLogHints: await show(client, 'wal_log_hints'),
    summarizesWal: versionNumber >= oldestSummarizing && (await show(client, 'summarize_wal')) === 'on',
  };
}

/** Asks for a setting. Empty when the server gives none. */
export async function show(client: pg.Client, name: string): Promise<string> {
  const { rows } = await client.query<Record<string, unknown>>(`SHOW ${name}`);
  return String(Object.values(rows[0] ?? {})[0] ?? '');
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
export async function historyOf(client: pg.Client, timeline: number): Promise<LeftTimeline[] | undefined> {
  if (timeline === 1) return [];
  try {
    const { rows } = await client.query<{ content: unknown }>(`TIMELINE_HISTORY ${timeline}`);
    return historyInFile(String(rows[0]?.content ?? ''));
  } catch (error) {
    if (sqlStateOf(error) === undefinedFile) return undefined;
    throw error;
  }
}

/** Each line has a timeline, where it was left, and why. Source: PostgreSQL, src/backend/access/transam/timeline.c. */
export function historyInFile(content: string): LeftTimeline[] {
  return content.split('\n').flatMap((line) => {
    const [, timeline, switchLsn] = /^\s*(\d+)\s+(\S+)/.exec(line) ?? [];
    return timeline !== undefined && isLsn(switchLsn) ? [{ timeline: Number(timeline), switchLsn }] : [];
  });
}

/** The bytes of a size that SHOW gives, such as `1GB`. NaN for what is none, such as `-1`. */
export function bytesOfSize(size: string): number {
  const [, count, unit = ''] = /^(\d+)([kMGT]?B)$/.exec(size) ?? [];
  return Number(count) * (bytesOf[unit] ?? Number.NaN);
}
