/**
 * The port to a region's object store. A backup is there whole or not at all: what is being written is under a
 * temporary name, and `seal` makes it visible in one step, its manifest with it.
 */
import type { Readable } from 'node:stream';
import type { VaultManifest, VaultObject } from '@strongroom/contracts';

/** A backup's manifest as stored: the parsed form, the very bytes, and their SHA-256, which is the backup's SHA-256. */
export interface SealedManifest {
  manifest: VaultManifest;
  bytes: Buffer;
  sha256: string;
}

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
   * Makes the backup visible under its id, with the manifest's bytes beside its objects. Durable when it returns.
   * @throws {VaultFault} `upload-superseded` when the attempt's temporary objects are gone, or the backup was sealed
   *   by another one meanwhile
   */
  abstract seal(manifestBytes: Buffer): Promise<{ location: string }>;

  /** Removes everything this attempt wrote and did not seal. Never throws: the next attempt's `begin` removes the rest. */
  abstract discard(): Promise<void>;
}

export abstract class Vault {
  abstract readonly region: string;

  /**
   * Removes what earlier attempts at this backup left under temporary names, so that none of them can seal any more,
   * then opens a new attempt. What an attempt has sealed is not touched; what has no manifest, since its removal was cut
   * off or it was lost, is nothing sealed and goes too. To clear up after the last attempt, begin one more and discard it.
   * @param attempt higher than that of every attempt before, the dead ones too: what one left refuses every lower number,
   *   until a higher one begins or the backup is purged
   * @throws {VaultFault} `upload-superseded` when an attempt with a higher number has begun
   */
  abstract begin(backupId: string, attempt: number): Promise<VaultUpload>;

  /** The sealed backup's manifest, or undefined when the vault does not hold the backup. @throws {VaultFault} */
  abstract manifest(backupId: string): Promise<SealedManifest | undefined>;

  /** Where in the vault a sealed backup lies. */
  abstract locationOf(backupId: string): string;

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

  /**
   * Removes a sealed backup; the manifest goes first, so that no half backup is ever visible. Absent: does nothing.
   * What an attempt is writing is not touched.
   */
  abstract remove(backupId: string): Promise<void>;

  /**
   * Removes everything of a backup that has ended: what is sealed, and what any attempt left under temporary names. An
   * attempt that is still open can neither put nor seal any more (`upload-superseded`). Absent: does nothing. Begin no
   * further attempt at the backup: it would be one like any other.
   */
  abstract purge(backupId: string): Promise<void>;

  /** Cheap check that the vault can be reached and written to; for readiness. @throws {VaultFault} */
  abstract probe(): Promise<void>;
}
