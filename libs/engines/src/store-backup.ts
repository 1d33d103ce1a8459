/**
 * Takes a backup of a server into a vault: engine → zstd → vault, hashed on the way. It is sealed only when the server has
 * said that it is good, and when everything was read back from the vault. Memory stays flat.
 */
import { createHash } from 'node:crypto';
import {
  aboutServerName,
  type BackupType,
  type Datastore,
  type EncryptionFormat,
  formatOf,
  isEncrypted,
  manifestFor,
  type StoredManifest,
  type VaultManifest,
  type VaultObject,
} from '@strongroom/contracts';
import { EncryptionFault, readKeys } from '@strongroom/encryption';
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
import { type BackupEncryption, cipherOf, newFileKeys, putKeys, wrapKeys } from './backup-keys.js';
import type { EngineTarget } from './engine.js';
import { EngineFault, IncrementalNotPossible } from './engine-fault.js';
import { type BackupTaker, type OpenedBackup, openBackup, openSealed } from './open-backup.js';

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
  /** For whom the backup is encrypted, before anything leaves this process. Without it, whoever has the vault can read it. */
  encryption?: BackupEncryption | undefined;
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
  /** Whose keys open it; nobody's when it is not encrypted. */
  encryptedFor: string[];
}

/** A sealed backup, and what its manifest says to who can read it. */
interface SealedBackup {
  sealed: SealedManifest;
  manifest: VaultManifest;
  encryptedFor: string[];
}

type NewKeys = ReturnType<typeof newFileKeys>;

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

async function sealOwn(upload: VaultUpload, options: StoreOptions): Promise<SealedBackup> {
  const { encryption, seals, signal } = options;
  const forChain = options.engine.readByIncrementals.map((name) => `${name}${extension}`);
  const keys = encryption && newFileKeys(encryption.format, forChain);
  // Before the server sends anything: a program that keeps a key may not be there.
  const wrapped = keys && encryption && (await wrapKeys(keys, encryption));
  const manifest = await transfer(upload, options, keys);
  const bytes = manifestBytes(keys ? await withoutServer(manifest, upload, keys) : manifest);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (wrapped) await putKeys(upload, wrapped, sha256);
  await seals?.expect(sha256);
  const encryptedFor = (encryption?.recipients ?? []).map(({ id, name }) => name ?? id);
  return { sealed: await upload.seal(bytes, { signal }), manifest, encryptedFor };
}

/** What names the server, and tells of it, goes into an encrypted object, and not into the manifest. */
async function withoutServer(manifest: VaultManifest, upload: VaultUpload, keys: NewKeys): Promise<StoredManifest> {
  const { instanceName, datastore, engine, objects, ...common } = manifest;
  const about = Buffer.from(JSON.stringify({ instanceName, datastore, engine }));
  const stored = await upload.put(
    aboutServerName,
    compressFrames(only(about)),
    cipherOf(keys, manifest, aboutServerName),
  );
  const all: VaultObject[] = [...objects, { ...stored, rawBytes: about.length, compression: 'zstd' }];
  const names = new Set(all.map(({ name }) => name));
  return {
    ...common,
    format: formatOf(all),
    datastore: { type: datastore.type },
    objects: all,
    encryption: { format: keys.format, forChain: keys.forChain.filter((name) => names.has(name)) },
  };
}

/** Puts everything but the manifest into the vault, and returns the manifest. */
async function transfer(upload: VaultUpload, options: StoreOptions, keys: NewKeys | undefined): Promise<VaultManifest> {
  const budget = new BackupBudget(options.limits ?? usualLimits);
  try {
    return await transferWithin(budget, upload, options, keys);
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
  keys: NewKeys | undefined,
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
      const fullName = `${name}${extension}`;
      const putting = upload.put(fullName, compressFrames(counted), keys && cipherOf(keys, backup, fullName));
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
async function openParent(
  { vault, parentSha256, encryption, signal }: StoreOptions,
  parentId: string,
): Promise<OpenedBackup> {
  const parent = await openToBuildOn(vault, parentId, { signal, encryption });
  if (parentSha256 === undefined || parent.sha256 === parentSha256) return parent;
  const { region } = vault;
  const message = `What the vault of ${region} has as backup ${parentId} is another than was stored: its SHA-256 is ${parent.sha256} and should be ${parentSha256}.`;
  const cause = new VaultFault('object-altered', region, message);
  throw new IncrementalNotPossible('parent-unreadable', `${message} Take a full backup.`, { cause });
}

/**
 * A chain is encrypted from its full backup on and in one format, or not at all: who holds the vault could otherwise read a part of it, and its owner
 * would not know.
 * @throws {IncrementalNotPossible}
 * @throws {EncryptionFault} `key-command-failed`: a program that can't be asked now is no reason for a full backup
 */
async function openToBuildOn(
  vault: Vault,
  parentId: string,
  { signal, encryption }: Pick<StoreOptions, 'signal' | 'encryption'>,
): Promise<OpenedBackup> {
  try {
    const identities = encryption?.chainIdentities;
    const parent = await openBackup(vault, parentId, { signal, identities, onlyForChain: true });
    if (parent.keys?.format === encryption?.format) return parent;
    if (parent.keys && encryption) throw inAnotherFormat(parentId, parent.keys.format, encryption.format);
  } catch (error) {
    if (!(error instanceof EncryptionFault) || error.retryable) throw error;
    const message = `Backup ${parentId}, on which it was to be built, is encrypted, and this scheduler has no key for what an incremental needs of it. Take a full backup, or see STRONGROOM_CHAIN_KEY_FILE.`;
    throw new IncrementalNotPossible('parent-unreadable', message, { cause: error });
  }
  const [parent, own] = encryption ? ['is not encrypted', 'is to be'] : ['is encrypted', 'is not to be'];
  const message = `Backup ${parentId}, on which it was to be built, ${parent}, and this backup ${own}. Take a full backup.`;
  throw new IncrementalNotPossible('parent-unreadable', message);
}

/** Otherwise a chain could stay for long in the format that its owner has left. */
function inAnotherFormat(parentId: string, parent: EncryptionFormat, own: EncryptionFormat): IncrementalNotPossible {
  const message = `Backup ${parentId}, on which it was to be built, is encrypted in the format ${parent}, and this backup is to be in ${own}. Take a full backup.`;
  return new IncrementalNotPossible('parent-unreadable', message);
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
async function leftByDeadAttempt({
  vault,
  backup,
  seals,
  encryption,
  signal,
}: StoreOptions): Promise<SealedBackup | undefined> {
  try {
    const found = await vault.manifest(backup.backupId);
    if (!found || !(await seals?.isExpected(found.sha256))) return undefined;
    const there = await vault.verify(backup.backupId, undefined, signal);
    // Whoever holds the vault may change it meanwhile.
    if (there.sha256 !== found.sha256) return undefined;
    const { accountId, instanceId, parentId } = there.manifest;
    const isOwn = accountId === backup.accountId && instanceId === backup.instanceId;
    const isWanted = formatOfKeys(there.manifest) === encryption?.format;
    if (!isOwn || !isWanted || (parentId !== null && parentId !== backup.parentId)) return undefined;
    const identities = encryption?.chainIdentities;
    const { manifest } = await openSealed(vault, there, { signal, identities, onlyForChain: true });
    return { sealed: there, manifest, encryptedFor: await holdersOf(vault, there) };
  } catch (error) {
    // What it says of its server can't be told without a key.
    const isUnreadable = error instanceof EncryptionFault && error.code === 'key-missing';
    if (!isUnreadable && !isSpoilt(error)) throw error;
    return undefined;
  }
}

function formatOfKeys(manifest: StoredManifest): EncryptionFormat | undefined {
  return isEncrypted(manifest) ? manifest.encryption.format : undefined;
}

/** Whose keys open it, as its keys say. Only what an attempt of ours has left is taken. */
async function holdersOf(vault: Vault, { manifest }: SealedManifest): Promise<string[]> {
  const keys = isEncrypted(manifest) ? await vault.keys(manifest.backupId, 'backup') : undefined;
  return keys ? readKeys(keys.bytes).recipients.map(({ id, name }) => name ?? id) : [];
}

function result({ sealed, manifest, encryptedFor }: SealedBackup): StoredBackup {
  const { type, parentId, datastore, objects, engine: facts } = manifest;
  return {
    location: sealed.location,
    type,
    parentId,
    datastore,
    facts,
    sizeBytes: storedBytes(sealed),
    rawBytes: objects.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    sha256: sealed.sha256,
    encryptedFor,
  };
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function* counting(source: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    count(chunk.length);
    yield chunk;
  }
}
