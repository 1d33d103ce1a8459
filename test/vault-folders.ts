/** The vaults of a test's deployment as folders: looked into and damaged behind its back, and read by the command line. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { DirectoryVault } from '@strongroom/vault';
import { unsealedPlaces } from './vaults/unsealed-places.js';

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

  /** `REGION=url,…` as the environment wants it. */
  get urls(): string {
    return this.urlsOf(regions);
  }

  urlsOf(some: readonly Region[]): string {
    return some.map((region) => `${region}=${pathToFileURL(this.of(region)).href}`).join(',');
  }

  /** As when their disks are not there, until `bringBack`. */
  async takeAway(...away: Region[]): Promise<void> {
    for (const region of away) await rename(this.of(region), `${this.of(region)}.away`);
  }

  async bringBack(...away: Region[]): Promise<void> {
    for (const region of away) await rename(`${this.of(region)}.away`, this.of(region));
  }

  /** What is left in a region's vault and is not sealed. */
  async leftovers(region: Region): Promise<string[]> {
    return unsealedPlaces(this.of(region), this.vault(region));
  }

  /** Has the command line prove every byte of a backup in a region's vault; it needs no service. */
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

  /** Whether a region's vault shows the backup. */
  async holds(backupId: string, region: Region): Promise<boolean> {
    return (await this.vault(region).locationOf(backupId)) !== undefined;
  }

  /** Does to a backup what somebody does who may write to the vault: all of it agrees with itself, and is another. */
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

  /** Does to the base archive of a backup what a bad disk does. */
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

  /** Has whoever looks for the backup in a region wait for an answer, until it is released. */
  async hang(backupId: string, region: Region): Promise<{ release: () => Promise<void> }> {
    // As an older version would have sealed it.
    const folder = join(this.of(region), 'backups', backupId.slice(-2), backupId);
    const pipe = join(folder, 'manifest.json');
    await mkdir(folder, { recursive: true });
    await promisify(execFile)('mkfifo', [pipe]);
    return {
      release: async () => {
        // For those who wait there; it fails when nobody does.
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
