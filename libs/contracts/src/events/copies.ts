/** The events of copies. */
import { z } from 'zod';
import { byteCount, instant, regionName, sha256Hex, uuid } from '../primitives.js';
import { attempt, reason } from './forms.js';

export const copyEvents = {
  /** A copy of a completed backup is owed to a region. */
  CopyRequested: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    sourceRegion: regionName,
    parentId: uuid.nullable(),
    sizeBytes: byteCount,
    sha256: sha256Hex,
  }),
  /** An attempt at the copy has begun. */
  CopyStarted: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    replicator: z.string().min(1),
  }),
  /** The attempt failed, and another one follows at `retryAt`. */
  CopyAttemptFailed: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    code: z.string().min(1),
    reason,
    retryAt: instant,
  }),
  /** Every object of the backup is in the region, read back and matched against the backup's SHA-256. */
  CopyCompleted: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    attempt,
    location: z.string().min(1),
    sizeBytes: byteCount,
    sha256: sha256Hex,
    startedAt: instant,
  }),
  /**
   * The region was found to hold a backup that the ledger knows from another region, by its manifest. Nobody has read its bytes for
   * that. From now on it is a copy like any other.
   */
  CopyCatalogued: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    /** The region from which the ledger knows the backup. */
    sourceRegion: regionName,
    parentId: uuid.nullable(),
    /** The number of the newest attempt that the vault knows, as attempts at the copy are counted. */
    attempt,
    location: z.string().min(1),
    sizeBytes: byteCount,
    sha256: sha256Hex,
    startedAt: instant,
    /** When the backup was made. When it was copied is not known. */
    completedAt: instant,
  }),
  /** The copy is given up, because no further attempt is likely to succeed. */
  CopyFailed: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    code: z.string().min(1),
    reason,
  }),
  /** The bytes of the attempt that completes next are from another region than the request named. */
  CopySourceChanged: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    sourceRegion: regionName,
  }),
  /** The copy can't be made, because the deployment has no vault for a region any more. It goes on when there is one again. */
  CopyStranded: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName, reason }),
  /** A completed copy is to be read back once more, and made again if it is not whole. */
  CopyCheckRequested: z.strictObject({ copyId: uuid, backupId: uuid, instanceId: uuid, region: regionName }),
  /** The copy was read back as asked, and every object is what was backed up. */
  CopyChecked: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName }),
  /** A completed copy was found missing or altered. The region is owed it again. */
  CopyLost: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    sizeBytes: byteCount,
    code: z.string().min(1),
    reason,
  }),
  /** The copy is deleted with its backup. From now on no attempt may complete or fail it. The region may still hold it. */
  CopyDeletionRequested: z.strictObject({ copyId: uuid, backupId: uuid, instanceId: uuid, region: regionName }),
  /**
   * The copy is gone. When no `CopyDeletionRequested` comes before it, an older version has recorded it, and the region may
   * have been emptied only afterwards.
   */
  CopyDeleted: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName }),
} as const;
