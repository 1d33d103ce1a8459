import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DirectoryVault } from '@strongroom/vault';
import { storeRandomBackup } from '../../../test/vaults/stored-backup.js';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');

describe('strongroom vault upgrade', () => {
  let folder: string;
  let root: string;
  let backupId: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-move-'));
    root = join(folder, 'DFW');
    await mkdir(root);
    const vault = new DirectoryVault('DFW', root);
    await vault.identify();
    backupId = (await storeRandomBackup(vault)).manifest.backupId;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function run(scheme: string, ...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
    const at = ['--from', 'DFW', '--vault', `DFW=${pathToFileURL(root).href.replace('file:', scheme)}`];
    const child = spawn(process.execPath, [program, ...args, ...at], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
    return { code, out, err };
  }

  it('says what there is to do, does it, and says how the address must be from then on', async () => {
    const before = await readdir(root, { recursive: true });
    const dry = await run('file:', 'vault', 'upgrade', '--dry-run');
    expect(dry).toMatchObject({ code: 0, out: expect.stringMatching(/^1 backups of 0\.3 MB are to be moved/) });
    const planned = await run('file:', 'vault', 'upgrade', '--dry-run', '--json');
    expect(JSON.parse(planned.out)).toMatchObject({ region: 'DFW', backups: 1, withoutPlace: [], moved: false });
    expect(await readdir(root, { recursive: true })).toEqual(before);
    const done = await run('file:', 'vault', 'upgrade');
    expect(done).toMatchObject({ code: 0, out: '', err: expect.stringContaining(`DFW=objects://${root}`) });
    const verified = await run('objects:', 'verify', backupId, '--json');
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.out).backups).toMatchObject([{ backupId, region: 'DFW' }]);
    expect(await run('file:', 'vault', 'upgrade')).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringContaining('as objects already'),
    });
    const told = await run('file:', 'vault', 'upgrade', '--json');
    expect(JSON.parse(told.out)).toMatchObject({ region: 'DFW', moved: true, vault: `DFW=objects://${root}` });
  });

  it('is refused for a vault that is no folder', async () => {
    expect(await run('objects:', 'vault', 'upgrade')).toMatchObject({
      code: 2,
      err: expect.stringContaining('only one of file:// is moved'),
    });
  });
});
