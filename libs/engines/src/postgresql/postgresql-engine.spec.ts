import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../test/services/eventually.js';
import { type Script, ScriptedServer } from '../../../../test/services/scripted-server.js';
import * as protocol from '../../../../test/services/server-messages.js';
import { manifestOfParent } from '../../fixtures/parent-manifest.js';
import type { EngineBackup, ParentBackup } from '../engine.js';
import type { ServerPatience } from './connection.js';
import { PostgresqlEngine } from './postgresql-engine.js';

const mebibyte = 1_048_576;
const never = new AbortController().signal;
const start = Buffer.concat([
  protocol.result([['0/2000028', '1']]),
  protocol.result([
    ['16413', '/spaces/fast', '100'],
    [null, null, '900'],
  ]),
  protocol.copyOut(),
]);
const end = Buffer.concat([
  protocol.copyDone(),
  protocol.result([['0/2000120', '1']]),
  protocol.complete('BASE_BACKUP'),
  protocol.ready(),
]);
const digestOf = (bytes: Buffer) => `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex')}`;
const inPieces = (bytes: Buffer) => {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 32_768) pieces.push(protocol.data(bytes.subarray(at, at + 32_768)));
  return Buffer.concat(pieces);
};

describe('a backup over the replication protocol', () => {
  let server: ScriptedServer | undefined;
  afterEach(() => server?.stop());

  async function engineOf(script: Script, options: Partial<ServerPatience> = {}) {
    server = await ScriptedServer.start(script);
    const endpoint = {
      host: '127.0.0.1',
      port: server.port,
      user: 'backup',
      database: 'postgres',
      tls: 'disable',
    } as const;
    const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret' };
    const engine = new PostgresqlEngine(options);
    return {
      server,
      begin: (signal = never, parent?: ParentBackup) =>
        engine.backup(target, { backupId: "it's its id", signal, parent }),
    };
  }
  const sending = (...messages: Buffer[]) => ({
    backup: (socket: Socket) => socket.write(Buffer.concat(messages)) && undefined,
  });
  async function readAll({ objects }: EngineBackup): Promise<[name: string, digest: string][]> {
    const all: [string, string][] = [];
    for await (const { name, source } of objects) all.push([name, digestOf(await buffer(source))]);
    return all;
  }

  it('gives every archive and the manifest, byte for byte, no matter where the network cuts the stream', async () => {
    const [space, base, manifest] = [randomBytes(70_000), randomBytes(200_000), randomBytes(40_000)];
    const stream = Buffer.concat([
      start,
      protocol.archive('16413.tar'),
      inPieces(space),
      protocol.progress(70_000n),
      protocol.archive('base.tar'),
      inPieces(base),
      protocol.manifest(),
      inPieces(manifest),
      end,
    ]);
    const { server, begin } = await engineOf({
      backup: (socket) => {
        socket.setNoDelay(true);
        for (let at = 0; at < stream.length; at += 1_237) socket.write(stream.subarray(at, at + 1_237));
      },
    });
    const backup = await begin();
    expect(backup.estimatedBytes).toBe(1_024_000);
    expect(await readAll(backup)).toEqual([
      ['16413.tar', digestOf(space)],
      ['base.tar', digestOf(base)],
      ['backup_manifest', digestOf(manifest)],
    ]);
    await expect(backup.result).resolves.toEqual({
      datastore: { type: 'postgresql', version: '18.4' },
      facts: {
        serverVersion: '18.4',
        serverVersionNumber: 180_004,
        systemId: '7000000000000000001',
        timeline: 1,
        timelineHistory: '',
        serverLsn: '0/2000000',
        startLsn: '0/2000028',
        endLsn: '0/2000120',
        blockSize: 8_192,
        segmentBlocks: 131_072,
        dataChecksums: 'on',
        walLogHints: 'off',
        warnings: [],
        // The server does not summarize its WAL, so nothing can be built on the backup.
        chainSlot: null,
        chainSlotGround: 'wal-not-summarized',
        chainSlotReason: expect.stringContaining('summarize_wal = on'),
        slotMadeAt: null,
        parentStartLsn: null,
        parentTimeline: null,
        limitBlocks: null,
        tablespaces: [{ oid: '16413', location: '/spaces/fast' }],
      },
    });
    // A replication slot keeps the WAL before the backup begins.
    const at = server.commands.findIndex((command) => command.startsWith('BASE_BACKUP'));
    expect(server.commands[at - 1]).toMatch(
      /^CREATE_REPLICATION_SLOT "strongroom_\w+" TEMPORARY PHYSICAL \(RESERVE_WAL\)$/,
    );
    expect(server.commands[at]).toContain("LABEL 'strongroom it''s its id'");
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it('holds the server back while the reader is behind, in one large archive as in many small ones', async () => {
    const large = protocol.archive('1.tar');
    const small = Array.from({ length: 64 }, (_, oid) =>
      Buffer.concat([protocol.archive(`${oid + 2}.tar`), inPieces(randomBytes(mebibyte / 2))]),
    );
    for (const archives of [[large, inPieces(randomBytes(32 * mebibyte))], small]) {
      const { server, begin } = await engineOf(sending(start, ...archives, end));
      const backup = await begin();
      // The system's socket buffers take some of it too. The test only needs to see that the server stops sending.
      let sent = -1;
      await eventually(
        () => {
          const before = sent;
          sent = server.sentBytes;
          expect(sent).toBe(before);
        },
        { withinMs: 5_000 },
      );
      expect(sent).toBeLessThan(16 * mebibyte);
      await expect(readAll(backup)).resolves.toHaveLength(archives.length === 2 ? 1 : archives.length);
      await expect(backup.result).resolves.toBeDefined();
      await server.stop();
    }
    server = undefined;
  }, 30_000);

  it('ends though the last archive was more than the reader could take at once', async () => {
    const manifest = randomBytes(mebibyte + 40_000);
    const { begin } = await engineOf(
      sending(start, protocol.archive('base.tar'), protocol.manifest(), inPieces(manifest), end),
    );
    const backup = await begin();
    await expect(readAll(backup)).resolves.toEqual([
      ['base.tar', digestOf(Buffer.alloc(0))],
      ['backup_manifest', digestOf(manifest)],
    ]);
    await expect(backup.result).resolves.toBeDefined();
  });

  it('is no good when the server reports an error after the last byte', async () => {
    const late = protocol.error('XX000', 'requested WAL segment 000000010000000000000003 has already been removed');
    const { begin } = await engineOf(
      sending(
        start,
        protocol.archive('base.tar'),
        inPieces(randomBytes(100)),
        protocol.copyDone(),
        late,
        protocol.ready(),
      ),
    );
    const backup = await begin();
    await readAll(backup).catch(() => {});
    await expect(backup.result).rejects.toMatchObject({ code: 'backup-aborted-by-server' });
    await expect(backup.result).rejects.toThrow('has already been removed');
  });

  it('ends its reader with the reason when the server reports an error on the way', async () => {
    const { begin } = await engineOf(
      sending(
        start,
        protocol.archive('base.tar'),
        inPieces(randomBytes(100)),
        protocol.error('58P01', 'could not read'),
        protocol.ready(),
      ),
    );
    await expect(begin().then(readAll)).rejects.toMatchObject({ code: 'backup-aborted-by-server' });
  });

  it.each([
    ['where it ends', [protocol.copyDone(), protocol.complete('BASE_BACKUP'), protocol.ready()]],
    ['that it is good', [protocol.copyDone(), protocol.result([['0/2000120', '1']]), protocol.ready()]],
  ])('is no good when the server does not say %s', async (_, ending) => {
    const { begin } = await engineOf(
      sending(start, protocol.archive('base.tar'), inPieces(randomBytes(100)), ...ending),
    );
    const backup = await begin();
    await readAll(backup).catch(() => {});
    await expect(backup.result).rejects.toMatchObject({ code: 'protocol-violation' });
  });

  it.each([
    ['no messages', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a part of an unknown kind', protocol.message('d', Buffer.from('xyz'))],
  ])('that is %s is refused', async (_, garbage) => {
    const { server, begin } = await engineOf(sending(start, protocol.archive('base.tar'), garbage));
    await expect(begin().then(readAll)).rejects.toMatchObject({ code: 'protocol-violation' });
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it('ends when the connection breaks', async () => {
    const { begin } = await engineOf({
      backup: (socket) => socket.end(Buffer.concat([start, protocol.archive('base.tar'), inPieces(randomBytes(100))])),
    });
    const backup = await begin();
    await expect(readAll(backup)).rejects.toMatchObject({ code: 'server-unreachable', retryable: true });
    await expect(backup.result).rejects.toMatchObject({ code: 'server-unreachable' });
  });

  it('is given up when the server goes silent', async () => {
    const { server, begin } = await engineOf(sending(start, protocol.archive('base.tar')), { stallMs: 100 });
    await expect(begin().then(readAll)).rejects.toMatchObject({ code: 'server-stalled', retryable: true });
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it('may take long to begin: a first checkpoint says nothing until it is done', async () => {
    const checkpointing = (socket: Socket) => void setTimeout(() => socket.write(Buffer.concat([start, end])), 50);
    const { begin } = await engineOf({ backup: checkpointing }, { stallMs: 10 });
    const backup = await begin();
    await expect(readAll(backup)).resolves.toEqual([]);
    await server?.stop();
    const never = await engineOf({ backup: () => {} }, { beginMs: 100 });
    await expect(never.begin()).rejects.toMatchObject({ code: 'server-stalled', retryable: true });
    await eventually(() => expect(never.server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it.each(['SHOW server_version_num', 'IDENTIFY_SYSTEM', 'CREATE_REPLICATION_SLOT'])(
    'is given up when the server does not answer to %s',
    async (silence) => {
      const deaf = { answer: (command: string) => command.startsWith(silence) };
      const { server, begin } = await engineOf(deaf, { answerMs: 100 });
      await expect(begin()).rejects.toMatchObject({ code: 'server-stalled', retryable: true });
      await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
    },
  );

  it('is given up when nobody takes what the server sends', async () => {
    const bytes = inPieces(randomBytes(8 * mebibyte));
    const { server, begin } = await engineOf(sending(start, protocol.archive('base.tar'), bytes, end), { heldMs: 100 });
    const backup = await begin();
    await expect(backup.result).rejects.toMatchObject({ code: 'reader-stalled', retryable: true });
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it('ends at once when it is cancelled, also while it connects, and closes its connection', async () => {
    const running = new AbortController();
    const { server, begin } = await engineOf(sending(start, protocol.archive('base.tar')));
    const backup = await begin(running.signal);
    running.abort();
    await expect(readAll(backup)).rejects.toMatchObject({ code: 'cancelled' });
    await expect(backup.result).rejects.toMatchObject({ code: 'cancelled' });
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
    await server.stop();

    const connecting = new AbortController();
    const silent = await engineOf({ isSilent: true });
    const begun = silent.begin(connecting.signal);
    await eventually(() => expect(silent.server.sockets.size).toBe(1), { withinMs: 5_000 });
    connecting.abort();
    await expect(begun).rejects.toMatchObject({ code: 'cancelled' });
    await eventually(() => expect(silent.server.sockets.size).toBe(0), { withinMs: 5_000 });
    await expect(silent.begin(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('ends when its reader gives it up', async () => {
    const { server, begin } = await engineOf(
      sending(start, protocol.archive('base.tar'), inPieces(randomBytes(8 * mebibyte))),
    );
    const backup = await begin();
    for await (const { source } of backup.objects) {
      for await (const _ of source) break;
      break;
    }
    await expect(backup.result).rejects.toMatchObject({ code: 'cancelled' });
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it.each([
    ['has lost what changed since', '55000', 'incremental-not-possible', false],
    ['finds the manifest broken', 'XX000', 'incremental-not-possible', false],
    ['is shut down', '57P01', 'server-unreachable', true],
  ])('is not built on its parent when the server %s while it takes the manifest', async (_, state, code, retryable) => {
    const copyIn = protocol.message('G', Buffer.from([0, 0, 0]));
    const refusal = Buffer.concat([copyIn, protocol.error(state, 'the server is against it'), protocol.ready()]);
    const answers = new Map([
      ['SHOW summarize_wal', Buffer.concat([protocol.result([['on']]), protocol.ready()])],
      ['READ_REPLICATION_SLOT', Buffer.concat([protocol.result([['physical']], ['slot_type']), protocol.ready()])],
      ['UPLOAD_MANIFEST', refusal],
    ]);
    const { server, begin } = await engineOf({
      answer: (command, socket) => {
        const [, bytes] = [...answers].find(([start]) => command.startsWith(start)) ?? [];
        return bytes !== undefined && (socket.write(bytes) || true);
      },
    });
    const parent = { manifest: manifestOfParent(), open: () => Readable.from([randomBytes(mebibyte)]) };
    const refused = begin(never, parent);
    await expect(refused).rejects.toMatchObject({ name: 'EngineFault', code, retryable });
    await expect(refused).rejects.toThrow('the server is against it');
    expect(server.commands.at(-1)).toBe('UPLOAD_MANIFEST');
    await eventually(() => expect(server.sockets.size).toBe(0), { withinMs: 5_000 });
  });

  it('is not tried with a server older than 15', async () => {
    const { begin } = await engineOf({ versionNumber: 140_011 });
    await expect(begin()).rejects.toMatchObject({ code: 'version-unsupported' });
  });

  it('is given up when nothing answers in time', async () => {
    const { begin } = await engineOf({ isSilent: true }, { connectMs: 100 });
    await expect(begin()).rejects.toMatchObject({ code: 'server-unreachable' });
  });
});
