/**
 * A backup from one vault to another: streamed, hashed on the way, read back at the target. Ends with the target holding
 * the very bytes, or without a trace of the attempt.
 */
import { manifestObjectName } from '@strongroom/contracts';
import { storedBytes } from './manifest.js';
import type { SealedManifest, Vault } from './vault.js';
import { VaultFault } from './vault-fault.js';

export interface CopyOptions {
  from: Vault;
  to: Vault;
  backupId: string;
  attempt: number;
  /** The backup's SHA-256, as the ledger has it. */
  expectedSha256: string;
  /** Gets the bytes written since the last call. */
  progress?: (bytes: number) => void;
  signal: AbortSignal;
}

export interface CopiedBackup {
  location: string;
  /** Bytes that the copy takes, its manifest included. */
  sizeBytes: number;
  sha256: string;
  /** False when the target held it already. */
  transferred: boolean;
}

/** @throws {VaultFault} naming the region where something is wrong */
export async function copyBackup(options: CopyOptions): Promise<CopiedBackup> {
  const { from, to, backupId, attempt, expectedSha256, progress, signal } = options;
  const upload = await to.begin(backupId, attempt);
  try {
    const there = await alreadyThere(options);
    if (there) {
      await upload.discard();
      return there;
    }
    const source = await from.manifest(backupId);
    if (!source)
      throw new VaultFault(
        'object-missing',
        from.region,
        `The vault of ${from.region} does not hold backup ${backupId}.`,
      );
    if (source.sha256 !== expectedSha256) throw altered(from, backupId, manifestObjectName);
    for (const { name, sha256, sizeBytes } of source.manifest.objects) {
      const written = await upload.put(name, passing(present(from, backupId, name), signal, progress));
      if (written.sha256 !== sha256 || written.sizeBytes !== sizeBytes) throw altered(from, backupId, name);
    }
    const { location } = await upload.seal(source.bytes);
    const sealed = await proven(options);
    return { location, sizeBytes: storedBytes(sealed), sha256: sealed.sha256, transferred: true };
  } catch (error) {
    await upload.discard();
    throw error;
  }
}

/** What a dead attempt, or an earlier copy, has left sealed: taken when every byte is right, removed when not. */
async function alreadyThere({ to, backupId, expectedSha256, signal }: CopyOptions): Promise<CopiedBackup | undefined> {
  try {
    if (!(await to.manifest(backupId))) return undefined;
    const sealed = await to.verify(backupId, undefined, signal);
    if (sealed.sha256 === expectedSha256) {
      return {
        location: to.locationOf(backupId),
        sizeBytes: storedBytes(sealed),
        sha256: sealed.sha256,
        transferred: false,
      };
    }
  } catch (error) {
    if (!(error instanceof VaultFault) || error.retryable) throw error;
  }
  await to.remove(backupId);
  return undefined;
}

/** Reads the sealed copy back. One that is not the backup is removed: it must not be taken for one. */
async function proven({ to, backupId, expectedSha256, signal }: CopyOptions): Promise<SealedManifest> {
  try {
    const sealed = await to.verify(backupId, undefined, signal);
    if (sealed.sha256 === expectedSha256) return sealed;
    throw altered(to, backupId, manifestObjectName);
  } catch (error) {
    if (error instanceof VaultFault && !error.retryable) await to.remove(backupId).catch(() => {});
    throw error;
  }
}

/** A file that the manifest names and the vault does not have is missing, whatever the vault calls it. */
async function* present(from: Vault, backupId: string, name: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of from.read(backupId, name)) yield chunk;
  } catch (error) {
    if (isMissing(error)) {
      throw new VaultFault(
        'object-missing',
        from.region,
        `${name} of backup ${backupId} is missing in the vault of ${from.region}.`,
        { cause: error },
      );
    }
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

async function* passing(
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
  progress?: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk;
    progress?.(chunk.length);
  }
}

function altered({ region }: Vault, backupId: string, name: string): VaultFault {
  return new VaultFault(
    'object-altered',
    region,
    `${name} of backup ${backupId} in the vault of ${region} is not what was backed up (its SHA-256 or size differs); the copy is discarded. ` +
      `Run: strongroom verify ${backupId} --from ${region}`,
  );
}
