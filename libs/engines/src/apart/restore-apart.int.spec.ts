import { randomInt } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { VaultFault } from '@strongroom/vault';
import { eventually } from '../../../../test/services/eventually.js';
import { lacks } from '../../../../test/services/outside-parts.js';
import { engineProcesses, engineProgram, spoiltProgram } from '../../fixtures/child-processes.js';
import { openSockets } from '../../fixtures/open-sockets.js';
import { storedServer } from '../../fixtures/stored-server.js';
import { wholeEngineFor } from '../engines.js';
import { openedFrom } from '../open-backup.js';
import type { ApartOptions } from './engine-child.js';
import { EnginesApart } from './engines-apart.js';

const mebibyte = 1_048_576;
const limitMs = 120_000;
const uid = 100_000 + randomInt(1_000_000);
const user = { uid, gid: uid };
const usual: ApartOptions = { memoryBytes: 384 * mebibyte, program: engineProgram };
const files = {
  PG_VERSION: '18\n',
  'global/pg_control': 'x',
  'base/1/1259': 'some rows '.repeat(400_000),
  'base/1/1260': '',
};

describe('a restore in a process of its own', () => {
  let folder: string;
  let directory: string;
  let before: number;
  beforeEach(async () => {
    before = await openSockets();
    folder = await mkdtemp(join(tmpdir(), 'strongroom-apart-'));
    directory = join(folder, 'data');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
    await eventually(async () => expect(await engineProcesses()).toEqual([]), { withinMs: 20_000 });
    await eventually(async () => expect(await openSockets()).toBeLessThanOrEqual(before), { withinMs: 20_000 });
  });

  const of = (options: Partial<ApartOptions> = {}) => new EnginesApart({ ...usual, ...options }).of('postgresql');
  /** Gives the first half of every archive, and then waits for ever. */
  async function* half(name: string, bytes: Buffer) {
    yield name.startsWith('base') ? bytes.subarray(0, bytes.length / 2) : bytes;
    if (name.startsWith('base')) await new Promise(() => {});
  }
  const ofChild = (pids: number[]) => {
    const [pid] = pids;
    if (pid === undefined) throw new Error('there is no process');
    return pid;
  };
  const left = () => readdir(directory).catch(() => []);

  it(
    'makes the same folder and tells the same as one in this process',
    async () => {
      const source = await storedServer(files);
      let bytes = 0;
      const progress = (more: number) => {
        bytes += more;
      };
      const told = await of().restore([source], directory, { progress, standsAlone: true });
      const here = join(folder, 'here');
      const toldHere = await wholeEngineFor('postgresql').restore([source], here, { standsAlone: true });
      const withoutFolder = (text: unknown) => JSON.stringify(text).replaceAll(here, directory);
      expect(JSON.stringify(told)).toBe(withoutFolder(toldHere));
      for (const name of Object.keys(files)) {
        const [made, madeHere] = [await readFile(join(directory, name)), await readFile(join(here, name))];
        expect([name, made.equals(madeHere)]).toEqual([name, true]);
      }
      expect(await readdir(directory)).toEqual(await readdir(here));
      expect(bytes).toBe(Object.values(files).reduce((sum, { length }) => sum + length, 0));
      expect(source.asked.slice(0, 2)).toEqual(['backup_manifest.zst', 'base.tar.zst']);
    },
    limitMs,
  );

  it(
    'is made by the user that root gives it, and what it makes is that user’s',
    async () => {
      if (process.getuid?.() !== 0) return lacks('guest-users', 'This is not root.');
      // The folder of a built server is prepared in this way: only what the user fills is its own.
      await chmod(folder, 0o755);
      await mkdir(directory, { mode: 0o700 });
      await chown(directory, user.uid, user.gid);
      await of().restore([await storedServer(files)], directory, { standsAlone: true, user });
      for (const name of ['', 'postgresql.conf', ...Object.keys(files)]) {
        expect([name, (await stat(join(directory, name))).uid]).toEqual([name, user.uid]);
      }
      const elsewhere = of().restore([await storedServer(files)], join(folder, 'elsewhere'), { user });
      await expect(elsewhere).rejects.toMatchObject({ code: 'restore-target-unusable' });
      expect((await readdir(folder)).sort()).toEqual(['data']);
    },
    limitMs,
  );

  it(
    'fails with the same faults, and leaves the folder empty',
    async () => {
      const smaller = await storedServer(files, { claimed: { 'base.tar': { rawBytes: 1_024 } } });
      await expect(of().restore([smaller], directory)).rejects.toMatchObject({
        name: 'VaultFault',
        code: 'object-altered',
        region: 'ORD',
        message: expect.stringContaining('base.tar.zst'),
      });
      const away = new VaultFault('vault-unavailable', 'ORD', 'The vault of ORD is away.');
      const unread = await storedServer(files, {
        passed: async function* (name, bytes) {
          yield bytes.subarray(0, 100);
          if (name.startsWith('base')) throw away;
          yield bytes.subarray(100);
        },
      });
      await expect(of().restore([unread], directory)).rejects.toBe(away);
      const whole = await storedServer(files);
      const other = openedFrom(
        { ...whole, manifest: { ...whole.manifest, parentId: whole.manifest.backupId } },
        whole.stored,
      );
      await expect(of().restore([other], directory)).rejects.toMatchObject({
        name: 'EngineFault',
        code: 'backup-content-invalid',
      });
      expect(await left()).toEqual([]);
    },
    limitMs,
  );

  it.each([
    ['loops', 'looping-process.ts', 'engine-process-ended', true, 'nothing but compute'],
    ['takes memory without end', 'growing-process.ts', 'backup-limit-reached', false, 'The restore needed more than'],
    ['breaks', 'breaking-process.ts', 'engine-process-ended', true, 'ended with code'],
  ])(
    'ends alone when its process %s, and the one beside it goes on',
    async (_, name, code, retryable, says) => {
      const source = await storedServer(files);
      const stuckMs = name === 'looping-process.ts' ? 3_000 : 100_000;
      const ended = of({ program: spoiltProgram(name), stuckMs }).restore([source], join(folder, 'hostile'));
      const good = of().restore([source], directory);
      await expect(ended).rejects.toMatchObject({ name: 'EngineFault', code, retryable });
      await expect(ended).rejects.toThrow(says);
      await expect(good).resolves.toMatchObject({ files: 4 });
    },
    limitMs,
  );

  it.each([
    ['is killed', 'SIGKILL', 'ended by SIGKILL'],
    ['is stopped, and says nothing any more', 'SIGSTOP', 'no sign of life'],
  ] as const)(
    'ends when its process %s',
    async (_, signal, says) => {
      const source = await storedServer(files, { passed: half });
      const ended = of({ stuckMs: 2_000 }).restore([source], directory);
      const fault = ended.catch((error: unknown) => error);
      await eventually(() => expect(source.asked).toContain('base.tar.zst'), { withinMs: 20_000 });
      process.kill(ofChild(await engineProcesses()), signal);
      expect(await fault).toMatchObject({ code: 'engine-process-ended', message: expect.stringContaining(says) });
      expect(await engineProcesses()).toEqual([]);
    },
    limitMs,
  );

  it(
    'leaves the folder empty when it is cancelled, though its vault hangs',
    async () => {
      const source = await storedServer(files, { passed: half });
      const ending = new AbortController();
      const fault = of()
        .restore([source], directory, { signal: ending.signal })
        .catch((error: unknown) => error);
      await eventually(async () => expect(await left()).toContain('PG_VERSION'), { withinMs: 20_000 });
      ending.abort();
      expect(await fault).toMatchObject({ name: 'EngineFault', code: 'cancelled' });
      expect(await left()).toEqual([]);
    },
    limitMs,
  );

  it(
    'leaves the signals of a terminal and of a supervisor to its owner',
    async () => {
      const source = await storedServer(files, { passed: half });
      const ending = new AbortController();
      const fault = of()
        .restore([source], directory, { signal: ending.signal })
        .catch((error: unknown) => error);
      await eventually(() => expect(source.asked).toContain('base.tar.zst'), { withinMs: 20_000 });
      const pid = ofChild(await engineProcesses());
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
      await eventually(async () => expect(await left()).not.toEqual([]), { withinMs: 20_000 });
      expect(await engineProcesses()).toEqual([pid]);
      ending.abort();
      expect(await fault).toMatchObject({ code: 'cancelled' });
      expect(await engineProcesses()).toEqual([]);
    },
    limitMs,
  );

  it(
    'ends when it takes too long, and the next one begins then',
    async () => {
      const endless = await storedServer(files, { passed: half });
      const whole = await storedServer(files);
      const engines = of({ longestRestoreMs: 6_000, mostRestores: 1 });
      const first = engines.restore([endless], join(folder, 'first')).catch((error: unknown) => error);
      const ending = new AbortController();
      const never = engines.restore([whole], join(folder, 'never'), { signal: ending.signal });
      const second = engines.restore([whole], directory);
      ending.abort();
      await expect(never).rejects.toMatchObject({ code: 'cancelled' });
      const ended = await first;
      // Had it begun beside the first one, it would have asked for its objects long ago.
      expect(whole.asked).toEqual([]);
      expect(ended).toMatchObject({
        code: 'backup-limit-reached',
        message: expect.stringContaining('STRONGROOM_RESTORE_LONGEST_HOURS'),
      });
      await expect(second).resolves.toMatchObject({ files: 4 });
    },
    limitMs,
  );
});
