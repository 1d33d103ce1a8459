/** One attempt at putting a backup into a directory: a folder of its own, renamed to the backup's when it is whole. */
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { manifestObjectName, type VaultObject } from '@strongroom/contracts';
import { checkedObjectName } from '../manifest.js';
import { VaultUpload } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { chunkBytes, codeOf, syncFolder, type VaultRoot, writeAll } from './vault-root.js';

export class DirectoryUpload extends VaultUpload {
  private readonly partial: string;

  constructor(
    private readonly root: VaultRoot,
    private readonly backupId: string,
    attempt: number,
  ) {
    super();
    this.partial = root.partialFolder(backupId, attempt);
  }

  async put(name: string, source: AsyncIterable<Buffer>): Promise<Pick<VaultObject, 'name' | 'sizeBytes' | 'sha256'>> {
    const file = await this.create(checkedObjectName(name, this.root.region));
    const hash = createHash('sha256');
    let sizeBytes = 0;
    try {
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length; at += chunkBytes) {
          const piece = chunk.subarray(at, at + chunkBytes);
          hash.update(piece);
          await this.root.doing(`write ${name} of backup ${this.backupId}`, () => writeAll(file, piece));
        }
        sizeBytes += chunk.length;
      }
      // A failed sync voids the file: what the disk holds then is not known.
      await this.root.doing(`write ${name} of backup ${this.backupId} to its disk`, () => file.sync());
    } finally {
      await file.close();
    }
    return { name, sizeBytes, sha256: hash.digest('hex') };
  }

  async seal(manifestBytes: Buffer): Promise<{ location: string }> {
    const { root, backupId, partial } = this;
    const file = await this.create(manifestObjectName);
    try {
      await root.doing(`write the manifest of backup ${backupId}`, async () => {
        await writeAll(file, manifestBytes);
        await file.sync();
      });
    } finally {
      await file.close();
    }
    const location = root.locationOf(backupId);
    await root.doing(`seal backup ${backupId}`, async () => {
      const final = root.folderOf(backupId);
      const parent = await root.makeFolder(...dirname(location).split('/'));
      await this.notSuperseded(() => syncFolder(partial));
      await this.notSuperseded(() => rename(partial, final));
      for (const folder of [parent, dirname(parent), root.path, root.partials]) await syncFolder(folder);
    });
    return { location };
  }

  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true }).catch(() => {});
  }

  private create(name: string): Promise<FileHandle> {
    return this.root.doing(`create ${name} of backup ${this.backupId}`, () =>
      this.notSuperseded(() => open(join(this.partial, name), 'wx', 0o600)),
    );
  }

  /** That our folder is gone while the vault is there, or the backup there already, is another attempt's doing. */
  private async notSuperseded<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      const code = codeOf(error);
      const sealedByAnother = code === 'ENOTEMPTY' || code === 'EEXIST';
      const gone = code === 'ENOENT' && (await this.root.isThere()) && !(await isThere(this.partial));
      if (!sealedByAnother && !gone) throw error;
      const { region } = this.root;
      const message = `The upload of backup ${this.backupId} to the vault of ${region} was superseded by a later attempt, which goes on.`;
      throw new VaultFault('upload-superseded', region, message, { cause: error });
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
