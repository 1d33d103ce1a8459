/**
 * A backup from its server into a vault: engine → zstd → vault, hashed on the way, sealed only when the server has said
 * that it is good and what lies there was read back. Memory stays flat.
 */
import type { BackupType, Datastore, VaultManifest, VaultObject } from '@strongroom/contracts';
import type { Clock } from '@strongroom/runtime';
import {
  compressFrames,
  isSpoilt,
  manifestBytes,
  type SealedManifest,
  storedBytes,
  type Vault,
  type VaultUpload,
} from '@strongroom/vault';
import type { Engine, EngineTarget } from './engine.js';
import { EngineFault } from './engine-fault.js';
import { openBackup } from './open-backup.js';

export interface StoreOptions {
  engine: Pick<Engine, 'backup'>;
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
  /** Where in the vault what is sealed lies. */
  location: string;
  /** As it is in the vault: a dead attempt may have made it otherwise than this one was to. */
  type: BackupType;
  parentId: string | null;
  /** The server, as it called itself. */
  datastore: Datastore;
  /** What the engine said of it, as it is in the vault's manifest. */
  facts: VaultManifest['engine'];
  /** Bytes in the vault, the manifest included. */
  sizeBytes: number;
  /** Bytes that the server sent. */
  rawBytes: number;
  sha256: string;
}

const extension = '.zst';

/**
 * On failure nothing of the attempt counts in the vault, nor will, unless it failed while it was sealed: then a later
 * attempt may find it, and whoever records the failure purges it.
 * @throws {EngineFault | VaultFault} the signal's reason when it is aborted outside of the transfer
 */
export async function storeBackup(options: StoreOptions): Promise<StoredBackup> {
  const { vault, backup, attempt, signal } = options;
  // Begun before anything is looked at: from here on no earlier attempt can seal.
  const upload = await vault.begin(backup.backupId, attempt);
  try {
    const there = await leftByDeadAttempt(options);
    const sealed = there ?? (await upload.seal(manifestBytes(await transfer(upload, options)), { signal }));
    return result(sealed);
  } finally {
    await upload.discard();
  }
}

/** Puts everything into the vault but the manifest, which it returns. */
async function transfer(upload: VaultUpload, options: StoreOptions): Promise<VaultManifest> {
  const { engine, vault, clock, target, backup, signal, progress } = options;
  const ending = new AbortController();
  const parent = backup.parentId === null ? undefined : await openBackup(vault, backup.parentId, signal);
  const running = await engine.backup(target, {
    backupId: backup.backupId,
    signal: AbortSignal.any([signal, ending.signal]),
    parent,
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
      parentSha256: parent?.sha256 ?? null,
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

/**
 * An attempt that died between its seal and its event has done the work: it is taken when every byte is right, and when it
 * is full or built on what this one is to be built on, for what is to be full by now can't be. When not, this attempt makes
 * its own; when that can't be told, it ends, and removes nothing.
 */
async function leftByDeadAttempt({ vault, backup, signal }: StoreOptions): Promise<SealedManifest | undefined> {
  try {
    const there = (await vault.manifest(backup.backupId)) && (await vault.verify(backup.backupId, undefined, signal));
    const parentId = there?.manifest.parentId ?? null;
    return parentId === null || parentId === backup.parentId ? there : undefined;
  } catch (error) {
    if (!isSpoilt(error)) throw error;
    return undefined;
  }
}

function result(sealed: SealedManifest): StoredBackup {
  const { type, parentId, datastore, objects, engine: facts } = sealed.manifest;
  return {
    location: sealed.location,
    type,
    parentId,
    datastore,
    facts,
    sizeBytes: storedBytes(sealed),
    rawBytes: objects.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    sha256: sealed.sha256,
  };
}

async function* counting(source: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count(chunk.length);
    yield chunk;
  }
}
