/**
 * Finds out by trying whether a file system has what a vault stands on. A property that is missing is told by its name, with
 * what to do, before anything is written there that counts.
 */
import { randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import { codeOf } from '../error-code.js';
import { VaultFault } from '../vault-fault.js';
import type { VaultRoot } from './vault-root.js';

/** Codes that say that this process may not write here. Then it keeps nothing here either. */
const readOnly = new Set(['EROFS', 'EACCES', 'EPERM']);
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOTTY']);

/**
 * @returns what is missing and only weakens the vault, as whole sentences
 * @throws {VaultFault} `vault-misconfigured`, when something is missing that keeps attempts apart
 */
export async function tryFileSystem(root: VaultRoot): Promise<string[]> {
  const { files, path } = root;
  const one = join(path, `.trial.${randomUUID()}`);
  const other = `${one}.b`;
  const bytes = Buffer.from('strongroom tries this file system\n');
  try {
    try {
      await files.writeNew(one, bytes);
    } catch (error) {
      if (readOnly.has(codeOf(error))) return [];
      throw error;
    }
    if (!(await isRefused(files.writeNew(one, bytes))))
      throw lacks(root, 'makes a file anew though it is there already (O_EXCL is not kept)');
    await files.link(one, other).catch((error: unknown) => {
      throw isWithoutLinks(error) ? noLinks(root, codeOf(error), error) : error;
    });
    if (!(await isRefused(files.link(one, other))))
      throw lacks(root, 'gives a file a name that another file has already');
    if (!(await files.readFile(other)).equals(bytes))
      throw lacks(root, 'does not read under a second name what was written under the first');
    const names = await files.list(path);
    if (![one, other].every((each) => names.includes(basename(each))))
      throw lacks(root, 'does not list a file under the name that it was given');
    return (await files.syncFolder(path)) ? [] : [unsynced(root)];
  } finally {
    for (const each of [one, other]) await files.unlink(each).catch(() => {});
  }
}

export function noLinks({ region, path }: VaultRoot, code: string, cause?: unknown): VaultFault {
  const message = `The file system of the vault of ${region} (${path}) has no hard links (${code}), which keep attempts apart. Use one that has: ext4, XFS, NFS, or SMB with the POSIX extensions.`;
  return new VaultFault('vault-misconfigured', region, message, { cause, told: unfit(region) });
}

export function isWithoutLinks(error: unknown): boolean {
  return withoutLinks.has(codeOf(error));
}

function lacks({ region, path }: VaultRoot, what: string): VaultFault {
  const message = `The file system of the vault of ${region} (${path}) ${what}: attempts could not be kept apart there. Use ext4, XFS or NFS.`;
  return new VaultFault('vault-misconfigured', region, message, { told: unfit(region) });
}

function unfit(region: string): string {
  return `The file system of the vault of ${region} is not fit for a vault.`;
}

function unsynced({ region, path }: VaultRoot): string {
  return `the file system of the vault of ${region} (${path}) can't sync folders. A power cut of its server may take backups back that were made in the last seconds before it; the copies in other regions are not touched`;
}

/** Whether a name is refused because it is there. Any other error says nothing of the file system's properties. */
async function isRefused(operation: Promise<unknown>): Promise<boolean> {
  try {
    await operation;
    return false;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return true;
    throw error;
  }
}
