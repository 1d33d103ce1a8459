import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmod, chown, cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/services/eventually.js';
import { lacks } from '../../../test/services/outside-parts.js';
import { endAllOf, serversOn } from './guest-processes.js';
import { identityOf } from './process-identity.js';

const uid = 100_000 + randomInt(1_000_000) * 2;
const [user, accomplice] = [uid, uid + 1].map((id) => ({ name: `the user ${id}`, uid: id, gid: id })) as [
  { name: string; uid: number; gid: number },
  { name: string; uid: number; gid: number },
];

describe('the processes of a user that has a server', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-processes-'));
    await chmod(folder, 0o755);
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('are ended also where they have that user only kept for later', async () => {
    if (process.getuid?.() !== 0) return lacks('guest-users', 'This is not root.');
    // The shell puts the user away that the file gives it, and can take it again.
    const shell = join(folder, 'shell');
    await cp('/bin/sh', shell, { dereference: true });
    await chown(shell, user.uid, user.gid);
    await chmod(shell, 0o4755);
    const ids = { uid: accomplice.uid, gid: accomplice.gid };
    const child = spawn(shell, ['-c', 'read forever'], {
      ...ids,
      cwd: '/',
      env: {},
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const pid = child.pid ?? 0;
    await eventually(
      async () =>
        expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(`Uid:\t${accomplice.uid}\t${accomplice.uid}\t`),
      { withinMs: 10_000 },
    );
    expect((await stat(`/proc/${pid}`)).uid).toBe(accomplice.uid);
    await endAllOf(user);
    expect(identityOf(pid)).toBeUndefined();
  });

  it('are never those of root, or of this process', async () => {
    await expect(endAllOf({ name: 'root', uid: 0, gid: 0 })).rejects.toThrow('more than one server');
    const own = process.getuid?.() ?? 0;
    await expect(endAllOf({ name: 'this one', uid: own, gid: own })).rejects.toThrow('more than one server');
  });

  it('are no servers on data in which they do not work, whatever they call themselves', async () => {
    const program = join(folder, 'postgres');
    await cp('/bin/sh', program, { dereference: true });
    const args = ['-c', 'read forever', '--', '-D', folder];
    const begin = (cwd: string) => spawn(program, args, { cwd, stdio: ['pipe', 'ignore', 'ignore'] });
    const [fake, server] = [begin('/'), begin(folder)];
    try {
      await eventually(() => expect(serversOn(folder)).toEqual([server.pid]), { withinMs: 10_000 });
      expect(identityOf(fake.pid ?? 0)).toBeDefined();
    } finally {
      for (const child of [fake, server]) child.kill('SIGKILL');
    }
  });
});
