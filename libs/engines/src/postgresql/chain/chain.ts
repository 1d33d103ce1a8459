/**
 * Builds an incremental on its parent. The server must be known to hold the parent's state or a later one, and to know all that
 * has changed since. Every ground against it is found before the backup begins.
 */
import { messageOf, type VaultManifest } from '@strongroom/contracts';
import type pg from 'pg';
import type { ParentBackup } from '../../engine.js';
import { EngineFault, IncrementalNotPossible } from '../../engine-fault.js';
import { manifestName } from '../backup/base-backup.js';
import type { Server } from '../server.js';
import { saidBy, sqlStateOf } from '../server-words.js';
import { againstParent, againstServer, type Ground, notPossible } from './grounds.js';
import { ManifestUpload, UnreadableManifest } from './manifest-upload.js';
import { hasReplicationSlot, replicationSlotOf } from './replication-slot.js';

/** The part of a backup's facts that says what it is built on. */
export type ParentFacts = { parentStartLsn: string | null; parentTimeline: number | null };

export const noParent: ParentFacts = { parentStartLsn: null, parentTimeline: null };

export function parentFacts({ engine: { startLsn, timeline } }: VaultManifest): ParentFacts {
  return { parentStartLsn: String(startLsn), parentTimeline: Number(timeline) };
}

/**
 * Has the server take the parent's manifest while it is read from the vault. The server keeps no WAL meanwhile: a slow vault
 * must not fill the server's disk.
 * @throws {IncrementalNotPossible} unless the server is the parent's, and there is no ground against building on it
 */
export async function buildOn(client: pg.Client, server: Server, parent: ParentBackup): Promise<void> {
  const against =
    againstServer(server) ??
    againstParent(server, parent.manifest) ??
    (await againstReplicationSlot(client, parent.manifest.backupId));
  if (against) throw notPossible(against);
  let upload: ManifestUpload;
  try {
    upload = new ManifestUpload(parent.open(manifestName));
  } catch (cause) {
    throw unreadable(cause);
  }
  client.query(upload);
  await upload.done.catch((error: unknown) => {
    throw error instanceof UnreadableManifest ? unreadable(error.cause) : notBuiltOn(error);
  });
}

/** The replication slot that the parent left proves that the server holds the parent's state. */
async function againstReplicationSlot(client: pg.Client, parentId: string): Promise<Ground | undefined> {
  if (await hasReplicationSlot(client, replicationSlotOf(parentId))) return undefined;
  return {
    ground: 'parent-slot-gone',
    reason: `The server does not have the replication slot that backup ${parentId} left on it (${replicationSlotOf(parentId)}): a newer backup was taken since, or the server's storage was put back to an earlier state, or it was restored from a backup or is another machine, or the replication slot was dropped.`,
  };
}

function unreadable(cause: unknown): IncrementalNotPossible {
  const message = messageOf(cause);
  return notPossible({ ground: 'parent-unreadable', reason: `The parent can't be read: ${message}` }, cause);
}

/** A server that refuses the parent can still give a full backup. */
export function notBuiltOn(error: unknown): unknown {
  if (error instanceof IncrementalNotPossible) return error;
  const cause = error instanceof EngineFault ? error.cause : error;
  const code = sqlStateOf(cause);
  if (code !== '55000' && code !== 'XX000') return error;
  const message = messageOf(cause);
  return notPossible(
    {
      ground: /summar/i.test(message) ? 'summaries-missing' : 'refused-by-server',
      reason: `The server can't build on the parent: ${saidBy(cause)}`,
    },
    cause,
  );
}
