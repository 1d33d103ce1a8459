/**
 * The manifest beside a backup in a vault: self-describing, so that a restore needs nothing but the vault.
 *
 * It names every object with its SHA-256, and the backup's own SHA-256 is the digest of the manifest's bytes: one
 * digest proves the whole, and a copy is the same bytes.
 */
import { z } from 'zod';
import { backupType, byteCount, datastore, instant, regionName, sha256Hex, uuid } from './primitives.js';

export const vaultObject = z.strictObject({
  /** A plain file name within the backup. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  /** Bytes stored, and their digest. */
  sizeBytes: byteCount,
  sha256: sha256Hex,
  /** Bytes before compression. */
  rawBytes: byteCount,
  compression: z.enum(['zstd', 'none']),
});
export type VaultObject = z.infer<typeof vaultObject>;

export const vaultManifest = z.strictObject({
  format: z.literal('strongroom-backup/1'),
  backupId: uuid,
  accountId: z.string().min(1),
  instanceId: uuid,
  instanceName: z.string().min(1),
  type: backupType,
  parentId: uuid.nullable(),
  /** Of the parent's manifest, so that one digest proves the chain; null for a full one, absent in what older versions made. */
  parentSha256: sha256Hex.nullable().optional(),
  datastore,
  /** The region the backup was made in. */
  region: regionName,
  startedAt: instant,
  completedAt: instant,
  objects: z.array(vaultObject).min(1),
  /** What the engine needs to restore, and to build on it: server version, system id, timeline, LSNs and the like. */
  engine: z.record(z.string(), z.union([z.string(), z.number(), z.null(), z.array(z.record(z.string(), z.string()))])),
});
export type VaultManifest = z.infer<typeof vaultManifest>;

export const manifestObjectName = 'manifest.json';
