import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { describeWithVersity } from '../../../test/services/s3-servers.js';
import { folderForStack, Launcher, running } from '../fixtures/launcher.js';

const cli = join(__dirname, '..', '..', '..', 'dist', 'apps', 'cli', 'src', 'main.js');

let folder: string;
let port: number;
let launcher: Launcher;

describeWithVersity('npm start --vaults s3', () => {
  beforeAll(async () => {
    folder = folderForStack();
    port = await freePort();
  });
  afterAll(() => launcher?.remove());

  const start = (...args: string[]) => new Launcher({ folder, port }, '--broker', 'embedded', ...args);

  it('ends its demo with two verified copies in buckets, which the command line reads again', async () => {
    launcher = start('--vaults', 's3');
    await launcher.says('Up in');
    const [backup] = await launcher.backups();
    expect(backup?.copies.map(({ region, verified, checksum }) => [region, verified, checksum])).toEqual([
      ['IAD', true, backup?.checksum],
      ['ORD', true, backup?.checksum],
    ]);
    const { vaults } = launcher.described;
    expect(Object.values(vaults)).toHaveLength(5);
    for (const url of Object.values(vaults)) expect(url).toMatch(/^s3:\/\/strongroom-[a-z]{3}\?endpoint=http/);
    // As the launcher prints it, for a shell.
    const [, printed = ''] = /npx strongroom restore \S+ (--from IAD .*)/.exec(launcher.output) ?? [];
    const given = printed.replace('--to ./restored', '');
    const verify = `"${process.execPath}" "${cli}" verify ${backup?.id} --json ${given}`;
    const { stdout } = await promisify(execFile)('sh', ['-c', verify], { cwd: folder });
    expect(JSON.parse(stdout).backups).toMatchObject([{ backupId: backup?.id, sha256: backup?.checksum }]);
  }, 240_000);

  it('keeps the keys of its S3 server from other users', () => {
    const file = join(launcher.data, 's3', 'keys.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const arguments_ = execFileSync('ps', ['-o', 'args=', '-p', String(launcher.described.pids.s3)], {
      encoding: 'utf8',
    });
    expect(arguments_).toContain('versitygw');
    for (const key of Object.values(JSON.parse(readFileSync(file, 'utf8')))) expect(arguments_).not.toContain(key);
  });

  it('goes on with the same buckets after it was killed, without being told again where they are', async () => {
    const { pids: left, vaults } = launcher.described;
    await launcher.end('SIGKILL');
    launcher = start();
    await launcher.says('Up in');
    expect(running(left)).toEqual([]);
    expect(launcher.described.vaults).toEqual(vaults);
    const backups = await launcher.backups();
    expect(backups.map(({ status, copies }) => [status, copies.length])).toEqual([
      ['COMPLETED', 2],
      ['COMPLETED', 2],
    ]);
  }, 240_000);

  it('stops its S3 server with the rest', async () => {
    const { pids } = launcher.described;
    expect(pids).toHaveProperty('s3');
    expect(await launcher.end('SIGINT')).toBe(0);
    expect(running(pids)).toEqual([]);
  }, 60_000);
});
