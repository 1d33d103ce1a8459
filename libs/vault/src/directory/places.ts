/**
 * Removes places from a directory vault: those that no longer count (see `deadPlaces`), and what an older version left. It
 * decides nothing, and it counts what it removes.
 */

import type { Stats } from 'node:fs';
import { basename, join } from 'node:path';
import { codeOf } from '../error-code.js';
import type { Removed } from '../vault.js';
import { type BackupStates, deadPlaces, type FoundState, oldNames, passedNames } from './backup-state.js';
import { stillOpen } from './place-reader.js';
import { absentAs, type VaultRoot } from './vault-root.js';

/**
 * A removal is tried again when an attempt that is still open puts one more object into the place meanwhile. So many tries
 * in a row may find the folder not empty and nothing in it to remove.
 */
const mostIdleTries = 5;

/** A network file system keeps a file that is open somewhere under another name, and refuses to remove that. */
function unlessStillOpen(path: string): (error: unknown) => void {
  return (error) => {
    if (codeOf(error) !== 'EBUSY' || !stillOpen.test(basename(path))) throw error;
  };
}

export class Places {
  constructor(
    private readonly root: VaultRoot,
    private readonly states: BackupStates,
  ) {}

  /**
   * Removes everything of the backup that no longer counts under the state that was found.
   * @param before only what has not changed since then is removed. Default: everything, except changes that may be under way
   * @throws the first error, after everything else was removed
   */
  async clear(backupId: string, found: FoundState, before?: Date): Promise<Removed> {
    const folder = this.root.folderOf(backupId);
    const removed: Removed = { places: 0, bytes: 0 };
    const errors: unknown[] = [];
    const take = async (remove: () => Promise<number | undefined>, isPlace: boolean) => {
      try {
        const bytes = await remove();
        if (bytes === undefined) return;
        removed.bytes += bytes;
        if (isPlace) removed.places += 1;
      } catch (error) {
        errors.push(error);
      }
    };
    const old = found.seq > 0 ? await this.states.oldAttempts(backupId) : [];
    const places = [...deadPlaces(found).map((name) => join(folder, name)), ...old.map(({ path }) => path)];
    for (const path of places) await take(() => this.removePlace(path, before), true);
    const files = [...oldNames(found), ...(before ? passedNames(found) : [])];
    for (const name of files) await take(() => this.removeFile(join(folder, name), before), false);
    if (errors.length > 0) throw errors[0];
    return removed;
  }

  /** Whether there is anything to clear. */
  async hasLeftovers(backupId: string, found: FoundState): Promise<boolean> {
    const names = [...deadPlaces(found), ...oldNames(found), ...passedNames(found)];
    return names.length > 0 || (await this.states.oldAttempts(backupId)).length > 0;
  }

  /** @returns how many bytes were removed; undefined when the place has changed since, and stays */
  async removePlace(path: string, before?: Date): Promise<number | undefined> {
    const { files } = this.root;
    if (before && (await this.changedAt(path)) >= before) return undefined;
    const found = await absentAs<Stats | undefined>(undefined, files.stat(path));
    // Whoever may write to the disk could have put a link there, and nothing behind it is ours.
    if (found && !found.isDirectory()) return this.removeFile(path);
    let bytes = 0;
    let idleTries = 0;
    for (;;) {
      const names = await absentAs<string[]>([], files.list(path));
      for (const name of names) bytes += (await this.removeFile(join(path, name))) ?? 0;
      try {
        await absentAs(undefined, files.removeEmptyFolder(path));
        return bytes;
      } catch (error) {
        // What somebody still reads goes when it is closed, and the sweep removes the empty folder.
        if (codeOf(error) === 'ENOTEMPTY' && names.length > 0 && names.every((name) => stillOpen.test(name)))
          return bytes;
        idleTries = names.length > 0 ? 0 : idleTries + 1;
        if (codeOf(error) !== 'ENOTEMPTY' || idleTries === mostIdleTries) throw error;
      }
    }
  }

  private async removeFile(path: string, before?: Date): Promise<number | undefined> {
    const { files } = this.root;
    const found = await absentAs<Stats | undefined>(undefined, files.stat(path));
    if (!found || (before && found.mtime >= before)) return undefined;
    if (found.isDirectory()) await files.removeTree(path);
    else await absentAs(undefined, files.unlink(path)).catch(unlessStillOpen(path));
    return found.isDirectory() ? 0 : found.size;
  }

  /** When something was last written in a folder, by the file system's clock. */
  private async changedAt(path: string): Promise<Date> {
    const { files } = this.root;
    const place = await absentAs<Stats | undefined>(undefined, files.stat(path));
    const names = place?.isDirectory() ? await absentAs<string[]>([], files.list(path)) : [];
    let newest = new Date(0);
    for (const each of [path, ...names.map((name) => join(path, name))]) {
      const found = await absentAs<Stats | undefined>(undefined, files.stat(each));
      if (found && found.mtime > newest) newest = found.mtime;
    }
    return newest;
  }
}
