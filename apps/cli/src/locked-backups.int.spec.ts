import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openVaults } from '@strongroom/vault';
import { describeWithVersity, type S3Server } from '../../../test/services/s3-servers.js';
import { storeRandomBackup } from '../../../test/vaults/stored-backup.js';

const program = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');

describeWithVersity('strongroom, on a region whose bucket has locks,', (start) => {
  const until = new Date((Math.ceil(Date.now() / 1_000) + 3_600) * 1_000);
  let server: S3Server;
  let url: URL;
  let locked: string;
  let free: string;

  beforeAll(async () => {
    server = await start();
    url = server.vaultUrl(`${await server.bucket({ locks: true })}/iad`, { lock: 'compliance' });
    const vault = openVaults(new Map([['IAD', url]])).of('IAD');
    await vault.identify();
    locked = (await storeRandomBackup(vault)).manifest.backupId;
    free = (await storeRandomBackup(vault)).manifest.backupId;
    await vault.keepUntil(locked, until);
  });
  afterAll(() => server?.stop());

  async function run(...args: string[]): Promise<string> {
    const at = ['--from', 'IAD', '--vault', `IAD=${url.href}`];
    const child = spawn(process.execPath, [program, ...args, ...at], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return out;
  }

  it('list says until when each backup is locked, for people and for programs', async () => {
    const lines = (await run('list')).split('\n');
    expect(lines.find((line) => line.startsWith(locked))).toContain(`locked until ${until.toISOString()}`);
    expect(lines.find((line) => line.startsWith(free))).not.toContain('locked');
    const told = (await run('list', '--json')).trimEnd().split('\n');
    const lockOf = new Map(
      told.map((line) => JSON.parse(line)).map(({ backupId, lockedUntil }) => [backupId, lockedUntil]),
    );
    expect(lockOf).toEqual(
      new Map([
        [locked, until.toISOString()],
        [free, undefined],
      ]),
    );
  });

  it('show says until when one backup is locked', async () => {
    expect(JSON.parse(await run('show', locked))).toMatchObject({ lockedUntil: until.toISOString() });
    expect(JSON.parse(await run('show', free))).not.toHaveProperty('lockedUntil');
  });
});
