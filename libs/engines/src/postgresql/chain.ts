/**
 * What makes backups a chain: a full one leaves a slot on its server, and an incremental is built on its parent only where
 * that slot is still there and the server still knows what has changed since.
 */
import { buffer } from 'node:stream/consumers';
import type { VaultManifest } from '@strongroom/contracts';
import type pg from 'pg';
import type { ParentBackup } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import { manifestName } from './base-backup.js';
import { chainSlotOf, hasChainSlot, makeChainSlot } from './chain-slot.js';
import { ManifestUpload } from './manifest-upload.js';
import { oldestIncremental, type Server } from './server.js';
import { sqlStateOf } from './server-fault.js';

/** The place of a backup in its chain, as its manifest keeps it. */
export type ChainFacts = Record<'chainSlot' | 'parentStartLsn', string | null> & { parentTimeline: number | null };

/** Why the server can't take incremental backups; undefined when it can. */
export function whyNot({ version, versionNumber, summarizesWal }: Server): string | undefined {
  if (versionNumber < oldestIncremental) {
    return `The server is PostgreSQL ${version}; incremental backups are taken of version 17 and newer.`;
  }
  if (!summarizesWal) {
    return 'The server does not summarize its WAL, which incremental backups need. Set summarize_wal = on, reload it, and take a full backup.';
  }
  return undefined;
}

/** A full backup is the first of a chain, where the server can take incrementals and has a slot free. */
export async function beginChain(client: pg.Client, server: Server, backupId: string): Promise<ChainFacts> {
  const slot = chainSlotOf(backupId);
  const canBeBuiltOn = whyNot(server) === undefined && (await makeChainSlot(client, slot));
  return { chainSlot: canBeBuiltOn ? slot : null, parentStartLsn: null, parentTimeline: null };
}

/**
 * @param ofServer the server's own manifest of the parent
 * @throws {EngineFault} `incremental-not-possible` unless the server is the parent's, and knows what has changed since
 */
export async function buildOn(
  client: pg.Client,
  server: Server,
  parent: VaultManifest,
  ofServer: Buffer,
): Promise<ChainFacts> {
  const { chainSlot, timeline, startLsn } = parent.engine;
  const why = whyNot(server) ?? (await whyNotOn(client, server, parent));
  if (why !== undefined) throw new EngineFault('incremental-not-possible', `${why} Take a full backup.`);
  const upload = new ManifestUpload(ofServer);
  client.query(upload);
  await upload.done.catch((error: unknown) => {
    throw notBuiltOn(error);
  });
  return { chainSlot: String(chainSlot), parentStartLsn: String(startLsn), parentTimeline: Number(timeline) };
}

/** Why nothing can be built on this parent; undefined when it can. */
async function whyNotOn(
  client: pg.Client,
  server: Server,
  { backupId, engine }: VaultManifest,
): Promise<string | undefined> {
  const { chainSlot, systemId, timeline } = engine;
  if (typeof chainSlot !== 'string') {
    return `When backup ${backupId} was taken the server could not take incrementals, or had no replication slot free.`;
  }
  if (systemId !== server.systemId || timeline !== server.timeline) {
    return `The server is another one than backup ${backupId} was taken of, or was promoted since.`;
  }
  if (await hasChainSlot(client, chainSlot)) return undefined;
  return `The server does not know backup ${backupId}: it was restored since, or a newer full backup was taken.`;
}

/** Read before the server is asked for anything: it must not keep WAL for us because a vault is slow. */
export async function manifestOf(parent: ParentBackup): Promise<Buffer> {
  try {
    return await buffer(parent.open(manifestName));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EngineFault('incremental-not-possible', `The parent can't be read: ${message} Take a full backup.`, {
      cause,
    });
  }
}

/** What the server has against the parent is nothing against a full backup. */
export function notBuiltOn(error: unknown): unknown {
  const code = error instanceof EngineFault ? sqlStateOf(error.cause) : sqlStateOf(error);
  if (code !== '55000' && code !== 'XX000') return error;
  const cause = error instanceof EngineFault ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new EngineFault(
    'incremental-not-possible',
    `The server can't build on the parent: ${message}. Take a full backup.`,
    {
      cause,
    },
  );
}
