import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { VaultFault } from '@strongroom/vault';
import { eventually } from '../../../../../test/services/eventually.js';
import { ScriptedServer } from '../../../../../test/services/scripted-server.js';
import * as protocol from '../../../../../test/services/server-messages.js';
import { manifestOfParent } from '../../../fixtures/parent-manifest.js';
import { tried } from '../../../fixtures/tried-attacks.js';
import type { ParentBackup } from '../../engine.js';
import { PostgresqlEngine } from '../postgresql-engine.js';

const mebibyte = 1_048_576;

describe('the manifest of a parent', () => {
  let server: ScriptedServer | undefined;
  afterEach(() => server?.stop());

  /** Takes manifests, and ends each backup that is to be built on one. */
  async function start(onUpload: (socket: Socket) => void = () => {}) {
    let taken = 0;
    server = await ScriptedServer.start({
      onCopyData: (bytes) => {
        taken += bytes;
      },
      answer: (command, socket) => {
        if (command === 'SHOW summarize_wal') {
          socket.write(Buffer.concat([protocol.result([['on']]), protocol.ready()]));
        } else if (command.startsWith('READ_REPLICATION_SLOT')) {
          socket.write(Buffer.concat([protocol.result([['physical']], ['slot_type']), protocol.ready()]));
        } else if (command === 'UPLOAD_MANIFEST') {
          socket.write(protocol.message('G', Buffer.from([0, 0, 0])));
          onUpload(socket);
        } else if (command.startsWith('CREATE_REPLICATION_SLOT')) {
          socket.write(Buffer.concat([protocol.error('53300', 'enough is seen'), protocol.ready()]));
        } else return false;
        return true;
      },
    });
    const endpoint = { host: '127.0.0.1', port: server.port, user: 'u', database: 'd', tls: 'disable' } as const;
    const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret' };
    const begin = (parent: ParentBackup, signal = new AbortController().signal) =>
      new PostgresqlEngine().backup(target, { backupId: 'b', signal, parent });
    return { server, begin, taken: () => taken };
  }
  /** Gives a manifest as a vault does. */
  function parentOf(megabytes: number): { parent: ParentBackup; read: () => number } {
    let read = 0;
    const part = Buffer.alloc(mebibyte / 4, 'x');
    async function* parts() {
      for (let count = 0; count < megabytes * 4; count += 1) {
        read += part.length;
        yield part;
      }
    }
    const open = () => Readable.from(parts(), { objectMode: false });
    return { parent: { manifest: manifestOfParent(), open }, read: () => read };
  }

  it('is read no faster than the server takes it', async () => {
    let held: Socket | undefined;
    const { begin } = await start((socket) => {
      socket.pause();
      held = socket;
    });
    const { parent, read } = parentOf(250);
    const begun = begin(parent);
    begun.catch(() => {});
    let before = -1;
    await eventually(
      () => {
        const now = read();
        const isStill = now > 0 && now === before;
        before = now;
        expect(isStill).toBe(true);
      },
      { withinMs: 10_000 },
    );
    // The system's socket buffers take some of it too.
    expect(read()).toBeLessThan(32 * mebibyte);
    held?.resume();
    await expect(begun).rejects.toThrow('enough is seen');
    expect(read()).toBe(250 * mebibyte);
  }, 60_000);

  it('of 250 MB gets to the server whole, in the memory that a small one takes', async () => {
    const { begin, taken } = await start();
    await expect(begin(parentOf(1).parent)).rejects.toThrow('enough is seen');
    const { error, memory } = await tried(() => begin(parentOf(250).parent));
    expect(error).toMatchObject({ message: expect.stringContaining('enough is seen') });
    expect(taken()).toBe(251 * mebibyte);
    expect(memory).toBeLessThan(100 * mebibyte);
  }, 60_000);

  it('that can’t be read is told before the server keeps anything', async () => {
    const { server, begin } = await start();
    const broken = () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(1_000);
          throw new VaultFault('object-altered', 'DFW', 'its SHA-256 differs.');
        })(),
        { objectMode: false },
      );
    const refused = begin({ manifest: manifestOfParent(), open: broken });
    await expect(refused).rejects.toMatchObject({ code: 'incremental-not-possible', ground: 'parent-unreadable' });
    await expect(refused).rejects.toThrow('its SHA-256 differs. Take a full backup.');
    expect(server.commands.at(-1)).toBe('UPLOAD_MANIFEST');
    const missing = () => {
      throw new Error('there is none in /srv/vaults.');
    };
    await expect(begin({ manifest: manifestOfParent(), open: missing })).rejects.toMatchObject({
      ground: 'parent-unreadable',
      message: expect.not.stringContaining('/srv/vaults'),
    });
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it('is read no further when the backup is cancelled', async () => {
    const ending = new AbortController();
    const { begin } = await start((socket) => socket.pause());
    const { parent, read } = parentOf(250);
    const begun = begin(parent, ending.signal);
    begun.catch(() => {});
    await eventually(() => expect(read()).toBeGreaterThan(0), { withinMs: 5_000 });
    ending.abort();
    await expect(begun).rejects.toMatchObject({ code: 'cancelled' });
    expect(read()).toBeLessThan(64 * mebibyte);
  });
});
