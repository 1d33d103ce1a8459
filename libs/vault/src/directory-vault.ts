/**
 * A vault in a directory:
 *
 *     ROOT/backups/<last two digits of the id>/<backup id>/   the objects and manifest.json of a sealed backup
 *     ROOT/partial/<backup id>.<attempt>/                     what an attempt has written so far
 *
 * Sealing renames the folder, so a backup is there whole or not at all. The root is made by whoever deploys, never here:
 * a disk that is not mounted must not look like an empty vault.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { manifestObjectName, type VaultObject } from '@strongroom/contracts';
import { checkedObjectName, parseManifest } from './manifest.js';
import { type SealedManifest, Vault, VaultUpload } from './vault.js';
import { VaultFault } from './vault-fault.js';

/** Copies and hashes faster than in larger pieces, which fall out of the processor's cache. */
const chunkBytes = 131_072;

export class DirectoryVault extends Vault {
  constructor(
    readonly region: string,
    private readonly root: string,
  ) {
    super();
  }

  async begin(backupId: string, attempt: number): Promise<VaultUpload> {
    return this.doing(`open an upload of backup ${backupId}`, async () => {
      await access(this.root, constants.W_OK);
      await this.removePartials(backupId, attempt);
      const partial = join(this.partials, `${backupId}.${attempt}`);
      await mkdir(partial, { recursive: true });
      return new DirectoryUpload(this, partial, this.folder(backupId), this.locationOf(backupId));
    });
  }

  async manifest(backupId: string): Promise<SealedManifest | undefined> {
    return this.doing(`read the manifest of backup ${backupId}`, async () => {
      await access(this.root, constants.R_OK);
      const bytes = await readFile(join(this.folder(backupId), manifestObjectName)).catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      });
      return bytes && parseManifest(bytes, backupId, this.region);
    });
  }

  read(backupId: string, objectName: string): Readable {
    const path = join(this.folder(backupId), checkedObjectName(objectName, this.region));
    const stream = createReadStream(path, { highWaterMark: chunkBytes });
    // The error is replaced on its way out, so that a reader sees a fault of the vault.
    const destroy = stream.destroy.bind(stream);
    stream.destroy = (error?: Error) =>
      destroy(error && this.faultOf(error, `read ${objectName} of backup ${backupId}`));
    return stream;
  }

  async verify(backupId: string, progress?: (bytes: number) => void, signal?: AbortSignal): Promise<SealedManifest> {
    const sealed = await this.manifest(backupId);
    if (!sealed)
      throw new VaultFault(
        'object-missing',
        this.region,
        `The vault of ${this.region} does not hold backup ${backupId}.`,
      );
    const expected = new Set([manifestObjectName, ...sealed.manifest.objects.map(({ name }) => name)]);
    const present = await this.doing(`list backup ${backupId}`, () => readdir(this.folder(backupId)));
    const stranger = present.find((name) => !expected.has(name));
    if (stranger !== undefined) throw this.altered(backupId, `it holds ${stranger}, which its manifest does not name`);
    for (const object of sealed.manifest.objects) await this.verifyObject(backupId, object, progress, signal);
    return sealed;
  }

  async remove(backupId: string): Promise<void> {
    await this.doing(`remove backup ${backupId}`, async () => {
      await access(this.root, constants.W_OK);
      await rm(join(this.folder(backupId), manifestObjectName), { force: true });
      await rm(this.folder(backupId), { recursive: true, force: true });
      await this.removePartials(backupId, Number.POSITIVE_INFINITY);
    });
  }

  async probe(): Promise<void> {
    await this.doing('be written to', async () => {
      const found = await stat(this.root);
      if (!found.isDirectory()) throw Object.assign(new Error('it is no directory'), { code: 'ENOTDIR' });
      await access(this.root, constants.R_OK | constants.W_OK);
    });
  }

  /** Runs an operation and makes a fault of what the file system says. */
  async doing<T>(what: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw this.faultOf(error, what);
    }
  }

  private faultOf(error: unknown, what: string): VaultFault {
    if (error instanceof VaultFault) return error;
    const why = error instanceof Error ? error.message : String(error);
    const code = codeOf(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      const message = `The vault of ${this.region} (${this.root}) is full: could not ${what}. Make room in it.`;
      return new VaultFault('vault-full', this.region, message, { cause: error });
    }
    const message = `The vault of ${this.region} (${this.root}) could not ${what}: ${why}. See that it is mounted and writable.`;
    return new VaultFault('vault-unavailable', this.region, message, { cause: error });
  }

  private async verifyObject(
    backupId: string,
    { name, sizeBytes, sha256 }: VaultObject,
    progress?: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const path = join(this.folder(backupId), checkedObjectName(name, this.region));
    const found = await stat(path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') {
        throw new VaultFault(
          'object-missing',
          this.region,
          `${name} of backup ${backupId} is missing in the vault of ${this.region}.`,
        );
      }
      throw this.faultOf(error, `look at ${name} of backup ${backupId}`);
    });
    if (found.size !== sizeBytes)
      throw this.altered(backupId, `${name} has ${found.size} bytes and should have ${sizeBytes}`);
    const hash = createHash('sha256');
    for await (const chunk of this.read(backupId, name)) {
      signal?.throwIfAborted();
      hash.update(chunk);
      progress?.(chunk.length);
    }
    if (hash.digest('hex') !== sha256)
      throw this.altered(backupId, `the SHA-256 of ${name} is not the one in its manifest`);
  }

  private altered(backupId: string, how: string): VaultFault {
    return new VaultFault(
      'object-altered',
      this.region,
      `Backup ${backupId} in the vault of ${this.region} is not what was stored: ${how}.`,
    );
  }

  /** Only those of earlier attempts: one that was frozen and wakes up late must not take away what a newer one writes. */
  private async removePartials(backupId: string, before: number): Promise<void> {
    const names = await readdir(this.partials).catch(() => []);
    for (const name of names) {
      const [id, attempt] = name.split('.');
      if (id === backupId && Number(attempt) < before)
        await rm(join(this.partials, name), { recursive: true, force: true });
    }
  }

  private get partials(): string {
    return join(this.root, 'partial');
  }

  locationOf(backupId: string): string {
    return `backups/${backupId.slice(-2)}/${backupId}`;
  }

  private folder(backupId: string): string {
    // An id comes from outside (the command line): it must not lead anywhere else.
    if (!/^[0-9a-f-]{36}$/.test(backupId)) {
      throw new VaultFault(
        'object-missing',
        this.region,
        `"${backupId}" is no backup's id: it must be a lower-case UUID.`,
      );
    }
    return join(this.root, this.locationOf(backupId));
  }
}

class DirectoryUpload extends VaultUpload {
  constructor(
    private readonly vault: DirectoryVault,
    private readonly partial: string,
    private readonly final: string,
    private readonly location: string,
  ) {
    super();
  }

  async put(name: string, source: AsyncIterable<Buffer>): Promise<Pick<VaultObject, 'name' | 'sizeBytes' | 'sha256'>> {
    const file = await this.opened(checkedObjectName(name, this.vault.region));
    const hash = createHash('sha256');
    let sizeBytes = 0;
    try {
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length; at += chunkBytes) {
          const piece = chunk.subarray(at, at + chunkBytes);
          hash.update(piece);
          await this.vault.doing(`write ${name}`, () => writeAll(file, piece));
        }
        sizeBytes += chunk.length;
      }
      // A failed sync voids the file: what the disk holds then is not known.
      await this.vault.doing(`write ${name} to disk`, () => file.sync());
    } finally {
      await file.close();
    }
    return { name, sizeBytes, sha256: hash.digest('hex') };
  }

  async seal(manifestBytes: Buffer): Promise<{ location: string }> {
    const file = await this.opened(manifestObjectName);
    try {
      await this.vault.doing('write the manifest', async () => {
        await writeAll(file, manifestBytes);
        await file.sync();
      });
    } finally {
      await file.close();
    }
    await this.vault.doing('seal the backup', async () => {
      const parent = join(this.final, '..');
      await mkdir(parent, { recursive: true });
      await syncFolder(this.partial);
      await rename(this.partial, this.final).catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST')
          throw this.superseded();
        throw error;
      });
      await syncFolder(parent);
      await syncFolder(join(parent, '..'));
    });
    return { location: this.location };
  }

  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true }).catch(() => {});
  }

  private opened(name: string): Promise<FileHandle> {
    return this.vault.doing(`create ${name}`, () =>
      open(join(this.partial, name), 'wx', 0o600).catch((error: unknown) => {
        throw codeOf(error) === 'ENOENT' ? this.superseded() : error;
      }),
    );
  }

  private superseded(): VaultFault {
    const { region } = this.vault;
    return new VaultFault(
      'upload-superseded',
      region,
      `The upload to the vault of ${region} was superseded by another attempt.`,
    );
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
