/**
 * The manifest beside a backup in a vault. It describes the backup completely, so that a restore needs only the vault.
 *
 * It names every object with its SHA-256. The SHA-256 of the backup is that of the manifest's bytes, so one digest proves
 * every byte. A copy has the same bytes.
 */
import { z } from 'zod';
import { backupType, byteCount, datastore, instant, regionName, sha256Hex, uuid } from './primitives.js';

export const vaultObject = z.strictObject({
  /** A plain file name within the backup. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  /** The number of bytes stored, followed by their digest. */
  sizeBytes: byteCount,
  sha256: sha256Hex,
  /** The number of bytes before compression. */
  rawBytes: byteCount,
  compression: z.enum(['zstd', 'none']),
});
export type VaultObject = z.infer<typeof vaultObject>;

/** What an engine tells of a backup, in its own words. Nobody else reads them, but for `serverVersion` and `warnings`. */
export const engineFacts = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.null(), z.array(z.record(z.string(), z.string()))]),
);
export type EngineFacts = z.infer<typeof engineFacts>;

/** The version of the server in what its engine tells; undefined when the engine has not told it there. */
export function versionInFacts(facts: EngineFacts | null | undefined): string | undefined {
  return datastore.shape.version.safeParse(facts?.serverVersion).data;
}

const warnings = z.array(z.object({ said: z.string() }));

/** What the server has warned of while it gave the backup; nothing where the engine has not told it. */
export function warningsInFacts(facts: EngineFacts | null | undefined): string[] {
  return warnings.safeParse(facts?.warnings).data?.map(({ said }) => said) ?? [];
}

/** No server gives more. */
const mostObjects = 20_000;

export const vaultManifest = z.strictObject({
  format: z.literal('strongroom-backup/1'),
  backupId: uuid,
  accountId: z.string().min(1).max(255),
  instanceId: uuid,
  instanceName: z.string().min(1),
  type: backupType,
  parentId: uuid.nullable(),
  /** The SHA-256 of the parent, so that one digest proves the chain. Null for a full backup; absent in older manifests. */
  parentSha256: sha256Hex.nullable().optional(),
  datastore,
  /** The region where the backup was made. */
  region: regionName,
  startedAt: instant,
  completedAt: instant,
  objects: z.array(vaultObject).min(1).max(mostObjects),
  /** What the engine needs to restore the backup and to build on it: version, system id, timeline, LSNs and so on. */
  engine: engineFacts,
});
export type VaultManifest = z.infer<typeof vaultManifest>;

export const manifestObjectName = 'manifest.json';
