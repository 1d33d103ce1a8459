/**
 * A vault in a directory:
 *
 *     ROOT/backups/<last two digits of the id>/<backup id>/   the objects and manifest.json of a sealed backup
 *     ROOT/partial/<backup id>.<attempt>/                     what an attempt has written so far
 *
 * Sealing renames the folder, so a backup is there whole or not at all. Whoever deploys makes the root. It is best a
 * folder within the mounted file system, so that it is missed when the disk is not mounted.
 */
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { manifestObjectName, type VaultObject } from '@strongroom/contracts';
import { checkedObjectName, parseManifest } from '../manifest.js';
import { type SealedManifest, Vault, type VaultUpload } from '../vault.js';
import { notHeld, VaultFault } from '../vault-fault.js';
import { DirectoryUpload } from './directory-upload.js';
import { chunkBytes, codeOf, syncFolder, VaultRoot } from './vault-root.js';

export class DirectoryVault extends Vault {
  private readonly root: VaultRoot;

  constructor(
    readonly region: string,
    path: string,
  ) {
    super();
    this.root = new VaultRoot(region, path);
  }

  async begin(backupId: string, attempt: number): Promise<VaultUpload> {
    const upload = new DirectoryUpload(this.root, backupId, attempt);
    await this.root.doing(`open an upload of backup ${backupId}`, async () => {
      await access(this.root.path, constants.W_OK);
      await this.removeEarlier(backupId, attempt);
      await this.root.makeFolder('partial');
      await this.removeUnsealed(backupId, attempt);
      await this.root.makeFolder('partial', `${backupId}.${attempt}`);
    });
    return upload;
  }

  async manifest(backupId: string): Promise<SealedManifest | undefined> {
    const path = join(this.root.folderOf(backupId), manifestObjectName);
    return this.root.doing(`read the manifest of backup ${backupId}`, async () => {
      await access(this.root.path, constants.R_OK);
      const bytes = await absentAs(undefined, readFile(path)).catch(this.unreadable(backupId, manifestObjectName));
      return bytes && parseManifest(bytes, backupId, this.region);
    });
  }

  locationOf(backupId: string): string {
    return this.root.locationOf(backupId);
  }

  read(backupId: string, objectName: string): Readable {
    return Readable.from(this.chunks(backupId, objectName), { objectMode: false, highWaterMark: chunkBytes });
  }

  async verify(backupId: string, progress?: (bytes: number) => void, signal?: AbortSignal): Promise<SealedManifest> {
    const sealed = await this.manifest(backupId);
    if (!sealed) throw notHeld(backupId, this.region);
    const expected = new Set([manifestObjectName, ...sealed.manifest.objects.map(({ name }) => name)]);
    const present = await this.root.doing(`list backup ${backupId}`, () => readdir(this.root.folderOf(backupId)));
    const stranger = present.find((name) => !expected.has(name));
    if (stranger !== undefined) throw this.altered(backupId, `it holds ${stranger}, which its manifest does not name`);
    for (const object of sealed.manifest.objects) await this.verifyObject(backupId, object, progress, signal);
    return sealed;
  }

  async remove(backupId: string): Promise<void> {
    const folder = this.root.folderOf(backupId);
    await this.root.doing(`remove backup ${backupId}`, async () => {
      await access(this.root.path, constants.W_OK);
      await rm(join(folder, manifestObjectName), { force: true });
      await rm(folder, { recursive: true, force: true });
      await absentAs(undefined, syncFolder(dirname(folder)));
    });
  }

  async purge(backupId: string): Promise<void> {
    // Before what is sealed: none of them can seal after it.
    await this.root.doing(`remove what is unfinished of backup ${backupId}`, async () => {
      await access(this.root.path, constants.W_OK);
      for (const { path } of await this.attemptsAt(backupId)) await removeFolder(path);
      await absentAs(undefined, syncFolder(this.root.partials));
    });
    await this.remove(backupId);
  }

  async probe(): Promise<void> {
    await this.root.doing('be opened', async () => {
      if (!(await stat(this.root.path)).isDirectory()) throw new Error('it is no folder');
      await access(this.root.path, constants.R_OK | constants.W_OK);
    });
  }

  private async *chunks(backupId: string, objectName: string): AsyncGenerator<Buffer> {
    const path = join(this.root.folderOf(backupId), checkedObjectName(objectName, this.region));
    const what = `read ${objectName} of backup ${backupId}`;
    const file = await this.root.doing(what, async () => {
      await access(this.root.path, constants.R_OK);
      return absentAs(undefined, open(path, 'r'));
    });
    if (!file) throw this.missing(backupId, objectName);
    try {
      for (;;) {
        const chunk = Buffer.allocUnsafeSlow(chunkBytes);
        const { bytesRead } = await this.root.doing(what, () =>
          file.read(chunk, 0, chunkBytes).catch(this.unreadable(backupId, objectName)),
        );
        if (bytesRead === 0) return;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  private async verifyObject(
    backupId: string,
    { name, sizeBytes, sha256 }: VaultObject,
    progress?: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const path = join(this.root.folderOf(backupId), checkedObjectName(name, this.region));
    const found = await this.root.doing(`look at ${name} of backup ${backupId}`, () =>
      absentAs<Stats | undefined>(undefined, stat(path)),
    );
    if (!found) throw this.missing(backupId, name);
    if (found.size !== sizeBytes)
      throw this.altered(backupId, `${name} has ${found.size} bytes and should have ${sizeBytes}`);
    const hash = createHash('sha256');
    for await (const chunk of this.chunks(backupId, name)) {
      signal?.throwIfAborted();
      hash.update(chunk);
      progress?.(chunk.length);
    }
    if (hash.digest('hex') !== sha256)
      throw this.altered(backupId, `the SHA-256 of ${name} is not the one in its manifest`);
  }

  private missing(backupId: string, name: string): VaultFault {
    const message = `${name} of backup ${backupId} is missing in the vault of ${this.region}. Restore from the copy in another region.`;
    return new VaultFault('object-missing', this.region, message);
  }

  /** What of an error of the disk is this object's alone. */
  private unreadable(backupId: string, name: string): (error: unknown) => never {
    return (cause) => {
      if (codeOf(cause) !== 'EIO') throw cause;
      const message = `${name} of backup ${backupId} in the vault of ${this.region} can't be read back: its disk fails there. Restore from the copy in another region.`;
      throw new VaultFault('object-unreadable', this.region, message, { cause });
    };
  }

  private altered(backupId: string, how: string): VaultFault {
    const message = `Backup ${backupId} in the vault of ${this.region} is not what was stored: ${how}. Restore from the copy in another region.`;
    return new VaultFault('object-altered', this.region, message);
  }

  /** One that was frozen and wakes up late must not take away what a later attempt writes: it ends here. */
  private async removeEarlier(backupId: string, attempt: number): Promise<void> {
    for (const { number, path } of await this.attemptsAt(backupId)) {
      if (number > attempt) {
        const message = `Attempt ${attempt} at putting backup ${backupId} into the vault of ${this.region} comes late: attempt ${number} has begun. Whoever comes after it needs a higher number.`;
        throw new VaultFault('upload-superseded', this.region, message);
      }
      await removeFolder(path);
    }
  }

  /**
   * Without its manifest a folder is no backup, and none can be sealed in its place. It is moved to where this attempt's
   * own things are and looked at again there: a later attempt may have sealed it since, if this one was frozen.
   */
  private async removeUnsealed(backupId: string, attempt: number): Promise<void> {
    const final = this.root.folderOf(backupId);
    const isSealed = (folder: string) => this.isThere(join(folder, manifestObjectName));
    if (!(await this.isThere(final)) || (await isSealed(final))) return;
    const aside = this.root.partialFolder(backupId, attempt);
    await absentAs(undefined, rename(final, aside));
    if (await isSealed(aside)) await rename(aside, final);
    else await removeFolder(aside);
  }

  private async isThere(path: string): Promise<boolean> {
    return (await absentAs<Stats | undefined>(undefined, stat(path))) !== undefined;
  }

  /** What there is under temporary names. */
  private async attemptsAt(backupId: string): Promise<{ number: number; path: string }[]> {
    const prefix = basename(this.root.partialFolder(backupId, 0)).slice(0, -1);
    const names = await absentAs<string[]>([], readdir(this.root.partials));
    return names
      .filter((name) => name.startsWith(prefix))
      .map((name) => ({ number: Number(name.slice(prefix.length)), path: join(this.root.partials, name) }));
  }
}

/** Tried again where an attempt that is still open puts one more object into it meanwhile. */
function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5 });
}

async function absentAs<T>(value: T, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return value;
    throw error;
  }
}
