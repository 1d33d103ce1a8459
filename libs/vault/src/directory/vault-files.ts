/**
 * Every operation of a directory vault on the file system. Each goes through `step`, so that a test can let the disk hang,
 * fail or answer late at any of them.
 */

import { constants, createReadStream, type Stats } from 'node:fs';
import { access, type FileHandle, link, mkdir, open, readdir, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { syncFolder } from '../sync-folder.js';
import { Turns } from './turns.js';

/** The manifest of a backup of ten thousand objects has a few megabytes. What a vault keeps of itself is smaller. */
const mostOfFile = 33_554_432;

type Step = <T>(operation: string, path: string, perform: () => Promise<T>) => Promise<T>;

/** A file that is open for reading or writing. */
export class OpenFile {
  constructor(
    private readonly file: FileHandle,
    private readonly path: string,
    private readonly step: Step,
  ) {}

  async writeAll(bytes: Buffer): Promise<void> {
    await this.step('write', this.path, async () => {
      for (let at = 0; at < bytes.length; ) at += (await this.file.write(bytes, at, bytes.length - at)).bytesWritten;
    });
  }

  /** @returns the number of bytes read; 0 at the end */
  async read(into: Buffer): Promise<number> {
    return this.step('read', this.path, async () => (await this.file.read(into, 0, into.length)).bytesRead);
  }

  sync(): Promise<void> {
    return this.step('sync', this.path, () => this.file.sync());
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

export class VaultFiles {
  private readonly turns: Turns;

  /**
   * @param mostAtATime how many operations may be under way. Each keeps one of Node's threads, and one that hangs keeps it
   *   for as long as it hangs
   */
  constructor(mostAtATime = Number.POSITIVE_INFINITY) {
    this.turns = new Turns(mostAtATime);
  }

  protected step<T>(_operation: string, _path: string, perform: () => Promise<T>): Promise<T> {
    return this.turns.take(perform);
  }

  /** @param flags `r` reads a file, `wx` makes a file that is not there yet */
  async open(path: string, flags: 'r' | 'wx'): Promise<OpenFile> {
    const file = await this.step(flags === 'r' ? 'open' : 'create', path, () => open(path, flags, 0o600));
    return new OpenFile(file, path, (operation, at, perform) => this.step(operation, at, perform));
  }

  /** Reads a small file. What is longer than any of ours is cut off, and can't be parsed then. */
  readFile(path: string): Promise<Buffer> {
    return this.step('read', path, () => buffer(createReadStream(path, { end: mostOfFile - 1 })));
  }

  /** Makes a file that is not there yet. All of it is on the disk when this returns. */
  async writeNew(path: string, bytes: Buffer): Promise<void> {
    const file = await this.open(path, 'wx');
    try {
      await file.writeAll(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Gives a file a second name, which must not be taken yet. */
  link(path: string, name: string): Promise<void> {
    return this.step('link', name, () => link(path, name));
  }

  makeFolder(path: string): Promise<void> {
    return this.step('mkdir', path, () => mkdir(path, { mode: 0o700 }));
  }

  list(path: string): Promise<string[]> {
    return this.step('list', path, () => readdir(path));
  }

  stat(path: string): Promise<Stats> {
    return this.step('stat', path, () => stat(path));
  }

  access(path: string, mode: number): Promise<void> {
    return this.step('access', path, () => access(path, mode));
  }

  unlink(path: string): Promise<void> {
    return this.step('unlink', path, () => unlink(path));
  }

  removeEmptyFolder(path: string): Promise<void> {
    return this.step('rmdir', path, () => rmdir(path));
  }

  /** Removes a file, or a folder with everything in it. */
  removeTree(path: string): Promise<void> {
    return this.step('remove', path, () => rm(path, { recursive: true, force: true }));
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
}
