/**
 * Copies a backup from one vault to another. The bytes are streamed, hashed on the way, and read back at the target before
 * they count there. In the end the target holds the same bytes, or what it held before.
 */
import { allKeys, isEncrypted, keysNames, manifestObjectName } from '@strongroom/contracts';
import { whyOfAnother } from './keys-check.js';
import { storedBytes } from './manifest.js';
import type { SealedManifest, Vault, VaultUpload } from './vault.js';
import { isSpoilt, notHeld, VaultFault } from './vault-fault.js';
import { endingWith, trafficBetween } from './watched-vault.js';

export interface CopyOptions {
  from: Vault;
  to: Vault;
  backupId: string;
  attempt: number;
  /** The backup's SHA-256 as it is in the ledger. */
  expectedSha256: string;
  /**
   * Called with the number of bytes that are there since the last call.
   * @param isBrought false when an earlier attempt has brought them, or the store has copied them by itself
   */
  progress?: (bytes: number, isBrought: boolean) => void;
  /** Called whenever bytes move. The copy goes on when what it returns has come true. */
  moves?: (bytes: number) => Promise<void> | undefined;
  signal: AbortSignal;
}

export interface CopiedBackup {
  location: string;
  /** The bytes that the copy takes in the vault, its manifest included. */
  sizeBytes: number;
  sha256: string;
  /** False when the target held the backup already. */
  transferred: boolean;
  /** How its bytes were proven: read back here, or compared by the store that has copied them by itself. */
  verifiedBy: 'read' | 'server';
}

/** @throws {VaultFault} which names the region where something is wrong; the signal's reason when it is aborted */
export async function copyBackup(asked: CopyOptions): Promise<CopiedBackup> {
  const { from, to, signal } = asked;
  const options = { ...asked, from: endingWith(from, signal), to: endingWith(to, signal) };
  // This comes before anything is looked at: from here on no earlier attempt can seal.
  const upload = await options.to.begin(options.backupId, options.attempt, { copyOf: options.expectedSha256, signal });
  try {
    const there = await alreadyThere(options);
    const sealed = there ?? (await transfer(upload, options));
    return {
      location: sealed.location,
      sizeBytes: storedBytes(sealed),
      sha256: sealed.sha256,
      transferred: there === undefined,
      verifiedBy: sealed.verifiedBy ?? 'read',
    };
  } finally {
    await upload.discard();
  }
}

/** Sealing reads everything back first. */
async function transfer(upload: VaultUpload, options: CopyOptions): Promise<SealedManifest> {
  const { from, backupId, expectedSha256, signal } = options;
  const source = await from.manifest(backupId);
  if (!source) throw notHeld(backupId, from.region);
  if (source.sha256 !== expectedSha256) throw altered(from, backupId, manifestObjectName);
  await options.to.mustHold(storedBytes(source));
  const inside = await from.inside(backupId);
  const between = trafficBetween(from, options.to, { by: options, signal });
  for (const object of source.manifest.objects) {
    await upload.bring({
      object,
      inside,
      read: (range) => passing(from.readLent(backupId, object.name, range), options, between),
      skipped: (bytes) => {
        options.progress?.(bytes, false);
        // What the store does by itself can't be held up. A permit that is over ends the copy elsewhere.
        options.moves?.(bytes)?.catch(() => {});
      },
      readBack: (bytes) => options.moves?.(bytes),
      altered: () => altered(from, backupId, object.name),
    });
  }
  if (isEncrypted(source.manifest)) await bringKeys(upload, options);
  signal.throwIfAborted();
  return upload.seal(source.bytes, { signal, progress: (bytes) => options.moves?.(bytes) });
}

/** They are no part of what the digest proves, so they must at least say that they are those of the backup. */
async function bringKeys(upload: VaultUpload, { from, backupId, expectedSha256 }: CopyOptions): Promise<void> {
  for (const of of allKeys) {
    const keys = await from.keys(backupId, of);
    if (!keys || whyOfAnother(keys.bytes, of, expectedSha256) !== undefined)
      throw altered(from, backupId, keysNames[of]);
    await upload.putKeys(of, keys.bytes);
  }
}

/** What an earlier attempt has sealed is taken when every byte is right, and replaced when one is not. */
async function alreadyThere({
  to,
  backupId,
  expectedSha256,
  signal,
  moves,
}: CopyOptions): Promise<SealedManifest | undefined> {
  try {
    if (!(await to.manifest(backupId))) return undefined;
    const sealed = await to.verify(backupId, (bytes) => moves?.(bytes), signal);
    return sealed.sha256 === expectedSha256 ? sealed : undefined;
  } catch (error) {
    if (!isSpoilt(error)) throw error;
    return undefined;
  }
}

async function* passing(
  source: AsyncIterable<Buffer>,
  { signal, progress, moves }: CopyOptions,
  between: (bytes: number) => Promise<unknown> | undefined,
): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    await between(chunk.length);
    await moves?.(chunk.length);
    yield chunk;
    progress?.(chunk.length, true);
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
