/**
 * The port to a region's object store. A backup is there whole or not at all. Each attempt writes in a place of its own,
 * and what it wrote is read back before it counts. One small state object for each backup says which place counts. It is
 * changed by compare-and-set alone, so a late attempt can neither change nor remove what counts.
 */
import type { Readable } from 'node:stream';
import type { KeysOf, StoredManifest, VaultObject, VaultSegment } from '@strongroom/contracts';
import type { ObjectCipher } from '@strongroom/encryption';
import type { BucketLock } from './bucket-lock.js';
import type { ObjectStore } from './object/object-store.js';
import { SegmentCheck } from './segment-check.js';
import type { VaultFault } from './vault-fault.js';

/** A backup's manifest as it is stored: parsed, as bytes, and the SHA-256 of the bytes, which is the backup's SHA-256. */
export interface SealedManifest {
  manifest: StoredManifest;
  bytes: Buffer;
  sha256: string;
  /** Where in the vault the backup lies. */
  location: string;
  /** Of a copy that was just sealed: its store has compared the SHA-256 of what it copied by itself, and nobody has read it. */
  verifiedBy?: 'server';
}

/** Keys of a backup, as a vault has them. Only their holders can open them. */
export interface StoredKeys {
  bytes: Buffer;
  /** Changes whenever other keys are put in their place. Only the vault that gave it can read it. */
  tag: string;
}

/** Told of bytes that were read or written since the last call. What it returns is waited for before more is. */
export type Progress = (bytes: number) => Promise<void> | void;

/** How much was removed from a vault. */
export interface Removed {
  /** How many places of attempts. */
  places: number;
  bytes: number;
}

/** What a vault holds of a backup, sealed or not. Only the ledger says whether it is still wanted. */
export interface HeldBackup {
  backupId: string;
  /** Why the vault can't tell what counts. When it is there, the other fields mean nothing. */
  fault?: VaultFault;
  /** The number of the newest attempt that has begun; 0 for a backup that an older version stored. */
  attempt: number;
  /** Where the sealed backup lies. */
  location?: string;
  /** Whether the backup was removed, and the vault remembers only that. */
  isGone: boolean;
  /** Whether there may be something to `tidy`: a place that is not sealed, or the remains of an attempt that was cut off. */
  hasLeftovers: boolean;
  /** When the newest attempt began or ended, or the backup was removed, by the store's clock. */
  changedAt: Date;
}

/** A sealed backup in a list, or the reason why it can't be read. */
export type ListedBackup = { backupId: string } & ({ sealed: SealedManifest } | { fault: VaultFault });

/** The identity that a vault has written down for itself. It never changes. */
export interface VaultIdentity {
  vaultId: string;
  region: string;
  createdAt: string;
  /** The number of the file system that the vault is on, if it is on one. What breaks that breaks all vaults on it. */
  device?: number;
  /** This process may only read there, so it could not try what the store is good for. */
  isReadOnly?: true;
  /** What its file system can't do, as whole sentences. The vault works without it, and is weaker. */
  weaknesses?: readonly string[];
}

/** Remembers which vault each region has had. */
export interface VaultMemory {
  /** The id of the region's vault; undefined when the region's vault was never seen. */
  vaultIdOf(region: string): Promise<string | undefined>;
  /** Whether a vault that has no identity gets one. Default: it does. */
  givesNone?: boolean;
  /** @returns every region that is known to have this vault, and the vault that this region is known to have */
  remember(identity: VaultIdentity): Promise<{ region: string; vaultId: string }[]>;
}

/** The number of parts that `held` divides a vault into. */
export const shards = 256;

/** A part of an object, by its first byte. */
export interface ByteRange {
  from: number;
  bytes: number;
}

/** What a vault tells of an object that it was given: one digest, or those of the segments that it was cut into. */
export type StoredObject = Pick<VaultObject, 'name' | 'sizeBytes'> &
  ({ sha256: string } | { segments: VaultSegment[] });

/** Where the pieces of a backup lie in a store of objects. */
export interface InsideStore {
  store: ObjectStore;
  keyOf(pieceName: string): string;
}

/** An object of a backup in another vault, of which a copy is made. */
export interface CopySource {
  object: VaultObject;
  read(range: ByteRange): AsyncIterable<Buffer>;
  /** Where its segments lie, if they lie in a store of objects: a target in the same store has it copy them by itself. */
  inside?: InsideStore | undefined;
  /** Told of so many bytes that need not be read here: an earlier attempt has brought them, or the store has copied them. */
  skipped(bytes: number): void;
  /** Told of what is read back while more is brought. */
  readBack?: Progress | undefined;
  /** The fault of bytes that are not those of the object. */
  altered(): VaultFault;
}

export interface BeginOptions {
  /** The SHA-256 of the backup, when the attempt makes a copy. It may go on with what an earlier attempt at the copy has brought. */
  copyOf?: string | undefined;
  /** Ends what is written. It does not keep the attempt from being discarded. */
  signal?: AbortSignal | undefined;
}

/** One attempt at putting a backup into a vault. It ends with `seal` or `discard`. */
export abstract class VaultUpload {
  /**
   * Streams one object into the vault and hashes it on the way; memory use does not grow with its size. An error of the
   * source is thrown as it is. When the vault fails, the source is ended by its iterator's `return`. A vault that keeps objects in
   * segments cuts them where a chunk of the source ends. A chunk is not looked at any more when the next one is asked for.
   * @param cipher encrypts the object, each segment by itself, before anything leaves this process
   * @param readBack told of what is read back meanwhile, where the vault does that before it seals
   * @returns the number of bytes stored, and their SHA-256. Compression is the caller's business
   * @throws {VaultFault} also `upload-superseded`, when another attempt has taken the place of this one
   */
  abstract put(
    name: string,
    source: AsyncIterable<Buffer>,
    cipher?: ObjectCipher,
    readBack?: Progress,
  ): Promise<StoredObject>;

  /** Puts keys of the backup beside its objects, in place of those that an earlier attempt at the copy has brought. */
  abstract putKeys(of: KeysOf, bytes: Buffer): Promise<void>;

  /**
   * Brings one object of a copy, and compares it with the manifest on the way. What an earlier attempt has brought is not read again
   * from the source, where the vault can tell.
   * @throws {VaultFault} as `put`, and the source's own
   */
  async bring({ object, read, altered }: CopySource): Promise<void> {
    const check = new SegmentCheck(object, altered);
    await this.put(object.name, check.passing(read({ from: 0, bytes: object.sizeBytes })));
  }

  /**
   * Reads back everything that was put and compares it with the manifest. Then the backup is visible under its id, in
   * place of what an earlier attempt may have sealed. It is durable when this returns.
   * @throws {VaultFault} `object-altered` or another code of an object, when it can't be read back: it is not sealed then.
   *   `upload-superseded`, when a later attempt has begun or the backup was removed. After any other fault it is not
   *   known whether the backup was sealed
   */
  abstract seal(
    manifestBytes: Buffer,
    reading?: { progress?: Progress | undefined; signal?: AbortSignal | undefined },
  ): Promise<SealedManifest>;

  /**
   * Removes everything that this attempt wrote, unless it is sealed or may still become so, or the next attempt at the copy can go on
   * with it. Never throws: the next attempt's `begin` or the sweep removes what is left.
   */
  abstract discard(): Promise<void>;
}

export abstract class Vault {
  abstract readonly region: string;

  /** The same vault, whose calls hand the signal to their store where that takes one. Default: itself. */
  under(_signal: AbortSignal): Vault {
    return this;
  }

  /**
   * Begins an attempt. From now on no earlier attempt can seal, nor one of the same number that began before. What
   * earlier attempts left unsealed is removed, unless this one goes on with it; what they sealed stays until this attempt seals its own.
   * @throws {VaultFault} `upload-superseded`, when an attempt with a higher number has begun, or the backup was removed
   *   under this number or a higher one
   */
  abstract begin(backupId: string, attempt: number, options?: BeginOptions): Promise<VaultUpload>;

  /**
   * The sealed backup's manifest, or undefined when the vault does not hold the backup.
   * @throws {VaultFault} also when the manifest is not the one that was sealed; `manifest-newer`, when it is, and only a
   *   newer version of Strongroom can read it
   */
  abstract manifest(backupId: string): Promise<SealedManifest | undefined>;

  /**
   * As `manifest`, and looks whether every object is there in its size. It reads no object, so it is cheap, and proves nothing
   * about the bytes.
   * @throws {VaultFault} also `object-missing` and `object-altered`, which name the object
   */
  abstract glance(backupId: string): Promise<SealedManifest | undefined>;

  /** Where in the vault a sealed backup lies, even when it can't be read; undefined when none is sealed. */
  abstract locationOf(backupId: string): Promise<string | undefined>;

  /**
   * Reads one object of a sealed backup in chunks of at most 128 KiB. The stream fails with a {VaultFault}:
   * `object-missing` when the object is not there, `object-unreadable` when the disk can't give it back.
   * @param range default: the whole object. It gives fewer bytes where the object ends
   */
  abstract read(backupId: string, objectName: string, range?: ByteRange): Readable;

  /**
   * The same bytes, for a reader that does not look at a chunk any more when it asks for the next one: the memory of chunks may be used
   * again, and costs less than a stream.
   */
  readLent(backupId: string, objectName: string, range?: ByteRange): AsyncIterable<Buffer> {
    return this.read(backupId, objectName, range);
  }

  /**
   * The keys of a sealed backup, or undefined when there are none. They are no part of what its digest proves.
   * @throws {VaultFault}
   */
  abstract keys(backupId: string, of: KeysOf): Promise<StoredKeys | undefined>;

  /**
   * Puts other keys of a sealed backup in the place of those that had this tag. They are durable when this returns.
   * @returns false when there are others by now, and nothing was changed
   * @throws {VaultFault} after which it is not known whether they were replaced
   */
  abstract replaceKeys(backupId: string, of: KeysOf, bytes: Buffer, tag: string): Promise<boolean>;

  /**
   * Reads every object back and compares it with the sealed manifest; nothing else may lie beside them. Of an encrypted backup it looks
   * whether the keys are there, and are its own as far as can be told without them.
   * The bytes come from the disk where the platform can, and not from this host's memory.
   * @param progress called with the bytes read since the last call; the reading waits for the promise that it gives
   * @throws {VaultFault} `object-missing`, `object-altered` or `object-unreadable`, which name the object; the signal's
   *   reason when it is aborted
   */
  abstract verify(backupId: string, progress?: Progress, signal?: AbortSignal): Promise<SealedManifest>;

  /** Every sealed backup with its manifest. The vault alone is enough to find them; memory use does not grow with it. */
  abstract list(signal?: AbortSignal): AsyncIterable<ListedBackup>;

  /**
   * Removes everything of a backup that has ended: what is sealed, and what any attempt left. From now on no attempt up
   * to that number can begin, put or seal (`upload-superseded`). The vault remembers this until `forget`.
   * @param attempt the newest attempt that the ledger knows
   * @throws {VaultFault} `upload-superseded`, when a higher attempt has begun, and `object-locked`, when the store still keeps
   *   the backup: nothing is removed then
   */
  abstract purge(backupId: string, attempt: number): Promise<Removed>;

  /**
   * What one part of the vault holds, sealed or not.
   * @param shard from 0 to `shards` - 1
   */
  abstract held(shard: number, signal?: AbortSignal): AsyncIterable<HeldBackup>;

  /**
   * Removes what attempts left beside a sealed backup that has completed. None of them can ever seal after that.
   * @param kept the newest attempt and the place of the backup, as the ledger has them
   * @param before only what has not changed since then is removed, by the store's clock
   * @throws {VaultFault} `upload-superseded`, when a higher attempt has begun or another place is sealed: nothing is
   *   removed then
   */
  abstract tidy(backupId: string, kept: { attempt: number; location: string }, before: Date): Promise<Removed>;

  /**
   * Forgets that a backup was purged. It may only be called when no attempt at the backup will ever begin again.
   * @param before the backup is forgotten only if it was purged before then, by the store's clock
   * @returns whether nothing is left of the backup
   */
  abstract forget(backupId: string, attempt: number, before: Date): Promise<boolean>;

  /**
   * Reads the identity of the vault, and gives one to a vault that is new. From now on the identity is checked before
   * every write, and before the vault says that it does not hold a backup: another vault in its place is never mistaken
   * for it, nor an empty folder.
   * @returns undefined while the vault has no identity and may only be read
   * @throws {VaultFault} `vault-misconfigured`, when it is another region's vault; `vault-unavailable`, when it can't be
   *   reached or is not the vault that is remembered. Its identity is read again whenever it is used after that
   */
  abstract identify(memory?: VaultMemory): Promise<VaultIdentity | undefined>;

  /** Where a sealed backup lies in a store of objects; undefined in vaults of another kind. @throws {VaultFault} */
  async inside(_backupId: string): Promise<InsideStore | undefined> {
    return undefined;
  }

  /** Checks cheaply that the vault can be reached and written to. @throws {VaultFault} */
  abstract probe(): Promise<void>;

  /**
   * Has the store keep a sealed backup until then, whoever wants to remove it: a process of ours with all of its rights, too. What
   * was asked for before is never shortened. A time that has passed by the store's clock asks for nothing.
   * @returns whether the store can do that. A directory can't
   * @throws {VaultFault}
   */
  async keepUntil(_backupId: string, _until: Date): Promise<boolean> {
    return false;
  }

  /** Whether the store can keep backups so. */
  get keeps(): boolean {
    return false;
  }

  /** Whether the store has what `keepUntil` needs, as it says itself; undefined in stores that are not asked. @throws {VaultFault} */
  async bucketLock(): Promise<BucketLock | undefined> {
    return undefined;
  }

  /** Until when the store keeps all of a sealed backup, as the store says; undefined when it does not. @throws {VaultFault} */
  async keptUntil(_backupId: string): Promise<Date | undefined> {
    return undefined;
  }

  /** How many bytes there is room for; undefined when the store can't tell. @throws {VaultFault} */
  async roomBytes(): Promise<number | undefined> {
    return undefined;
  }

  /** Looks whether there is room before something is brought. @throws {VaultFault} `vault-full` */
  async mustHold(_bytes: number): Promise<void> {}
}
