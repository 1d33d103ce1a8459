/** A folder as the identity of its vault needs it. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { codeOf } from '../error-code.js';
import type { VaultIdentity } from '../vault.js';
import { type MarkedStore, markerName } from '../vault-marker.js';
import { tryFileSystem } from './file-system-trial.js';
import { absentAs, isFull, type VaultRoot } from './vault-root.js';

const readOnly = new Set(['EROFS', 'EACCES', 'EPERM']);

export class MarkedFolder implements MarkedStore {
  readonly layout = 'folders';
  readonly advice = {
    whenShared:
      'Give each region a folder of its own in STRONGROOM_VAULTS: the same folder, a symbolic link, a bind mount or one NFS export',
    whenAway: 'See that its disk is mounted, and no other.',
  };

  constructor(private readonly root: VaultRoot) {}

  get region(): string {
    return this.root.region;
  }

  get where(): string {
    return this.root.path;
  }

  doing<T>(what: string, operations: () => Promise<T>): Promise<T> {
    return this.root.doing(what, operations);
  }

  read(): Promise<Buffer | undefined> {
    return absentAs<Buffer | undefined>(undefined, this.root.files.readFile(join(this.root.path, markerName)));
  }

  async make(bytes: Buffer): Promise<boolean> {
    const { files, path } = this.root;
    const written = join(path, `.${markerName}.${randomUUID()}`);
    try {
      await files.writeNew(written, bytes);
      await files.link(written, join(path, markerName));
      await files.syncFolder(path);
    } catch (error) {
      // A process that may only read gives the vault no identity; what else is wrong shows when it reads.
      if (readOnly.has(codeOf(error))) return false;
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await files.unlink(written).catch(() => {});
    }
    return true;
  }

  /** A vault that is full must still be read and emptied. Its file system was tried before it got its marker. */
  async tried(isMarked: boolean): Promise<Pick<VaultIdentity, 'device' | 'weaknesses'>> {
    const weaknesses = await tryFileSystem(this.root).catch((error: unknown) => {
      if (isMarked && isFull(error)) return [];
      throw error;
    });
    return { device: (await this.root.files.stat(this.root.path)).dev, weaknesses };
  }
}
