/**
 * A backup from its server into a vault: engine → zstd → vault, hashed on the way, sealed only when the server has said
 * that it is good, and read back before anybody is told. Memory stays flat.
 */
import type { BackupType, VaultManifest, VaultObject } from '@strongroom/contracts';
import type { Clock } from '@strongroom/runtime';
import {
  compressFrames,
  isSpoilt,
  manifestBytes,
  type SealedManifest,
  storedBytes,
  type Vault,
  VaultFault,
  type VaultUpload,
} from '@strongroom/vault';
import type { Engine, EngineTarget } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { openBackup } from './open-backup.js';

export interface StoreOptions {
  engine: Engine;
  vault: Vault;
  clock: Clock;
  target: EngineTarget;
  backup: {
    backupId: string;
    accountId: string;
    instanceId: string;
    instanceName: string;
    type: BackupType;
    parentId: string | null;
    startedAt: Date;
  };
  /** Backups of the server that are newer than the parent, as far as is known: to say why nothing can be built on it. */
  newerBackupIds?: readonly string[];
  attempt: number;
  /** Ends it: nothing of the attempt stays. */
  signal: AbortSignal;
  /** Bytes that the server has sent, and its estimate of all. */
  progress?: (doneBytes: number, totalBytes: number | null) => void;
}

export interface StoredBackup {
  location: string;
  /** As it is in the vault: a dead attempt may have made it otherwise than this one was to. */
  type: BackupType;
  parentId: string | null;
  /** Bytes in the vault, the manifest included. */
  sizeBytes: number;
  /** Bytes that the server sent. */
  rawBytes: number;
  sha256: string;
}

const extension = '.zst';

/**
 * On failure nothing of the attempt stays, or the fault says that it does.
 * @throws {EngineFault | VaultFault} the signal's reason when it is aborted outside of the transfer
 */
export async function storeBackup(options: StoreOptions): Promise<StoredBackup> {
  const { vault, backup, attempt } = options;
  // Begun before anything is looked at: from here on no earlier attempt can seal.
  const upload = await vault.begin(backup.backupId, attempt);
  try {
    const there = await leftByDeadAttempt(options);
    const sealed = there ?? (await seal(upload, await transfer(upload, options), options));
    return result(sealed, vault.locationOf(backup.backupId));
  } finally {
    await upload.discard();
  }
}

/** Puts everything into the vault but the manifest, which it returns. */
async function transfer(upload: VaultUpload, options: StoreOptions): Promise<VaultManifest> {
  const { engine, vault, clock, target, backup, signal, progress } = options;
  const ending = new AbortController();
  const running = await engine.backup(target, {
    backupId: backup.backupId,
    signal: AbortSignal.any([signal, ending.signal]),
    parent: backup.parentId === null ? undefined : await openBackup(vault, backup.parentId, signal),
    newerBackupIds: options.newerBackupIds,
  });
  try {
    const objects: VaultObject[] = [];
    let doneBytes = 0;
    for await (const { name, source } of running.objects) {
      let rawBytes = 0;
      const counted = counting(source, (bytes) => {
        rawBytes += bytes;
        doneBytes += bytes;
        progress?.(doneBytes, running.estimatedBytes);
      });
      const putting = upload.put(`${name}${extension}`, compressFrames(counted));
      const stored = await Promise.race([putting, stalled(running.result)]);
      objects.push({ ...stored, rawBytes, compression: 'zstd' });
    }
    const { datastore, facts } = await running.result;
    signal.throwIfAborted();
    return {
      format: 'strongroom-backup/1',
      ...backup,
      datastore,
      region: vault.region,
      startedAt: backup.startedAt.toISOString(),
      completedAt: clock.now().toISOString(),
      objects,
      engine: facts,
    };
  } catch (error) {
    // The server must not go on sending to nobody.
    ending.abort(error);
    throw error;
  }
}

/** A vault that hangs ends nothing by itself, not even when its source breaks. */
function stalled(running: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    running.catch((error: unknown) => {
      if (error instanceof EngineFault && error.code === 'reader-stalled') reject(error);
    });
  });
}

/** An attempt that died between its seal and its event has done the work: it is taken when every byte is right. */
async function leftByDeadAttempt(options: StoreOptions): Promise<SealedManifest | undefined> {
  const { vault, backup, signal } = options;
  try {
    return (await vault.manifest(backup.backupId)) && (await vault.verify(backup.backupId, undefined, signal));
  } catch (error) {
    if (!isSpoilt(error)) await removeFailed(options, error);
    await vault.remove(backup.backupId);
    return undefined;
  }
}

/** Seals the backup and reads it back. An error does not tell whether it was sealed. */
async function seal(upload: VaultUpload, manifest: VaultManifest, options: StoreOptions): Promise<SealedManifest> {
  try {
    await upload.seal(manifestBytes(manifest));
    return await options.vault.verify(options.backup.backupId, undefined, options.signal);
  } catch (error) {
    return removeFailed(options, error);
  }
}

/**
 * What may be sealed is removed, since the backup will be called failed; but not by an attempt that was told to end, or
 * superseded: its successor may have taken it over.
 * @throws the error; saying that the backup may still be there when it can't be removed
 */
async function removeFailed({ vault, backup, signal }: StoreOptions, error: unknown): Promise<never> {
  const isSuperseded = error instanceof VaultFault && error.code === 'upload-superseded';
  if (signal.aborted || isSuperseded) throw error;
  try {
    await vault.remove(backup.backupId);
  } catch (removal) {
    const [why, whyNotRemoved] = [error, removal].map((it) => (it instanceof Error ? it.message : String(it)));
    throw new VaultFault(
      error instanceof VaultFault ? error.code : 'vault-unavailable',
      vault.region,
      `${why} What was stored of it may still be in the vault of ${vault.region}, since it could not be removed: ${whyNotRemoved} Delete backup ${backup.backupId} to be rid of it.`,
      { cause: error },
    );
  }
  throw error;
}

function result(sealed: SealedManifest, location: string): StoredBackup {
  return {
    location,
    type: sealed.manifest.type,
    parentId: sealed.manifest.parentId,
    sizeBytes: storedBytes(sealed),
    rawBytes: sealed.manifest.objects.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    sha256: sealed.sha256,
  };
}

async function* counting(source: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count(chunk.length);
    yield chunk;
  }
}
