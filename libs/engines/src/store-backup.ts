/**
 * Takes a backup of a server into a vault: engine → zstd → vault, hashed on the way. It is sealed only when the server has
 * said that it is good, and when everything was read back from the vault. Memory stays flat.
 */
import { createHash } from 'node:crypto';
import {
  type BackupType,
  type Datastore,
  manifestFor,
  type VaultManifest,
  type VaultObject,
} from '@strongroom/contracts';
import type { Clock } from '@strongroom/runtime';
import {
  compressFrames,
  endingWith,
  isSpoilt,
  manifestBytes,
  type SealedManifest,
  storedBytes,
  type Vault,
  VaultFault,
  type VaultUpload,
} from '@strongroom/vault';
import { BackupBudget, type BackupLimits, usualLimits } from './backup-budget.js';
import type { EngineTarget } from './engine.js';
import { EngineFault, IncrementalNotPossible } from './engine-fault.js';
import { type BackupTaker, type OpenedBackup, openBackup } from './open-backup.js';

/** What is kept outside of the vault of the seals that attempts at one backup were about to make. It tells a forged one from them. */
export interface ExpectedSeals {
  /** Keeps the SHA-256 of the manifest that is to be sealed. Nothing is sealed before this returns. */
  expect(sha256: string): Promise<void>;
  /** Whether an attempt at the backup was about to seal this. */
  isExpected(sha256: string): Promise<boolean>;
}

export interface StoreOptions {
  engine: BackupTaker;
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
  /** The SHA-256 of the parent, when the caller knows it. Nothing is built on another backup with its id. */
  parentSha256?: string | undefined;
  attempt: number;
  /** Without them nothing is taken that an earlier attempt has left. */
  seals?: ExpectedSeals;
  /** Ends the attempt, and nothing of it stays. */
  signal: AbortSignal;
  /** Default: `usualLimits`. */
  limits?: BackupLimits;
  /** Called with the bytes that the server has sent, and with its estimate of all of them. */
  progress?: (doneBytes: number, totalBytes: number | null) => void;
}

export interface StoredBackup {
  /** Where the sealed backup lies in the vault. */
  location: string;
  /** As it is in the vault: an attempt that died may have made another type than was asked of this one. */
  type: BackupType;
  parentId: string | null;
  /** The server as it called itself. */
  datastore: Datastore;
  /** What the engine said of the backup, as the vault's manifest has it. */
  facts: VaultManifest['engine'];
  /** Bytes in the vault, the manifest included. */
  sizeBytes: number;
  /** Bytes that the server sent. */
  rawBytes: number;
  sha256: string;
}

const extension = '.zst';

/**
 * When it fails, nothing of the attempt counts in the vault. Only where the sealing itself failed may a later attempt find the
 * backup sealed; the caller that records the failure purges it.
 * @throws {EngineFault | VaultFault} or the signal's reason, when it is aborted outside of the transfer
 */
export async function storeBackup(asked: StoreOptions): Promise<StoredBackup> {
  const { backup, attempt, signal } = asked;
  const vault = endingWith(asked.vault, signal);
  const options = { ...asked, vault };
  // The upload begins before anything is looked at: from here on no earlier attempt can seal.
  const upload = await vault.begin(backup.backupId, attempt);
  try {
    const there = await leftByDeadAttempt(options);
    return result(there ?? (await sealOwn(upload, options)));
  } finally {
    await upload.discard();
  }
}

async function sealOwn(upload: VaultUpload, options: StoreOptions): Promise<SealedManifest> {
  const bytes = manifestBytes(await transfer(upload, options));
  await options.seals?.expect(createHash('sha256').update(bytes).digest('hex'));
  return upload.seal(bytes, { signal: options.signal });
}

/** Puts everything but the manifest into the vault, and returns the manifest. */
async function transfer(upload: VaultUpload, options: StoreOptions): Promise<VaultManifest> {
  const budget = new BackupBudget(options.limits ?? usualLimits);
  try {
    return await transferWithin(budget, upload, options);
  } catch (error) {
    throw options.signal.aborted ? error : (budget.fault ?? error);
  } finally {
    budget.close();
  }
}

async function transferWithin(
  budget: BackupBudget,
  upload: VaultUpload,
  options: StoreOptions,
): Promise<VaultManifest> {
  const { engine, vault, clock, target, backup, signal, progress } = options;
  const ending = new AbortController();
  const parent = backup.parentId === null ? undefined : await openParent(options, backup.parentId);
  const running = await engine.backup(target, {
    backupId: backup.backupId,
    signal: AbortSignal.any([signal, ending.signal, budget.signal]),
    parent,
  });
  try {
    budget.begun(running.estimatedBytes);
    const objects: VaultObject[] = [];
    let doneBytes = 0;
    for await (const { name, source } of budget.awaited(running.objects)) {
      let rawBytes = 0;
      const counted = counting(budget.counted(source), (bytes) => {
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
    return manifestFor({
      ...backup,
      parentSha256: parent?.sha256 ?? null,
      datastore,
      region: vault.region,
      startedAt: backup.startedAt.toISOString(),
      completedAt: clock.now().toISOString(),
      objects,
      engine: facts,
    });
  } catch (error) {
    // Otherwise the server goes on sending, and nobody reads.
    ending.abort(error);
    throw error;
  }
}

/** @throws {IncrementalNotPossible} when what the vault has is another backup than was stored */
async function openParent({ vault, parentSha256, signal }: StoreOptions, parentId: string): Promise<OpenedBackup> {
  const parent = await openBackup(vault, parentId, signal);
  if (parentSha256 === undefined || parent.sha256 === parentSha256) return parent;
  const { region } = vault;
  const message = `What the vault of ${region} has as backup ${parentId} is another than was stored: its SHA-256 is ${parent.sha256} and should be ${parentSha256}.`;
  const cause = new VaultFault('object-altered', region, message);
  throw new IncrementalNotPossible('parent-unreadable', `${message} Take a full backup.`, { cause });
}

/** Rejects when the engine gives the backup up because the vault hangs: the upload itself does not end then. */
function stalled(running: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    running.catch((error: unknown) => {
      if (error instanceof EngineFault && error.code === 'reader-stalled') reject(error);
    });
  });
}

/**
 * Finds the backup of an attempt that died between its seal and its event. It is taken when an attempt was about to seal it, when every
 * byte is right, when it is of the same account and instance, and when it is full or has the parent that is wanted now. Otherwise this
 * attempt makes its own. When the vault can't tell, this attempt ends and removes nothing.
 */
async function leftByDeadAttempt({ vault, backup, seals, signal }: StoreOptions): Promise<SealedManifest | undefined> {
  try {
    const found = await vault.manifest(backup.backupId);
    if (!found || !(await seals?.isExpected(found.sha256))) return undefined;
    const there = await vault.verify(backup.backupId, undefined, signal);
    // Whoever holds the vault may change it meanwhile.
    if (there.sha256 !== found.sha256) return undefined;
    const { accountId, instanceId, parentId } = there.manifest;
    const isOwn = accountId === backup.accountId && instanceId === backup.instanceId;
    return isOwn && (parentId === null || parentId === backup.parentId) ? there : undefined;
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
