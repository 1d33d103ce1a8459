/**
 * Every operation of a directory vault on the file system. Each goes through `step`, so that a test can let the disk hang,
 * fail or answer late at any of them. None follows a symbolic link below the vault's folder: whoever may write to its disk could
 * otherwise lead us into another vault, or anywhere on this host.
 */

import { constants, type Stats } from 'node:fs';
import {
  access,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { codeOf } from '../error-code.js';
import { syncFolder } from '../sync-folder.js';
import { wholePages } from './disk-buffers.js';
import { FirstComeFirstServed } from './first-come-first-served.js';

/** The manifest of a backup of ten thousand objects has a few megabytes. What a vault keeps of itself is smaller. */
const mostOfFile = 33_554_432;

/** A folder of ours has a name for each backup in a part of the vault. Another one would take all memory when it is listed. */
const mostNames = 1_000_000;
const listedAtOnce = 1_024;

/** Something lies in a vault that a vault never has. */
export class StrangeEntry extends Error {}

type Step = <T>(operation: string, path: string, perform: () => Promise<T>) => Promise<T>;

/**
 * The file systems of which it is known that they write past the page cache as well as through it, by the type that `statfs` tells: ext4 and
 * XFS. A network file system would wait for its server at each write.
 */
const writingPastCache: readonly number[] = [0xef53, 0x58465342];

/** A file that is open for reading or writing. */
export class OpenFile {
  /** Behind what was written. */
  private end = 0;

  /** @param isPastCache whether it was opened to be written past the page cache */
  constructor(
    private file: FileHandle,
    private readonly path: string,
    private readonly step: Step,
    private isPastCache = false,
  ) {}

  /**
   * Writes behind what was written before. Past the page cache, the memory must be that of `DiskBuffers`, and nothing can be written behind what
   * ends within a page.
   */
  async write(bytes: Buffer): Promise<void> {
    try {
      await this.step('write', this.path, () => this.writeAt(this.end, bytes));
    } catch (error) {
      // A disk with larger pages says so only now.
      if (!this.isPastCache || this.end > 0 || !cannotBypass(error)) throw error;
      await this.file.close();
      this.file = await open(this.path, constants.O_WRONLY | constants.O_NOFOLLOW);
      this.isPastCache = false;
      await this.step('write', this.path, () => this.writeAt(0, bytes));
    }
    this.end += bytes.length;
  }

  private async writeAt(place: number, bytes: Buffer): Promise<void> {
    if (!this.isPastCache) {
      for (let at = 0; at < bytes.length; )
        at += (await this.file.write(bytes, at, bytes.length - at, place + at)).bytesWritten;
      return;
    }
    const pages = wholePages(bytes);
    pages.fill(0, bytes.length);
    // What was cut off within a page can't be gone on with: all of it is written again. A full disk says so then.
    for (let written = 0; written < pages.length; )
      written = (await this.file.write(pages, 0, pages.length, place)).bytesWritten;
    if (pages.length > bytes.length) await this.file.truncate(place + bytes.length);
  }

  /**
   * @param at the first byte that is read. Default: the one after those that were read before
   * @returns the number of bytes read; 0 at the end
   */
  async read(into: Buffer, at: number | null = null): Promise<number> {
    return this.step('read', this.path, async () => (await this.file.read(into, 0, into.length, at)).bytesRead);
  }

  sync(): Promise<void> {
    return this.step('sync', this.path, () => this.file.sync());
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

export class VaultFiles {
  private readonly turns: FirstComeFirstServed;
  private top: string | undefined;
  /** Where that is when every link on the way to it was followed. */
  private realTop = '';

  /**
   * @param mostAtATime how many operations may be under way. Each keeps one of Node's threads, and one that hangs keeps it
   *   for as long as it hangs
   * @param mostNames how many entries a folder may have
   */
  constructor(
    mostAtATime = Number.POSITIVE_INFINITY,
    private readonly most = mostNames,
  ) {
    this.turns = new FirstComeFirstServed(mostAtATime);
  }

  /** From now on no link is followed below this folder. It may itself be one, which its operator has made. */
  keepWithin(top: string): void {
    this.top = top;
  }

  protected step<T>(_operation: string, _path: string, perform: () => Promise<T>): Promise<T> {
    return this.turns.take(perform);
  }

  /** @param flags `r` reads a file, `wx` makes a file that is not there yet */
  async open(path: string, flags: 'r' | 'wx'): Promise<OpenFile> {
    const file = await this.within(flags === 'r' ? 'open' : 'create', path, () =>
      flags === 'r' ? this.opened(path) : open(path, flags, 0o600),
    );
    return this.openFile(file, path);
  }

  /**
   * Opens a file to be read from its disk, past the page cache of this host. Such a file is read in whole pages into `DiskBuffers`.
   * @returns undefined when the platform or the file system can't do that
   */
  openOnDisk(path: string): Promise<OpenFile | undefined> {
    const direct = constants.O_DIRECT as number | undefined;
    if (direct === undefined) return Promise.resolve(undefined);
    return this.within('open', path, async () => {
      try {
        return this.openFile(await this.opened(path, direct), path);
      } catch (error) {
        if (cannotBypass(error)) return undefined;
        throw error;
      }
    });
  }

  /**
   * Makes a file that is not there yet, to be written from `DiskBuffers` past the page cache of this host: nobody reads a backup soon, and what it
   * would push out of the cache is needed. Where that is not known to be good, it is written as usual.
   */
  createOnDisk(path: string): Promise<OpenFile> {
    const direct = constants.O_DIRECT as number | undefined;
    return this.within('create', path, async () => {
      if (direct !== undefined && writingPastCache.includes((await statfs(dirname(path))).type)) {
        try {
          const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | direct;
          return this.openFile(await open(path, flags, 0o600), path, true);
        } catch (error) {
          if (!cannotBypass(error)) throw error;
          // Linux has made the file before it says so.
          await unlink(path).catch(() => {});
        }
      }
      return this.openFile(await open(path, 'wx', 0o600), path);
    });
  }

  private openFile(file: FileHandle, path: string, isPastCache = false): OpenFile {
    return new OpenFile(file, path, (operation, at, perform) => this.step(operation, at, perform), isPastCache);
  }

  /** Reads a small file. What is longer than any of ours is cut off, and can't be parsed then. */
  readFile(path: string): Promise<Buffer> {
    return this.within('read', path, async () => {
      const file = await this.opened(path);
      return buffer(file.createReadStream({ end: mostOfFile - 1 }));
    });
  }

  /** Makes a file that is not there yet. All of it is on the disk when this returns. */
  async writeNew(path: string, bytes: Buffer): Promise<void> {
    const file = await this.open(path, 'wx');
    try {
      await file.write(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Gives a file a second name, which must not be taken yet. */
  link(path: string, name: string): Promise<void> {
    return this.within('link', name, () => link(path, name));
  }

  /** It replaces nothing that is there, unless that is an empty folder. */
  rename(path: string, name: string): Promise<void> {
    return this.within('rename', name, () => rename(path, name));
  }

  makeFolder(path: string): Promise<void> {
    return this.within('mkdir', path, () => mkdir(path, { mode: 0o700 }));
  }

  list(path: string): Promise<string[]> {
    return this.within('list', path, async () => {
      await this.refuseLinksTo(path);
      const names: string[] = [];
      for await (const { name } of await opendir(path, { bufferSize: listedAtOnce })) {
        if (names.length >= this.most) throw new StrangeEntry(`${path} has more than ${this.most} entries`);
        names.push(name);
      }
      return names;
    });
  }

  /** What lies there. A symbolic link is neither a file nor a folder. */
  stat(path: string): Promise<Stats> {
    return this.within('stat', path, () => (path === this.top ? stat(path) : lstat(path)));
  }

  access(path: string, mode: number): Promise<void> {
    return this.within('access', path, () => access(path, mode));
  }

  unlink(path: string): Promise<void> {
    return this.within('unlink', path, () => unlink(path));
  }

  removeEmptyFolder(path: string): Promise<void> {
    return this.within('rmdir', path, () => rmdir(path));
  }

  /** Removes a file, or a folder with everything in it. */
  removeTree(path: string): Promise<void> {
    return this.within('remove', path, () => rm(path, { recursive: true, force: true }));
  }

  /** How many bytes this process may still write there. */
  roomBytes(path: string): Promise<number> {
    return this.step('statfs', path, async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    });
  }

  /**
   * Makes the names in a folder durable, which the sync of a file does not.
   * @returns false when the file system can't do that
   */
  syncFolder(path: string): Promise<boolean> {
    return syncFolder(path, {
      open: (at) => this.open(at, 'r'),
      isReadable: (at) =>
        this.access(at, constants.R_OK).then(
          () => true,
          () => false,
        ),
    });
  }

  private within<T>(operation: string, path: string, perform: () => Promise<T>): Promise<T> {
    return this.step(operation, path, async () => {
      if (path !== this.top) await this.refuseLinksTo(dirname(path));
      return perform();
    });
  }

  /** @throws {StrangeEntry} when a link leads to the folder */
  private async refuseLinksTo(folder: string): Promise<void> {
    const { top } = this;
    if (top === undefined || folder === top) return;
    const found = await realpath(folder);
    if (found === join(this.realTop, relative(top, folder))) return;
    // It is asked for again: its operator may have put another disk there.
    this.realTop = await realpath(top);
    if (found !== join(this.realTop, relative(top, folder))) {
      throw new StrangeEntry(`${folder} is, or lies behind, a symbolic link`);
    }
  }

  /** Opens a file or a folder. To open anything else could wait for ever, or do something. */
  private async opened(path: string, alsoFlags = 0): Promise<FileHandle> {
    if (this.top === undefined || path === this.top) return open(path, constants.O_RDONLY | alsoFlags);
    const found = await lstat(path);
    if (found.isFile() || found.isDirectory()) {
      return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | alsoFlags);
    }
    throw new StrangeEntry(`${path} is neither a file nor a folder`);
  }
}

/** Whether a file system says that it reads or writes nothing past the page cache. */
export function cannotBypass(error: unknown): boolean {
  return ['EINVAL', 'EOPNOTSUPP', 'ENOTSUP'].includes(codeOf(error));
}
