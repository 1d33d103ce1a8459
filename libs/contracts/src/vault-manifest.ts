/**
 * The manifest beside a backup in a vault. It describes the backup completely, so that a restore needs only the vault.
 *
 * It names every object with its SHA-256, or with that of each of its segments. The SHA-256 of the backup is that of the
 * manifest's bytes, so one digest proves every byte. A copy has the same bytes.
 */
import { z } from 'zod';
import { backupType, byteCount, datastore, instant, regionName, sha256Hex, uuid } from './primitives.js';

/** A part of an object that is proven by itself. An object is the row of its segments. */
const vaultSegment = z.strictObject({ sizeBytes: byteCount, sha256: sha256Hex });
export type VaultSegment = z.infer<typeof vaultSegment>;

/** A plain file name within the backup. */
export const vaultObjectName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);

/** As it is stored. */
const stored = { name: vaultObjectName, sizeBytes: byteCount };
const content = {
  /** The number of bytes before compression. */
  rawBytes: byteCount,
  compression: z.enum(['zstd', 'none']),
};
/** `strongroom-backup/1`: one digest proves the whole object. */
const wholeObject = z.strictObject({ ...stored, sha256: sha256Hex, ...content });
/** `strongroom-backup/2`: each segment has a digest, and nothing else proves the object. */
const segmentedObject = z
  .strictObject({ ...stored, ...content, segments: z.array(vaultSegment).min(1) })
  .refine(({ sizeBytes, segments }) => segments.reduce((sum, each) => sum + each.sizeBytes, 0) === sizeBytes, {
    message: 'the segments do not have as many bytes as the object',
    path: ['segments'],
  });
export type VaultObject = z.infer<typeof wholeObject> | z.infer<typeof segmentedObject>;

/** What has to be compared to prove an object, in order. The whole object is one segment where the manifest names none. */
export function segmentsOf(object: VaultObject): readonly VaultSegment[] {
  return 'segments' in object ? object.segments : [object];
}

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

const whole = 'strongroom-backup/1';
const segmented = 'strongroom-backup/2';

export const vaultManifest = z
  .strictObject({
    format: z.enum([whole, segmented]),
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
    objects: z
      .array(z.union([wholeObject, segmentedObject]))
      .min(1)
      .max(mostObjects),
    /** What the engine needs to restore the backup and to build on it: version, system id, timeline, LSNs and so on. */
    engine: engineFacts,
  })
  .refine(({ format, objects }) => objects.every((object) => isSegmented(object) === (format === segmented)), {
    message: 'an object is not of the format of its manifest',
    path: ['objects'],
  });
export type VaultManifest = z.infer<typeof vaultManifest>;

/** A manifest of these objects, in the format that their vault has given them. */
export function manifestFor(backup: Omit<VaultManifest, 'format'>): VaultManifest {
  return { format: backup.objects.some(isSegmented) ? segmented : whole, ...backup };
}

function isSegmented(object: VaultObject): boolean {
  return 'segments' in object;
}

export const manifestObjectName = 'manifest.json';
