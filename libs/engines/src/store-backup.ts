/**
 * A backup from its server into a vault: engine → zstd → vault, hashed on the way, sealed only when the server has said
 * that it is good, and read back before anybody is told. Memory stays flat.
 */
import type { BackupType, VaultObject } from '@strongroom/contracts';
import type { Clock } from '@strongroom/runtime';
import {
  compressFrames,
  manifestBytes,
  type SealedManifest,
  storedBytes,
  type Vault,
  VaultFault,
} from '@strongroom/vault';
import type { Engine, EngineBackup, EngineTarget } from './engine.js';

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
  /** Bytes in the vault, the manifest included. */
  sizeBytes: number;
  /** Bytes that the server sent. */
  rawBytes: number;
  sha256: string;
}

const extension = '.zst';

/** @throws {EngineFault | VaultFault} */
export async function storeBackup(options: StoreOptions): Promise<StoredBackup> {
  const { engine, vault, clock, target, backup, attempt, signal, progress } = options;
  const { backupId } = backup;
  const upload = await vault.begin(backupId, attempt);
  const cancel = new AbortController();
  const stop = () => cancel.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const sealedBefore = await leftByDeadAttempt(vault, backupId, signal);
    if (sealedBefore) {
      await upload.discard();
      return result(sealedBefore, vault.locationOf(backupId));
    }
    signal.throwIfAborted();
    const running = await engine.backup(target, { label: `strongroom ${backupId}`, signal: cancel.signal });
    const objects: VaultObject[] = [];
    let doneBytes = 0;
    for await (const { name, source } of running.objects) {
      let rawBytes = 0;
      const counted = counting(source, (bytes) => {
        rawBytes += bytes;
        doneBytes += bytes;
        progress?.(doneBytes, running.estimatedBytes);
      });
      const stored = await put(running, () => upload.put(`${name}${extension}`, compressFrames(counted)));
      objects.push({ ...stored, rawBytes, compression: 'zstd' });
    }
    const { datastore, facts } = await running.result;
    const { location } = await upload.seal(
      manifestBytes({
        format: 'strongroom-backup/1',
        ...backup,
        datastore,
        region: vault.region,
        startedAt: backup.startedAt.toISOString(),
        completedAt: clock.now().toISOString(),
        objects,
        engine: facts,
      }),
    );
    return result(await vault.verify(backupId, undefined, signal), location);
  } catch (error) {
    cancel.abort(error);
    await upload.discard();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A put that fails because its source failed is the engine's failure, and has the engine's reason. */
async function put<T>(running: EngineBackup, store: () => Promise<T>): Promise<T> {
  try {
    return await store();
  } catch (error) {
    if (error instanceof VaultFault) throw error;
    // The engine knows why its stream broke; if it thinks that all is well, the error is what it is.
    await Promise.race([running.result, new Promise((resolve) => setImmediate(resolve))]);
    throw error;
  }
}

/** An attempt that died between its seal and its event has done the work: it is taken when every byte is right. */
async function leftByDeadAttempt(
  vault: Vault,
  backupId: string,
  signal: AbortSignal,
): Promise<SealedManifest | undefined> {
  try {
    return (await vault.manifest(backupId)) && (await vault.verify(backupId, undefined, signal));
  } catch (error) {
    if (!(error instanceof VaultFault) || error.retryable) throw error;
    await vault.remove(backupId);
    return undefined;
  }
}

function result(sealed: SealedManifest, location: string): StoredBackup {
  return {
    location,
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
