/**
 * PostgreSQL's own manifest of a backup: every file with its size and checksum, and a checksum of itself.
 * Source: PostgreSQL documentation, "Backup Manifest Format".
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EngineFault } from '../engine-fault.js';

export interface FileOfServer {
  sizeBytes: number;
  sha256: string;
}

const form = z.object({
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      'Encoded-Path': z.string().optional(),
      Size: z.int().nonnegative(),
      'Checksum-Algorithm': z.literal('SHA256'),
      Checksum: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
  'Manifest-Checksum': z.string(),
});

/** `[{"Timeline": 1, …}]`, as the manifest has it. */
const walRanges = /^"WAL-Ranges": (\[[^\]]*\])/m;
const systemIdentifier = /^"System-Identifier": (\d+),$/m;

/**
 * A manifest as the server would write it, of files that were put together from several backups.
 * @param newest the server's own manifest of the last of them: it says of which system and which WAL
 */
export function combinedManifest(
  files: ReadonlyMap<string, FileOfServer & { modified: Date }>,
  newest: Buffer,
): Buffer {
  const text = newest.toString('utf8');
  const system = systemIdentifier.exec(text)?.[1];
  const ranges = walRanges.exec(text)?.[1];
  if (system === undefined || ranges === undefined)
    throw new EngineFault(
      'backup-content-invalid',
      "The server's manifest in the backup does not say what its WAL is.",
    );
  const lines = [...files].map(([path, { sizeBytes, sha256, modified }]) => {
    const at = modified.toISOString().replace('T', ' ').slice(0, 19);
    return `{ "Path": ${JSON.stringify(path)}, "Size": ${sizeBytes}, "Last-Modified": "${at} GMT", "Checksum-Algorithm": "SHA256", "Checksum": "${sha256}" }`;
  });
  const body = `{ "PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": ${system},\n"Files": [\n${lines.join(',\n')}\n],\n"WAL-Ranges": ${ranges},\n`;
  const digest = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`${body}"Manifest-Checksum": "${digest}"}\n`);
}

/** By path. WAL segments are not in it. @throws {EngineFault} `backup-content-invalid` */
export function parseServerManifest(bytes: Buffer): Map<string, FileOfServer> {
  const invalid = (why: string) =>
    new EngineFault('backup-content-invalid', `The server's manifest in the backup can't be used: ${why}.`);
  const lastLine = bytes.lastIndexOf('"Manifest-Checksum"');
  let manifest: z.infer<typeof form>;
  try {
    manifest = form.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  const digest = createHash('sha256').update(bytes.subarray(0, lastLine)).digest('hex');
  if (digest !== manifest['Manifest-Checksum']) throw invalid('its checksum of itself is wrong');
  return new Map(
    manifest.Files.map((file) => {
      const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8');
      return [path, { sizeBytes: file.Size, sha256: file.Checksum }];
    }),
  );
}
