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

/** The facts of a server are shorter than this. Longer ones are not kept with an event. */
const mostOfFacts = 65_536;

/** The facts without characters that the ledger's database can't store. Null when there is more than an event should hold. */
export function tellableFacts(facts: EngineFacts): EngineFacts | null {
  const text = JSON.stringify(facts, (_, value: unknown) =>
    typeof value === 'string' ? value.replaceAll(/\0|\p{Cs}/gu, '\u{fffd}') : value,
  );
  return text.length > mostOfFacts ? null : engineFacts.parse(JSON.parse(text));
}

/** No server gives more. */
const mostObjects = 20_000;

const whole = 'strongroom-backup/1';
const segmented = 'strongroom-backup/2';

/** What copies, lists and retention need. */
const ofEveryBackup = {
  format: z.enum([whole, segmented]),
  backupId: uuid,
  accountId: z.string().min(1).max(255),
  instanceId: uuid,
  type: backupType,
  parentId: uuid.nullable(),
  /** The SHA-256 of the parent, so that one digest proves the chain. Null for a full backup; absent in older manifests. */
  parentSha256: sha256Hex.nullable().optional(),
  /** The region where the backup was made. */
  region: regionName,
  startedAt: instant,
  completedAt: instant,
  objects: z
    .array(z.union([wholeObject, segmentedObject]))
    .min(1)
    .max(mostObjects),
};

/** What names the server and tells of it. In an encrypted backup it is an object of its own. */
const ofServer = {
  instanceName: z.string().min(1),
  datastore,
  /** What the engine needs to restore the backup and to build on it: version, system id, timeline, LSNs and so on. */
  engine: engineFacts,
};

/** That object. */
export const aboutServer = z.strictObject(ofServer);
export type AboutServer = z.infer<typeof aboutServer>;
export const aboutServerName = 'about.json.zst';

const oneFormat = {
  holds: ({ format, objects }: { format: string; objects: readonly VaultObject[] }) =>
    objects.every((object) => isSegmented(object) === (format === segmented)),
  told: { message: 'an object is not of the format of its manifest', path: ['objects'] },
};

/** A backup that anybody can read who has the vault. */
export const vaultManifest = z.strictObject({ ...ofEveryBackup, ...ofServer }).refine(oneFormat.holds, oneFormat.told);
export type VaultManifest = z.infer<typeof vaultManifest>;

/**
 * What the segments of an encrypted object are: payloads of age, or those of Tink's Streaming AEAD with keys of that template, in which
 * there is AES-256-GCM.
 */
export const encryptionFormat = z.enum(['age-encryption.org/v1', 'tink/AES256_GCM_HKDF_1MB']);
export type EncryptionFormat = z.infer<typeof encryptionFormat>;

/**
 * How the objects of a backup are encrypted. Their sizes and digests are those of what is stored, so that nobody needs a key to
 * copy or to verify the backup. The keys lie wrapped beside the manifest, and are no part of what its digest proves.
 */
const encryption = z.strictObject({
  /** The format of each segment, which is a payload of its own. */
  format: encryptionFormat,
  /** The objects under the key of the chain, which the next incremental needs. All others are under the key of the backup. */
  forChain: z.array(vaultObjectName),
});

/** A backup that only the holders of its keys can read. */
export const encryptedManifest = z
  .strictObject({ ...ofEveryBackup, datastore: z.strictObject({ type: datastore.shape.type }), encryption })
  .refine(oneFormat.holds, oneFormat.told)
  .refine(({ objects, encryption: { forChain } }) => isAmong(objects, forChain) && forChain.includes(aboutServerName), {
    message: 'an object under the key of the chain is not there',
    path: ['encryption'],
  });
export type EncryptedManifest = z.infer<typeof encryptedManifest>;

/** A manifest as a vault has it. */
export type StoredManifest = VaultManifest | EncryptedManifest;

export function isEncrypted(manifest: StoredManifest): manifest is EncryptedManifest {
  return 'encryption' in manifest;
}

const anyManifest = z.looseObject({ encryption: z.unknown() });

/** @throws {z.ZodError} */
export function parseStoredManifest(value: unknown): StoredManifest {
  const isClear = anyManifest.safeParse(value).data?.encryption === undefined;
  return isClear ? vaultManifest.parse(value) : encryptedManifest.parse(value);
}

/** The keys of a backup as they lie beside its manifest: what opens everything, and what the next incremental needs. */
export const keysNames = { backup: 'keys.age', chain: 'chain-keys.age' } as const;
export type KeysOf = keyof typeof keysNames;
export const allKeys: readonly KeysOf[] = ['backup', 'chain'];

/** The format of objects as their vault has given it to them. */
export function formatOf(objects: readonly VaultObject[]): StoredManifest['format'] {
  return objects.some(isSegmented) ? segmented : whole;
}

/** A manifest of these objects, in the format that their vault has given them. */
export function manifestFor(backup: Omit<VaultManifest, 'format'>): VaultManifest {
  return { format: formatOf(backup.objects), ...backup };
}

function isAmong(objects: readonly VaultObject[], names: readonly string[]): boolean {
  return names.every((wanted) => objects.some(({ name }) => name === wanted));
}

function isSegmented(object: VaultObject): boolean {
  return 'segments' in object;
}

export const manifestObjectName = 'manifest.json';
