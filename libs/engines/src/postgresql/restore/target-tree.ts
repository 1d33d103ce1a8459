/**
 * The data folder while it is restored, with its tablespaces beside it. No server starts on it before the last act, since its
 * pg_control has another name until then. Everything that is made in it is noted, so that it can be removed again.
 */
import { chmod, lstat, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '@strongroom/vault';
import { EngineFault } from '../../engine-fault.js';
import { invalid } from './archives-of.js';
import { parentOf, pathIn, shown } from './byte-path.js';
import { HeldFolder, heldControlName, holdName, syncName, targetFault } from './held-folder.js';
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
  /** Where the tablespaces outside of the folder lie, by oid. */
  readonly links = new Map<string, string>();
  /** The folders that were made here and are there, the links among them. */
  private readonly folders = new Set<string>(['']);
  private mode: Mode = 'owner';
  private isParents = false;

  private constructor(
    readonly directory: string,
    private readonly places: TablespacePlaces,
    private readonly held: ReadonlyMap<string, HeldFolder>,
  ) {}

  /** @throws {EngineFault} `restore-target-unusable`, and nothing is held or changed */
  static async hold(directory: string, places: TablespacePlaces, backupId: string): Promise<TargetTree> {
    const held = new Map<string, HeldFolder>();
    try {
      for (const folder of [directory, ...places.folders]) held.set(folder, await HeldFolder.hold(folder, backupId));
    } catch (error) {
      for (const folder of held.values()) await folder.giveUp();
      throw held.has(directory) ? ofTablespaces(error) : error;
    }
    return new TargetTree(directory, places, held);
  }

  /** Where a file of the server lies during the restore. */
  at(path: string): Buffer {
    return pathIn(this.directory, path === controlName ? heldControlName : path);
  }

  /** Makes a folder, and those above it. @throws {EngineFault} where something else has its name */
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

  /** Whether this tablespace is restored. */
  wants(oid: string): boolean {
    return this.places.placeOf(oid) !== undefined;
  }

  /** Makes the link of a tablespace, and its folder, unless they are there. @throws {EngineFault} for a link where PostgreSQL has none */
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

  /** From now on everything that is there is a parent's. An entry with its name and of another kind replaces it. */
  holdsParent(): void {
    this.isParents = true;
  }

  /** Removes an entry of the parent with this name that is of another kind. */
  async giveWay(path: string, to: 'file' | 'folder'): Promise<void> {
    if (!this.isParents) return;
    const found = await lstat(this.at(path)).catch(() => undefined);
    if (to === 'file' ? found?.isDirectory() : found?.isFile()) await this.remove(path);
  }

  /** Removes a file, or a folder with everything in it. */
  async remove(path: string): Promise<void> {
    await rm(this.at(path), { recursive: true, force: true });
    for (const folder of this.folders)
      if (folder === path || folder.startsWith(`${path}/`)) this.folders.delete(folder);
  }

  /** The names of the entries of a folder. */
  names(path: string): Promise<string[]> {
    return readdir(this.at(path), { encoding: 'latin1' });
  }

  /** Whether it is the file that says who holds the folder, or that of a tablespace. */
  isHold(path: string): boolean {
    const [, oid = '', name] = inTablespace.exec(path) ?? [];
    return path === holdName || (name === holdName && this.held.has(this.links.get(oid) ?? ''));
  }

  /**
   * The last act: after it a server starts on the folder. Everything else is durable by then. The files that say who holds the
   * folders are removed before, so that no server's folder has them, and no backup of one.
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
      // No server starts on a folder without it, and says so.
      if (!(typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }

  /** Removes what was made. @returns the error, or the fault that it means for the folder */
  async giveUp(error: unknown): Promise<unknown> {
    for (const folder of this.held.values()) await folder.giveUp();
    return targetFault(error, this.directory);
  }
}

/** Says that a tablespace need not go where it could not. */
function ofTablespaces(error: unknown): unknown {
  if (!(error instanceof EngineFault)) return error;
  const more = 'The tablespaces of the backup go there, unless --tablespace OID=FOLDER says where each goes.';
  return new EngineFault(error.code, `${error.message} ${more}`, { cause: error });
}
