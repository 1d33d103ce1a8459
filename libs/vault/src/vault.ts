/**
 * The port to a region's object store. A backup is there whole or not at all: each attempt writes in a place of its own,
 * which is read back before it counts, and one small state object a backup, changed by compare-and-set, says which place
 * counts. So whoever wakes up late can neither change nor remove what counts.
 */
import type { Readable } from 'node:stream';
import type { VaultManifest, VaultObject } from '@strongroom/contracts';
import type { VaultFault } from './vault-fault.js';

/** A backup's manifest as stored: the parsed form, the very bytes, and their SHA-256, which is the backup's SHA-256. */
export interface SealedManifest {
  manifest: VaultManifest;
  bytes: Buffer;
  sha256: string;
  /** Where in the vault the backup lies. */
  location: string;
}

/** What a vault was rid of. */
export interface Removed {
  /** Places of attempts. */
  places: number;
  bytes: number;
}

/** What a vault holds of a backup, be it sealed or not, as the vault has it. */
export interface HeldBackup {
  backupId: string;
  /** Why it can't be told what counts of it: then the rest says nothing. */
  fault?: VaultFault;
  /** The newest attempt that has begun; 0 for what an older version stored. */
  attempt: number;
  /** Of what is sealed. */
  location?: string;
  /** It was removed, and only that is remembered. */
  isGone: boolean;
  /** There may be something to `tidy`: a place that is not sealed, or what an attempt that was cut off has left. */
  hasLeftovers: boolean;
  /** When its newest attempt began or ended, or it was removed, by the store's clock. */
  changedAt: Date;
}

/** A sealed backup in a list, or why it can't be read. */
export type ListedBackup = { backupId: string } & ({ sealed: SealedManifest } | { fault: VaultFault });

/** Who a vault is, as it says itself. Never changes. */
export interface VaultIdentity {
  vaultId: string;
  region: string;
  createdAt: string;
  /** Of the file system it is on, where it is on one: equal ones share their fate. */
  device?: number;
}

/** What is known of vaults from before, and of the others. */
export interface VaultMemory {
  /** The id of the region's vault; undefined when it was never seen. */
  vaultIdOf(region: string): Promise<string | undefined>;
  /** @returns every region that it knows under this id, and what it knows of this region */
  remember(identity: VaultIdentity): Promise<{ region: string; vaultId: string }[]>;
}

/** Into so many parts a vault is divided for `held`. */
export const shards = 256;

/** One attempt at putting a backup into a vault. Ends with `seal` or `discard`. */
export abstract class VaultUpload {
  /**
   * Streams one object in, hashing on the way. Memory stays flat. An error of the source comes out as it is, and when
   * the vault fails, the source is ended by its iterator's `return`.
   * @returns bytes as stored and their SHA-256 (before any compression is the caller's business)
   * @throws {VaultFault} also `upload-superseded` when another attempt has taken this one's place
   */
  abstract put(
    name: string,
    source: AsyncIterable<Buffer>,
  ): Promise<Pick<VaultObject, 'name' | 'sizeBytes' | 'sha256'>>;

  /**
   * Reads back everything that was put and compares it with the manifest, then makes the backup visible under its id, in
   * place of what an earlier attempt may have sealed. Durable when it returns.
   * @throws {VaultFault} `object-altered` and the like when it can't be read back: then it is not sealed;
   *   `upload-superseded` when a later attempt has begun, or the backup was removed. Any other does not tell whether it
   *   was sealed
   */
  abstract seal(
    manifestBytes: Buffer,
    reading?: { progress?: ((bytes: number) => void) | undefined; signal?: AbortSignal | undefined },
  ): Promise<SealedManifest>;

  /**
   * Removes everything this attempt wrote, unless it is sealed or might come to be. Never throws: the next attempt's
   * `begin`, or the sweep, removes the rest.
   */
  abstract discard(): Promise<void>;
}

export abstract class Vault {
  abstract readonly region: string;

  /**
   * Begins an attempt: from here on no earlier one can seal, nor one of the same number that began before. What earlier
   * ones left and did not seal is removed; what they sealed stays until this one seals its own.
   * @throws {VaultFault} `upload-superseded` when an attempt with a higher number has begun, or the backup was removed
   *   with this number or a higher one
   */
  abstract begin(backupId: string, attempt: number): Promise<VaultUpload>;

  /**
   * The sealed backup's manifest, or undefined when the vault does not hold the backup.
   * @throws {VaultFault} also when it is not the one that was sealed
   */
  abstract manifest(backupId: string): Promise<SealedManifest | undefined>;

  /**
   * As `manifest`, and looks whether every object lies there in its size. Reads none of them: cheap, and no proof.
   * @throws {VaultFault} also `object-missing`, `object-altered` naming the object
   */
  abstract glance(backupId: string): Promise<SealedManifest | undefined>;

  /** Where in the vault a sealed backup lies, be it that it can't be read; undefined when none is sealed. */
  abstract locationOf(backupId: string): Promise<string | undefined>;

  /**
   * Reads one object of a sealed backup in chunks of at most 128 KiB.
   * The stream fails with a {VaultFault}: `object-missing` when the object is not there, `object-unreadable` when the
   * disk can't give it back.
   */
  abstract read(backupId: string, objectName: string): Readable;

  /**
   * Reads every object back and compares it with the sealed manifest; nothing else may lie beside them.
   * @param progress called with the bytes read since the last call
   * @throws {VaultFault} `object-missing`, `object-altered`, `object-unreadable` naming the object; the signal's reason when it is aborted
   */
  abstract verify(backupId: string, progress?: (bytes: number) => void, signal?: AbortSignal): Promise<SealedManifest>;

  /** Every sealed backup, each with what it says of itself; nothing else is needed to find one. Memory stays flat. */
  abstract list(signal?: AbortSignal): AsyncIterable<ListedBackup>;

  /**
   * Removes everything of a backup that has ended: what is sealed, and what any attempt left. From here on no attempt up
   * to that number can begin, put or seal (`upload-superseded`); that much is remembered until it is forgotten.
   * @param attempt the newest that the ledger knows
   * @throws {VaultFault} `upload-superseded` when a higher one has begun: then nothing is removed
   */
  abstract purge(backupId: string, attempt: number): Promise<Removed>;

  /**
   * What one part of the vault holds, sealed or not.
   * @param shard from 0 to `shards` - 1
   */
  abstract held(shard: number, signal?: AbortSignal): AsyncIterable<HeldBackup>;

  /**
   * Removes what attempts left beside a sealed backup that has completed, and keeps all of them from ever sealing.
   * @param kept what the ledger says: its newest attempt, and where the backup lies
   * @param before only what has not changed since, by the store's clock
   * @throws {VaultFault} `upload-superseded` when a higher attempt has begun, or another place is sealed: nothing is removed
   */
  abstract tidy(backupId: string, kept: { attempt: number; location: string }, before: Date): Promise<Removed>;

  /**
   * Forgets that a backup was purged. Only for one that nobody will ever begin an attempt at again.
   * @param before only if it was purged earlier, by the store's clock
   * @returns whether nothing is left of it
   */
  abstract forget(backupId: string, attempt: number, before: Date): Promise<boolean>;

  /**
   * Reads who the vault is; one that is new is told, once. From here on it is asked before it is written to and before it
   * says that it does not hold a backup, so that another one in its place, or none, is not taken for it.
   * @returns undefined while it has no identity and may only be read
   * @throws {VaultFault} `vault-misconfigured` when it is another region's; `vault-unavailable` when it can't be reached,
   *   or is not the one that is remembered. It is asked anew then whenever it is used
   */
  abstract identify(memory?: VaultMemory): Promise<VaultIdentity | undefined>;

  /** Cheap check that the vault can be reached and written to; for readiness. @throws {VaultFault} */
  abstract probe(): Promise<void>;
}
