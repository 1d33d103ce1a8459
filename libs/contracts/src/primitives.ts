/** The forms that every contract uses: ids, instants, regions. Each is parsed once, at the edge where it comes in. */
import { z } from 'zod';

/** A UUID in lower case, as the HTTP contract wants ids. */
export const uuid = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, {
  error: 'must be a lower-case UUID',
});

/** The owner of instances, schedules and backups: 1 to 64 characters of `[A-Za-z0-9_-]`. */
export const accountId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, {
  error: 'must be 1 to 64 characters of A-Z a-z 0-9 _ -',
});

/** The name of a region, such as `IAD`. Which names exist is a deployment's configuration, not the contract's. */
export const regionName = z
  .string()
  .regex(/^[A-Z][A-Z0-9-]{0,31}$/, { error: 'must be the name of a region, such as "IAD"' });

/** An instant in UTC to the millisecond: `2026-11-14T14:30:00.000Z`. */
export const instant = z.iso.datetime({ precision: 3 });

/** A SHA-256 digest in lower-case hexadecimal. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 in lower-case hexadecimal' });

export const byteCount = z.int().nonnegative();

/** Kinds of database servers that Strongroom has an engine for. */
export const datastoreType = z.enum(['postgresql']);
export type DatastoreType = z.infer<typeof datastoreType>;

export const datastore = z.strictObject({ type: datastoreType, version: z.string().min(1).max(32) });
export type Datastore = z.infer<typeof datastore>;

/** Stands for the version of a server that nobody knows: its backup was found in a vault, and is encrypted. */
export const unknownVersion = 'unknown';

/** A full backup stands alone; an incremental is built on its parent. */
export const backupType = z.enum(['full', 'incremental']);
export type BackupType = z.infer<typeof backupType>;
