/**
 * Builds an incremental on its parent. The server must be known to hold the parent's state or a later one, and to know all that
 * has changed since. Every ground against it is found before the backup begins.
 */
import { faultOf, messageOf, type VaultManifest } from '@strongroom/contracts';
import type { ParentBackup } from '../../engine.js';
import { EngineFault, IncrementalNotPossible } from '../../engine-fault.js';
import { manifestName } from '../backup/base-backup.js';
import type { ServerConnection } from '../connection.js';
import type { Server } from '../server.js';
import { saidBy, sqlStateOf } from '../server-words.js';
import { againstParent, againstServer, type Ground, notPossible } from './grounds.js';
import { ManifestUpload, UnreadableManifest } from './manifest-upload.js';
import { hasReplicationSlot, replicationSlotOf } from './replication-slot.js';

/** The part of a backup's facts that says what it is built on. */
export type ParentFacts = { parentStartLsn: string | null; parentTimeline: number | null };

/** The server says that it takes the manifest, and at the end that it has it. */
const answerBytes = 65_536;
/** A server that takes the manifest slower than this would hold up a runner for days. */
const slowestBytesPerSecond = 65_536;

export const noParent: ParentFacts = { parentStartLsn: null, parentTimeline: null };

export function parentFacts({ engine: { startLsn, timeline } }: VaultManifest): ParentFacts {
  return { parentStartLsn: String(startLsn), parentTimeline: Number(timeline) };
}

/**
 * Has the server take the parent's manifest while it is read from the vault. The server keeps no WAL meanwhile: a slow vault
 * must not fill the server's disk.
 * @param heldMs how long the server may take for a manifest, besides what its size needs
 * @throws {IncrementalNotPossible} unless the server is the parent's, and there is no ground against building on it
 */
export async function buildOn(
  connection: ServerConnection,
  server: Server,
  parent: ParentBackup,
  heldMs: number,
): Promise<void> {
  const against =
    againstServer(server) ??
    againstParent(server, parent.manifest) ??
    (await againstReplicationSlot(connection, parent.manifest.backupId));
  if (against) throw notPossible(against);
  let upload: ManifestUpload;
  try {
    upload = new ManifestUpload(parent.open(manifestName));
  } catch (cause) {
    throw unreadable(cause);
  }
  connection.allow(answerBytes, 'UPLOAD_MANIFEST');
  const manifest = parent.manifest.objects.find(({ name }) => name.startsWith(manifestName));
  connection.silence.within(heldMs + ((manifest?.rawBytes ?? 0) / slowestBytesPerSecond) * 1_000, unread);
  connection.client.query(upload);
  await upload.done.catch((error: unknown) => {
    throw error instanceof UnreadableManifest ? unreadable(error.cause) : notBuiltOn(error);
  });
  connection.silence.lift();
}

/** The replication slot that the parent left proves that the server holds the parent's state. */
async function againstReplicationSlot(connection: ServerConnection, parentId: string): Promise<Ground | undefined> {
  if (await hasReplicationSlot(connection, replicationSlotOf(parentId))) return undefined;
  return {
    ground: 'parent-slot-gone',
    reason: `The server does not have the replication slot that backup ${parentId} left on it (${replicationSlotOf(parentId)}): a newer backup was taken since, or the server's storage was put back to an earlier state, or it was restored from a backup or is another machine, or the replication slot was dropped.`,
  };
}

function unreadable(cause: unknown): IncrementalNotPossible {
  // The reason is shown to the account, and what the vault says may name a path of ours.
  const { message } = faultOf(cause);
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

function unread(seconds: number): EngineFault {
  return new EngineFault(
    'server-stalled',
    `The parent's manifest did not get to the server for ${seconds} s. See whether the vault, the server or the network hangs.`,
  );
}
