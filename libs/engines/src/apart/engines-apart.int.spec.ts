import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compressFrames, VaultFault } from '@strongroom/vault';
import { eventually } from '../../../../test/services/eventually.js';
import { lacks } from '../../../../test/services/outside-parts.js';
import { type Script, ScriptedServer } from '../../../../test/services/scripted-server.js';
import * as protocol from '../../../../test/services/server-messages.js';
import { openSockets } from '../../fixtures/open-sockets.js';
import { manifestOfParent } from '../../fixtures/parent-manifest.js';
import type { Login } from '../engine.js';
import { IncrementalNotPossible } from '../engine-fault.js';
import { openedFrom } from '../open-backup.js';
import type { TakeOptions } from './backup-apart.js';
import type { ApartOptions } from './engine-child.js';
import { EnginesApart } from './engines-apart.js';

const run = promisify(execFile);
const root = join(__dirname, '..', '..', '..', '..');
const runTypescript = join(root, 'scripts', 'run-typescript.cjs');
const mebibyte = 1_048_576;
const limitMs = 120_000;
const usual: ApartOptions = {
  memoryBytes: 512 * mebibyte,
  program: [runTypescript, join(__dirname, 'engine-process.ts')],
};
const program = (name: string) => [runTypescript, join(root, 'libs', 'engines', 'fixtures', name)];
const start = [protocol.result([['0/2000028', '1']]), protocol.result([[null, null, '900']]), protocol.copyOut()];
const end = [
  protocol.copyDone(),
  protocol.result([['0/2000120', '1']]),
  protocol.complete('BASE_BACKUP'),
  protocol.ready(),
];

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function* zeros(bytes: number): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(mebibyte);
  for (let at = 0; at < bytes; at += chunk.length) yield chunk;
}

/** The processes that this one has started and that are there. */
async function children(): Promise<string[]> {
  const { stdout } = await run('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)]).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((line) => line.includes('run-typescript'));
}

describe('a backup that is taken in a process of its own', () => {
  let server: ScriptedServer | undefined;
  let before: number;
  let logins: Login[] = [];
  beforeEach(async () => {
    before = await openSockets();
  });
  afterEach(async () => {
    logins = [];
    await server?.stop();
    await eventually(async () => expect(await children()).toEqual([]), { withinMs: 20_000 });
    await eventually(async () => expect(await openSockets()).toBeLessThanOrEqual(before), { withinMs: 20_000 });
  });

  async function begin(script: Script, options: Partial<ApartOptions> = {}, more: Partial<TakeOptions> = {}) {
    server = await ScriptedServer.start(script);
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'backup',
      database: 'postgres',
      tls: 'disable',
    } as const;
    const onLogin = (login: Login) => void logins.push(login);
    const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret', onLogin };
    const signal = new AbortController().signal;
    return new EnginesApart({ ...usual, ...options })
      .of('postgresql')
      .backup(target, { backupId: 'b', signal, ...more });
  }
  const sending = (...messages: Buffer[]): Script => ({
    backup: (socket: Socket) => void socket.write(Buffer.concat(messages)),
  });

  it(
    'gives the bytes and the facts as they are',
    async () => {
      const bytes = randomBytes(3 * mebibyte);
      const pieces = Array.from({ length: 96 }, (_, at) =>
        protocol.data(bytes.subarray(at * 32_768, (at + 1) * 32_768)),
      );
      const script = sending(
        ...start,
        protocol.archive('base.tar'),
        ...pieces,
        protocol.manifest(),
        protocol.data(Buffer.from('{}')),
        ...end,
      );
      const backup = await begin(script);
      expect(backup.estimatedBytes).toBe(921_600);
      const all: [string, boolean][] = [];
      for await (const { name, source } of backup.objects) {
        const found = await buffer(source);
        all.push([name, found.equals(name === 'base.tar' ? bytes : Buffer.from('{}'))]);
      }
      expect(all).toEqual([
        ['base.tar', true],
        ['backup_manifest', true],
      ]);
      await expect(backup.result).resolves.toMatchObject({
        datastore: { type: 'postgresql', version: '18.4' },
        facts: { startLsn: '0/2000028', endLsn: '0/2000120' },
      });
    },
    limitMs,
  );

  it.each([
    ['has not begun', 0],
    ['is in the middle', 1],
  ])(
    'is whole, though its reader %s when its process has done its work and is gone',
    async (_, readBefore) => {
      const bytes = randomBytes(30_000);
      const script = sending(
        ...start,
        protocol.archive('base.tar'),
        protocol.data(bytes),
        protocol.manifest(),
        protocol.data(Buffer.from('{}')),
        ...end,
      );
      const backup = await begin(script);
      const objects = backup.objects[Symbol.asyncIterator]();
      const all: Buffer[] = [];
      const readOne = async () => {
        const next = await objects.next();
        if (!next.done) all.push(await buffer(next.value.source));
        return next.done !== true;
      };
      for (let read = 0; read < readBefore; read += 1) await readOne();
      await eventually(async () => expect(await children()).toEqual([]), { withinMs: 20_000 });
      while (await readOne());
      expect(all).toEqual([bytes, Buffer.from('{}')]);
      await expect(backup.result).resolves.toMatchObject({ facts: { endLsn: '0/2000120' } });
    },
    limitMs,
  );

  it(
    'fails with the engine’s own faults, before it begins and while it comes',
    async () => {
      await expect(begin({ versionNumber: 140_011 })).rejects.toMatchObject({
        code: 'version-unsupported',
        retryable: false,
      });
      await server?.stop();
      const backup = await begin(
        sending(...start, protocol.archive('base.tar'), protocol.error('58P01', 'could not read')),
      );
      const read = async () => {
        for await (const { source } of backup.objects) await buffer(source);
      };
      await expect(read()).rejects.toMatchObject({ name: 'EngineFault', code: 'backup-aborted-by-server' });
      await expect(backup.result).rejects.toThrow('could not read');
    },
    limitMs,
  );

  it(
    'tells how far its log-ins have come, also where they are refused',
    async () => {
      const asks = Buffer.concat([Buffer.from([0, 0, 0, 10]), Buffer.from('SCRAM-SHA-256\0\0')]);
      const login: Script['login'] = (_, socket) => socket.write(protocol.message('R', asks)) || true;
      const loginAnswer: Script['loginAnswer'] = (_, socket) => {
        socket.end(protocol.error('28P01', 'password authentication failed'));
        return true;
      };
      await expect(begin({ login, loginAnswer })).rejects.toMatchObject({ code: 'credentials-refused' });
      expect(logins).toEqual([{ is: 'asked' }]);
      logins = [];
      await server?.stop();
      await begin(sending(...start, protocol.archive('base.tar')));
      expect(logins).toEqual([{ is: 'let-in', address: '127.0.0.1' }]);
    },
    limitMs,
  );

  it(
    'is built on a parent that this process reads, and says whose fault it is when that can’t be read',
    async () => {
      const copyIn = protocol.message('G', Buffer.from([0, 0, 0]));
      let uploaded = 0;
      const answers: [string, Buffer][] = [
        ['SHOW summarize_wal', Buffer.concat([protocol.result([['on']]), protocol.ready()])],
        ['READ_REPLICATION_SLOT', Buffer.concat([protocol.result([['physical']], ['slot_type']), protocol.ready()])],
        ['UPLOAD_MANIFEST', copyIn],
        ['CREATE_REPLICATION_SLOT', protocol.error('58000', 'this is far enough')],
      ];
      const script: Script = {
        onCopyData: (bytes) => {
          uploaded += bytes;
        },
        answer: (command, socket) => {
          const [, bytes] = answers.find(([first]) => command.startsWith(first)) ?? [];
          return bytes !== undefined && (socket.write(bytes) || true);
        },
      };
      const bytes = randomBytes(2 * mebibyte);
      const parentOf = (stored: () => AsyncIterable<unknown>, rawBytes: number, sha256: string) => {
        const object = { name: 'backup_manifest.zst', sizeBytes: 8 * mebibyte, sha256, rawBytes } as const;
        const manifest = { ...manifestOfParent(), objects: [{ ...object, compression: 'zstd' as const }] };
        return openedFrom({ manifest, sha256: '0'.repeat(64), region: 'DFW' }, stored);
      };
      const compressed = await buffer(Readable.from(compressFrames(Readable.from([bytes]))));
      const whole = parentOf(() => Readable.from([compressed]), bytes.length, sha256Of(compressed));
      await expect(begin(script, {}, { parent: whole })).rejects.toThrow('this is far enough');
      expect(uploaded).toBe(2 * mebibyte);
      await server?.stop();
      const away = new VaultFault('vault-unavailable', 'DFW', 'the vault in /srv/vaults/DFW is away', {
        told: 'The vault of DFW could not be used.',
      });
      const broken = parentOf(
        () =>
          new Readable({
            read() {
              this.destroy(away);
            },
          }),
        1,
        '0'.repeat(64),
      );
      const fault = await begin(script, {}, { parent: broken }).catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(IncrementalNotPossible);
      expect(fault).toMatchObject({ ground: 'parent-unreadable', cause: away });
      // The reason is shown to the account.
      expect(String(fault)).toContain("The parent can't be read: The vault of DFW could not be used.");
      expect(String(fault)).not.toContain('/srv');
      await server?.stop();
      const bomb = await buffer(Readable.from(compressFrames(zeros(64 * mebibyte))));
      const blown = parentOf(() => Readable.from([bomb]), 1_024, sha256Of(bomb));
      const refused = await begin(script, {}, { parent: blown }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ ground: 'parent-unreadable', cause: { code: 'object-altered', region: 'DFW' } });
    },
    limitMs,
  );

  it(
    'is ended when it is cancelled, or given up by its reader',
    async () => {
      const ending = new AbortController();
      const script = sending(...start, protocol.archive('base.tar'), protocol.data(randomBytes(mebibyte)));
      const backup = await begin(script, {}, { signal: ending.signal });
      ending.abort();
      await expect(backup.result).rejects.toMatchObject({ code: 'cancelled' });
      await eventually(() => expect(server?.sockets.size).toBe(0), { withinMs: 20_000 });
      await server?.stop();
      const second = await begin(script);
      for await (const { source } of second.objects) {
        for await (const _ of source) break;
        break;
      }
      await expect(second.result).rejects.toMatchObject({ code: 'cancelled' });
    },
    limitMs,
  );

  it.each([
    ['loops', 'looping-process.ts', 'engine-process-ended', true, 'nothing but compute'],
    ['takes memory without end', 'growing-process.ts', 'backup-limit-reached', false, 'STRONGROOM_ENGINE_MEMORY_MIB'],
    ['takes memory of its heap without end', 'growing-heap-process.ts', 'backup-limit-reached', false, 'MEMORY_MIB'],
    ['breaks', 'breaking-process.ts', 'engine-process-ended', true, 'ended with code'],
  ])(
    'ends alone when its process %s',
    async (_, name, code, retryable, says) => {
      const ended = begin(
        {},
        {
          program: program(name),
          stuckMs: name === 'looping-process.ts' ? 3_000 : 100_000,
          memoryBytes: 384 * mebibyte,
        },
      );
      await expect(ended).rejects.toMatchObject({ name: 'EngineFault', code, retryable });
      await expect(ended).rejects.toThrow(says);
    },
    limitMs,
  );

  it(
    'tells no path of ours when its process can’t be started, and keeps the reason for the log',
    async () => {
      const { execPath } = process;
      let fault: unknown;
      process.execPath = '/nowhere/of/ours/node';
      try {
        fault = await begin({}).catch((error: unknown) => error);
      } finally {
        process.execPath = execPath;
      }
      expect(fault).toMatchObject({
        code: 'engine-process-ended',
        message: expect.stringMatching(/could not be run\.$/),
      });
      expect(fault).toMatchObject({ cause: { message: expect.stringContaining('/nowhere/of/ours/node') } });
    },
    limitMs,
  );

  it(
    'has the user that root gives it, and nothing of root',
    async () => {
      if (process.getuid?.() !== 0) return lacks('guest-users', 'This is not root.');
      const user = { uid: 700_063, gid: 700_063 };
      const ended = begin({}, { program: program('telling-process.ts'), user });
      const told = JSON.stringify({ users: Array(4).fill(user.uid), groups: [], mayEndOwner: false });
      await expect(ended).rejects.toMatchObject({ cause: { message: told } });
    },
    limitMs,
  );

  it(
    'ends with the process that has begun it, also when it loops',
    async () => {
      const owner = join(root, 'libs', 'engines', 'fixtures', 'owner-of-a-loop.ts');
      const { stdout } = await run(process.execPath, [runTypescript, owner]).catch(
        (error: { stdout: string }) => error,
      );
      const pid = Number(stdout.trim());
      expect(pid).toBeGreaterThan(0);
      await eventually(() => expect(() => process.kill(pid, 0)).toThrow(), { withinMs: 20_000 });
    },
    limitMs,
  );
});
