import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UsageFault } from './options.js';
import { chooseVaults, type VaultWishes, vaultsBefore } from './vault-store.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-vault-store-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const wishes = (data: string, wanted: VaultWishes['wanted']): VaultWishes => ({
  wanted,
  regions: ['DFW', 'IAD'],
  data: join(folder, data),
  projectFolder: join(folder, 'project'),
  env: { PATH: folder },
  logFile: join(folder, 'log'),
  onBuild: () => {},
  signal: new AbortController().signal,
});

describe('the vaults of npm start', () => {
  it('are folders unless something else is asked for, and stay so', async () => {
    const { kind, vaults } = await chooseVaults(wishes('plain, new', undefined));
    expect(kind).toBe('folders');
    expect(Object.keys(vaults)).toEqual(['DFW', 'IAD']);
    // A comma would end an entry of STRONGROOM_VAULTS.
    expect(vaults.IAD).toMatch(/^file:\/\/\/.*plain%2C%20new\/vaults\/IAD$/);
    expect(vaultsBefore(join(folder, 'plain, new'))).toBe('folders');
  });

  it('are not changed on data that have backups: what to do is told', async () => {
    await chooseVaults(wishes('kept', 'folders'));
    await expect(chooseVaults(wishes('kept', 's3'))).rejects.toThrow(UsageFault);
    await expect(chooseVaults(wishes('kept', 's3'))).rejects.toThrow(/lie in folders, .*another folder.*--data/);
    mkdirSync(join(folder, 'moved', 's3'), { recursive: true });
    await expect(chooseVaults(wishes('moved', 'folders'))).rejects.toThrow(/lie in buckets \(--vaults s3\)/);
  });

  it('are no buckets where there is no Go to build the S3 server with: what to install is told, and nothing is begun', async () => {
    const ofProject = ['libs', 'local-services', 'versitygw'];
    cpSync(join(__dirname, '..', '..', '..', ...ofProject), join(folder, 'project', ...ofProject), { recursive: true });
    await expect(chooseVaults(wishes('wished', 's3'))).rejects.toThrow(
      /there is no Go .*To have one, install Go 1\.25 or newer/,
    );
    expect(existsSync(join(folder, 'wished', 's3'))).toBe(false);
  });
});
