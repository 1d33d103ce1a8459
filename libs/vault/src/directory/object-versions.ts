/**
 * The versions of the objects in a folder. Each has a number of its own:
 *
 *     ROOT/<key>                the object as it was first put
 *     ROOT/<key>~/<number>      the object as it was put again; the highest number counts, and a folder says that it was removed
 *
 * Numbers never go back. What a process that slept has linked below the highest number does not count.
 */
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { absentAs, type VaultRoot } from './vault-root.js';

/** What ends the name of the folder with the versions of an object. */
export const versionsOf = '~';
/** After so many changes by others, one gives up. */
export const mostLooks = 50;
const numberForm = /^[1-9]\d{0,14}$/;

/** The version of an object that counts; `path` is undefined when there is no object. */
export interface Version {
  number: number;
  path: string | undefined;
  stats: Stats | undefined;
}

export class ObjectVersions {
  constructor(private readonly root: VaultRoot) {}

  /** Which version counts. A removal of the first version that is under way counts as done. */
  async newest(key: string): Promise<Version> {
    const { files } = this.root;
    for (let look = 0; look < mostLooks; look += 1) {
      const numbers = await this.numbers(key);
      const highest = Math.max(0, ...(numbers ?? []));
      const number = Math.max(1, highest);
      const path = this.pathOf(key, number);
      const stats = await absentAs<Stats | undefined>(undefined, files.stat(path));
      if (stats?.isFile()) return { number, path, stats };
      if (stats?.isDirectory() && highest > 0) return { number, path: undefined, stats: undefined };
      // It was replaced between the two looks.
      if (highest > 0) continue;
      await this.root.mustBeThere();
      return { number: numbers === undefined ? 0 : 1, path: undefined, stats: undefined };
    }
    throw new Error(`${key} was changed by others ${mostLooks} times`);
  }

  /** The numbers of the versions after the first; undefined when the object was never put again. */
  async numbers(key: string): Promise<number[] | undefined> {
    const names = await absentAs<string[] | undefined>(undefined, this.root.files.list(this.folderOf(key)));
    return names?.filter((name) => numberForm.test(name)).map(Number);
  }

  pathOf(key: string, number: number): string {
    return number <= 1 ? join(this.root.path, key) : join(this.folderOf(key), String(number));
  }

  /** Where those after the first lie. */
  folderOf(key: string): string {
    return join(this.root.path, `${key}${versionsOf}`);
  }

  /** Removes the versions below a number. */
  async removePassed(key: string, number: number): Promise<void> {
    const { files } = this.root;
    const passed = [1, ...((await this.numbers(key)) ?? [])].filter((each) => each < number);
    for (const each of passed) {
      const path = this.pathOf(key, each);
      const stats = await absentAs<Stats | undefined>(undefined, files.stat(path));
      if (stats?.isDirectory()) await files.removeEmptyFolder(path).catch(() => {});
      else if (stats) await files.unlink(path).catch(() => {});
    }
  }
}

export function isSame(one: Version, other: Version): boolean {
  return one.number === other.number && one.path === other.path && one.stats?.ino === other.stats?.ino;
}
