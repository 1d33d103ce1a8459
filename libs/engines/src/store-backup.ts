/**
 * A backup from its server into a vault: engine → zstd → vault, hashed on the way, sealed only when the server has said
 * that it is good, and read back before anybody is told. Memory stays flat.
 */
import type { BackupType, VaultManifest, VaultObject } from '@strongroom/contracts';
import type { Clock } from '@strongroom/runtime';
import {
  compressFrames,
  manifestBytes,
  type SealedManifest,
  storedBytes,
  type Vault,
  VaultFault,
  type VaultUpload,
} from '@strongroom/vault';
import type { Engine, EngineTarget } from './engine.js';
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
 * On failure nothing of the attempt stays.
 * @throws {EngineFault | VaultFault} the signal's reason when it is aborted outside of the transfer
 */
export async function storeBackup(options: StoreOptions): Promise<StoredBackup> {
  const { vault, backup, attempt } = options;
  // Begun before anything is looked at: from here on no earlier attempt can seal.
  const upload = await vault.begin(backup.backupId, attempt);
  try {
    const there = await leftByDeadAttempt(options);
    if (!there) await transfer(upload, options);
    return result(there ?? (await proven(options)), vault.locationOf(backup.backupId));
  } finally {
    await upload.discard();
  }
}

async function transfer(upload: VaultUpload, options: StoreOptions): Promise<void> {
  const { engine, vault, clock, target, backup, signal, progress } = options;
  const ending = new AbortController();
  const running = await engine.backup(target, {
    backupId: backup.backupId,
    signal: AbortSignal.any([signal, ending.signal]),
    parent: backup.parentId === null ? undefined : await openBackup(vault, backup.parentId, signal),
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
      const stored = await upload.put(`${name}${extension}`, compressFrames(counted));
      objects.push({ ...stored, rawBytes, compression: 'zstd' });
    }
    const { datastore, facts } = await running.result;
    signal.throwIfAborted();
    const manifest: VaultManifest = {
      format: 'strongroom-backup/1',
      ...backup,
      datastore,
      region: vault.region,
      startedAt: backup.startedAt.toISOString(),
      completedAt: clock.now().toISOString(),
      objects,
      engine: facts,
    };
    await upload.seal(manifestBytes(manifest));
  } catch (error) {
    // The server must not go on sending to nobody.
    ending.abort(error);
    throw error;
  }
}

/** An attempt that died between its seal and its event has done the work: it is taken when every byte is right. */
async function leftByDeadAttempt(options: StoreOptions): Promise<SealedManifest | undefined> {
  const { vault, backup, signal } = options;
  try {
    return (await vault.manifest(backup.backupId)) && (await vault.verify(backup.backupId, undefined, signal));
  } catch (error) {
    if (!(error instanceof VaultFault) || error.retryable) throw error;
    await vault.remove(backup.backupId);
    return undefined;
  }
}

/**
 * Reads the sealed backup back. One that fails is removed, since the backup will be called failed; but not by an attempt
 * that was told to end, whose successor may have taken it over.
 */
async function proven({ vault, backup, signal }: StoreOptions): Promise<SealedManifest> {
  try {
    return await vault.verify(backup.backupId, undefined, signal);
  } catch (error) {
    if (!signal.aborted) await vault.remove(backup.backupId).catch(() => {});
    throw error;
  }
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
