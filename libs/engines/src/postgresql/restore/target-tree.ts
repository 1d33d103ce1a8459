/**
 * The data folder while it is restored, with its tablespaces beside it. No server starts on it before its last act, for
 * its pg_control has another name until then; and what is made in it is noted, so that it can be taken away again.
 */
import { chmod, lstat, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from './archives-of.js';
import { parentOf, pathIn, shown } from './byte-path.js';
import { HeldFolder, heldControlName, holdName, syncFolder, syncName, targetFault } from './held-folder.js';
import type { TablespacePlaces } from './tablespace-places.js';
import type { Mode } from './unpack.js';

export const controlName = 'global/pg_control';

const linkOfTablespace = /^pg_tblspc\/(\d+)$/;
const inTablespace = /^pg_tblspc\/(\d+)\/([^/]+)$/;

export const modes: Readonly<Record<Mode, { file: number; folder: number }>> = {
  owner: { file: 0o600, folder: 0o700 },
  group: { file: 0o640, folder: 0o750 },
};

export class TargetTree {
  /** Tablespaces that have a link to a place outside, by oid. */
  readonly links = new Map<string, string>();
  /** That are there and were made here, the links among them. */
  private readonly folders = new Set<string>(['']);
  private mode: Mode = 'owner';
  private isParents = false;

  private constructor(
    readonly directory: string,
    private readonly places: TablespacePlaces,
    private readonly held: ReadonlyMap<string, HeldFolder>,
  ) {}

  /** @throws {EngineFault} `restore-target-unusable`: what was held is let go again, and nothing was touched */
  static async hold(directory: string, places: TablespacePlaces, backupId: string): Promise<TargetTree> {
    const held = new Map<string, HeldFolder>();
    try {
      for (const folder of [directory, ...places.folders]) held.set(folder, await HeldFolder.hold(folder, backupId));
    } catch (error) {
      for (const folder of held.values()) await folder.giveUp();
      throw error;
    }
    return new TargetTree(directory, places, held);
  }

  /** Where a file of the server is while the restore goes on. */
  at(path: string): Buffer {
    return pathIn(this.directory, path === controlName ? heldControlName : path);
  }

  /** A folder, and those above it. @throws {EngineFault} where something else has its name */
  async makeFolder(path: string, mode: Mode = 'owner'): Promise<void> {
    if (mode === 'group') this.mode = mode;
    if (!this.folders.has(path)) {
      await this.makeFolder(parentOf(path));
      await this.giveWay(path, 'folder');
      await mkdir(this.at(path), { mode: modes[mode].folder });
      this.folders.add(path);
      this.note(path);
    }
    if (mode === 'group' && path !== '' && !linkOfTablespace.test(path)) await chmod(this.at(path), modes.group.folder);
  }

  /** Remembers a file or folder that was made, to be removed when the restore fails. */
  note(path: string): void {
    if (!path.includes('/')) this.held.get(this.directory)?.note(path);
    const [, oid = '', name] = inTablespace.exec(path) ?? [];
    if (name !== undefined) this.held.get(this.links.get(oid) ?? '')?.note(name);
  }

  /** Whether what an archive has of this tablespace is wanted. */
  wants(oid: string): boolean {
    return this.places.placeOf(oid) !== undefined;
  }

  /** The link of a tablespace, and its folder. One that is there stays. @throws {EngineFault} for a link where PostgreSQL has none */
  async link(path: string): Promise<void> {
    const oid = linkOfTablespace.exec(path)?.[1];
    if (oid === undefined) throw invalid(`it has a link at ${shown(path)}, where PostgreSQL has none`);
    const place = this.places.placeOf(oid);
    if (place === undefined || this.links.has(oid)) return;
    if (!this.held.has(place)) {
      await mkdir(place, { mode: 0o700 });
      this.held.get(`${this.directory}.tablespaces`)?.note(oid);
    }
    await this.makeFolder('pg_tblspc');
    await symlink(place, this.at(path));
    this.links.set(oid, place);
    this.folders.add(path);
  }

  isLink(path: string): boolean {
    return this.links.has(linkOfTablespace.exec(path)?.[1] ?? '');
  }

  /** From here on what is there is a parent's: what has its name and is of another kind took its place since. */
  holdsParent(): void {
    this.isParents = true;
  }

  /** Removes what the parent has of another kind under this name. */
  async giveWay(path: string, to: 'file' | 'folder'): Promise<void> {
    if (!this.isParents) return;
    const found = await lstat(this.at(path)).catch(() => undefined);
    if (to === 'file' ? found?.isDirectory() : found?.isFile()) await this.remove(path);
  }

  /** With all that is in it. */
  async remove(path: string): Promise<void> {
    await rm(this.at(path), { recursive: true, force: true });
    for (const folder of this.folders)
      if (folder === path || folder.startsWith(`${path}/`)) this.folders.delete(folder);
  }

  /** Of what is in a folder. */
  names(path: string): Promise<string[]> {
    return readdir(this.at(path), { encoding: 'latin1' });
  }

  /** Whether it is what says who holds the folder, or that of a tablespace. */
  isHold(path: string): boolean {
    const [, oid = '', name] = inTablespace.exec(path) ?? [];
    return path === holdName || (name === holdName && this.held.has(this.links.get(oid) ?? ''));
  }

  /**
   * The last act: from here on a server starts on it. All else is durable. What says that the folder is held goes before
   * that, so that it is in no folder of a server, and in no backup of one.
   */
  async finish(): Promise<void> {
    if (this.mode === 'group') for (const place of this.links.values()) await chmod(place, modes.group.folder);
    for (const folder of this.held.keys()) {
      if (this.mode === 'group') await chmod(folder, modes.group.folder);
      await syncName(folder);
    }
    for (const folder of [...this.held.values()].reverse()) await folder.release();
    try {
      await rename(pathIn(this.directory, heldControlName), pathIn(this.directory, controlName));
      await syncFolder(join(this.directory, 'global'));
    } catch (error) {
      // A backup without one is none, and no server starts on it; it is said by who starts it.
      if (!(typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }

  /** @returns the error, or what it means for the folder */
  async giveUp(error: unknown): Promise<unknown> {
    for (const folder of this.held.values()) await folder.giveUp();
    return targetFault(error, this.directory);
  }
}
