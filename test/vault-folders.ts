/** The vaults of a test's deployment, as folders. A test looks into them, damages them, and has the command line read them. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { DirectoryVault } from '@strongroom/vault';
import { unsealedPlaces } from './vaults/unsealed-places.js';

/** The environment of an app in which files can hang. */
export const hangingFiles = {
  NODE_OPTIONS: `--require ${JSON.stringify(join(__dirname, 'vaults', 'hanging-files.cjs'))}`,
};

export const regions = ['DFW', 'IAD', 'ORD'] as const;
export type Region = (typeof regions)[number];

export class VaultFolders {
  constructor(readonly folder: string) {}

  async make(): Promise<void> {
    for (const region of regions) await mkdir(this.of(region), { recursive: true });
  }

  /** The folder of a region's vault. */
  of(region: Region): string {
    return join(this.folder, region);
  }

  /** The value of `STRONGROOM_VAULTS` for all regions. */
  get urls(): string {
    return this.urlsOf(regions);
  }

  urlsOf(some: readonly Region[]): string {
    return some.map((region) => `${region}=${pathToFileURL(this.of(region)).href}`).join(',');
  }

  /** Makes regions look as if their disks were not mounted, until `bringBack`. */
  async takeAway(...away: Region[]): Promise<void> {
    for (const region of away) await rename(this.of(region), `${this.of(region)}.away`);
  }

  async bringBack(...away: Region[]): Promise<void> {
    for (const region of away) await rename(`${this.of(region)}.away`, this.of(region));
  }

  /** The places in a region's vault that are not sealed. */
  async leftovers(region: Region): Promise<string[]> {
    return unsealedPlaces(this.of(region), this.vault(region));
  }

  /** Has the command line prove every byte of a backup in a region's vault. It needs no service. */
  async proveCopy(backupId: string, region: Region): Promise<void> {
    await this.cli(['verify', backupId], region);
  }

  /** Has the command line restore a backup from a region's vault into a folder. */
  async restore(backupId: string, region: Region, directory: string): Promise<void> {
    await this.cli(['restore', backupId, '--to', directory], region);
  }

  async lose(region: Region): Promise<void> {
    await rm(this.of(region), { recursive: true });
  }

  /** The regions that hold the backup. */
  async holding(backupId: string): Promise<Region[]> {
    const holds = await Promise.all(regions.map((region) => this.holds(backupId, region)));
    return regions.filter((_, index) => holds[index]);
  }

  /** Whether a region's vault shows the backup. */
  async holds(backupId: string, region: Region): Promise<boolean> {
    return (await this.vault(region).locationOf(backupId)) !== undefined;
  }

  /** Replaces a backup by another one that agrees with itself, as somebody can who may write to the vault. */
  async rewrite(backupId: string, region: Region): Promise<void> {
    const folder = join(this.of(region), (await this.vault(region).locationOf(backupId)) ?? 'nowhere');
    const path = join(folder, 'manifest.json');
    const text = await readFile(path, 'utf8');
    const other = text.replace(/("instanceName": ?)"[^"]*"/, '$1"another"');
    if (other === text) throw new Error(`${path} names no instance`);
    await writeFile(path, other);
    const states = (await readdir(dirname(folder))).filter((name) => name.startsWith('state.')).sort();
    const state = join(dirname(folder), states.at(-1) ?? 'state');
    await writeFile(state, (await readFile(state, 'utf8')).replace(sha256Of(text), sha256Of(other)));
  }

  /** Damages the base archive of a backup, as a bad disk does. */
  async damage(backupId: string, region: Region, how: 'altered' | 'truncated' | 'removed'): Promise<void> {
    const folder = join(this.of(region), (await this.vault(region).locationOf(backupId)) ?? 'nowhere');
    const archive = (await readdir(folder)).find((name) => name.startsWith('base.tar'));
    if (!archive) throw new Error(`no base archive in ${folder}`);
    const path = join(folder, archive);
    await chmod(path, 0o600);
    const { size } = await stat(path);
    if (how === 'removed') await rm(path);
    else if (how === 'truncated') await truncate(path, size - 1);
    else {
      const file = await open(path, 'r+');
      const byte = Buffer.alloc(1);
      const middle = Math.floor(size / 2);
      await file.read(byte, 0, 1, middle);
      await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, middle);
      await file.close();
    }
  }

  /** Makes every read of the backup's state in a region hang, until it is released, for an app with `hangingFiles`. */
  async hang(backupId: string, region: Region): Promise<{ release: () => Promise<void> }> {
    // An older version would have sealed it so.
    const folder = join(this.of(region), 'backups', backupId.slice(-2), backupId);
    const pipe = join(folder, 'manifest.json.pipe');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'manifest.json'), '');
    await promisify(execFile)('mkfifo', [pipe]);
    return {
      release: async () => {
        // This wakes the readers that wait; it fails when none does.
        const writer = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
        await rm(folder, { recursive: true });
        await writer?.close();
      },
    };
  }

  private async cli(args: string[], region: Region): Promise<void> {
    const cli = join(__dirname, '..', 'dist', 'apps', 'cli', 'src', 'main.js');
    const vault = `${region}=${pathToFileURL(this.of(region)).href}`;
    await promisify(execFile)(process.execPath, [cli, ...args, '--from', region, '--vault', vault]);
  }

  private vault(region: Region): DirectoryVault {
    return new DirectoryVault(region, this.of(region));
  }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
