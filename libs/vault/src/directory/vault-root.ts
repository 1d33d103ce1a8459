/**
 * The folder of a directory vault: where things lie in it, and what the errors of the file system mean. Nothing here makes
 * the root itself, because a disk that is not mounted must not look like an empty vault.
 */
import { join } from 'node:path';
import { messageOf } from '@strongroom/contracts';
import { codeOf } from '../error-code.js';
import { VaultFault } from '../vault-fault.js';
import { StrangeEntry, VaultFiles } from './vault-files.js';

/** Larger pieces fall out of the processor's cache, and are copied and hashed more slowly. */
export const chunkBytes = 131_072;

/** Removed when the disk is full. A removal has to be written down before it begins, and needs room for that. */
const spareName = '.spare';
const spareBytes = 65_536;
const backupIdForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class VaultRoot {
  constructor(
    readonly region: string,
    readonly path: string,
    readonly files = new VaultFiles(),
  ) {
    files.keepWithin(path);
  }

  /** Where versions without state objects kept what was not sealed yet. */
  get partials(): string {
    return join(this.path, 'partial');
  }

  /** The folder of a backup, relative to the root. */
  locationOf(backupId: string): string {
    return `backups/${backupId.slice(-2)}/${this.checked(backupId)}`;
  }

  folderOf(backupId: string): string {
    return join(this.path, this.locationOf(backupId));
  }

  /** Makes a folder and the folders between it and the root, but never the root. */
  async makeFolder(location: string): Promise<string> {
    let path = this.path;
    for (const name of location.split('/')) {
      path = join(path, name);
      await this.files.makeFolder(path).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
    }
    return path;
  }

  /** A disk that is not mounted must not look like an empty vault.  {Error} of the file system, or when it is no folder */
  async mustBeThere(): Promise<void> {
    if (!(await this.files.stat(this.path)).isDirectory()) throw new Error('it is no folder');
  }

  async isThere(): Promise<boolean> {
    return (await this.whyNotThere()) === undefined;
  }

  /** Runs operations of the file system and makes a fault of their error. @param what is done, such as "write base.tar.zst" */
  async doing<T>(what: string, operations: () => Promise<T>): Promise<T> {
    try {
      return await operations();
    } catch (error) {
      throw error instanceof VaultFault ? error : await this.vaultFault(error, what);
    }
  }

  /** Makes a small change. When the disk is full, it uses the room that `keepRoom` has set aside. */
  async evenIfFull<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } catch (error) {
      if (!isFull(error)) throw error;
      await this.files.unlink(join(this.path, spareName)).catch(() => {});
      return change();
    }
  }

  /** Sets room aside for `evenIfFull`, unless it is there already or the disk is full. */
  async keepRoom(): Promise<void> {
    const spare = join(this.path, spareName);
    await this.files.writeNew(spare, Buffer.alloc(spareBytes, '.')).catch(async (error: unknown) => {
      // A file that is too small gives no room, and would be mistaken for the room set aside.
      if (codeOf(error) !== 'EEXIST') await this.files.unlink(spare).catch(() => {});
    });
  }

  private async vaultFault(error: unknown, what: string): Promise<VaultFault> {
    const { region, path } = this;
    if (isFull(error)) {
      const message = `The vault of ${region} (${path}) is full: it could not ${what}. Make room in it, or remove backups that are not needed.`;
      const told = `The vault of ${region} is full.`;
      return new VaultFault('vault-full', region, message, { cause: error, told });
    }
    if (error instanceof StrangeEntry || codeOf(error) === 'ELOOP') {
      const why = messageOf(error);
      const message = `The vault of ${region} could not ${what}: ${why}, which no vault has below its folder. See who writes to its disk. Remove it, or put what it should be in its place.`;
      const told = `What lies in the vault of ${region} is not what was stored there.`;
      return new VaultFault('object-altered', region, message, { cause: error, told });
    }
    const told = `The vault of ${region} could not be used.`;
    const notThere = await this.whyNotThere();
    if (notThere !== undefined) {
      const message = `The vault of ${region} could not ${what}: ${notThere}. Mount its disk; if the vault is new, make the folder.`;
      return new VaultFault('vault-unavailable', region, message, { cause: error, told });
    }
    const why = messageOf(error);
    const message = `The vault of ${region} (${path}) could not ${what}: ${why}. See that its disk works and that this process may read and write there.`;
    return new VaultFault('vault-unavailable', region, message, { cause: error, told });
  }

  /** Undefined when the folder is there, and when the system does not let this process tell. */
  private async whyNotThere(): Promise<string | undefined> {
    try {
      const found = await this.files.stat(this.path);
      return found.isDirectory() ? undefined : `what lies at ${this.path} is no folder`;
    } catch (error) {
      const isMissing = ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
      return isMissing ? `its folder ${this.path} is not there` : undefined;
    }
  }

  /** An id may come from the command line, and must not lead out of the vault. */
  private checked(backupId: string): string {
    if (isBackupId(backupId)) return backupId;
    throw new VaultFault(
      'object-missing',
      this.region,
      `${JSON.stringify(backupId)} is no backup's id: it must be a lower-case UUID.`,
    );
  }
}

export function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(codeOf(error));
}

export function isBackupId(name: string): boolean {
  return backupIdForm.test(name);
}

/** What an operation finds; `value` when there is nothing at its path. */
export async function absentAs<T>(value: T, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return value;
    throw error;
  }
}
