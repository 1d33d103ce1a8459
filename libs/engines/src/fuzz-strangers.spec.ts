/** Bytes of strange servers and backups that nobody thought of, made from those of fixtures/corpus: each is read, or refused by a fault of ours. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decompressFrames } from '@strongroom/vault';
import { type FuzzedForm, fuzz, fuzzCount, fuzzLimitMs } from '../../../test/services/fuzzed.js';
import { ScriptedServer } from '../../../test/services/scripted-server.js';
import * as protocol from '../../../test/services/server-messages.js';
import { randomOf } from '../../../test/vaults/turns.js';
import { corpusOf, type StrangersForm } from '../fixtures/corpus.js';
import { serverManifest, sourceOf } from '../fixtures/server-archive.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';
import { applyChangedBlocks } from './postgresql/restore/changed-blocks.js';
import { LimitBlocks } from './postgresql/restore/limit-blocks.js';
import { restoreDataDirectory } from './postgresql/restore/restore.js';
import { listedFiles } from './postgresql/restore/server-manifest.js';

const files = { PG_VERSION: '18\n', 'base/1/1259': 'rows'.repeat(100), 'global/pg_control': 'x' };
const span = { timeline: 1, startLsn: '0/1000028', endLsn: '0/2000028' };
const backup = Buffer.concat([
  protocol.result([['0/2000028', '1']]),
  protocol.result([
    ['16413', '/spaces/fast', '1'],
    [null, null, '900'],
  ]),
  protocol.copyOut(),
  protocol.archive('16413.tar'),
  protocol.data(Buffer.alloc(700, 'a')),
  protocol.progress(700n),
  protocol.archive('base.tar'),
  protocol.data(Buffer.alloc(5_000, 'b')),
  protocol.manifest(),
  protocol.data(Buffer.from('{}')),
  protocol.copyDone(),
  protocol.result([['0/2000120', '1']]),
  protocol.complete('BASE_BACKUP'),
  protocol.ready(),
]);

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function withChecksum(manifest: Buffer): Buffer {
  const ending = manifest.lastIndexOf('"Manifest-Checksum"');
  const text = ending === -1 ? manifest : manifest.subarray(0, ending);
  const digest = createHash('sha256').update(text).digest('hex');
  return Buffer.concat([text, Buffer.from(`"Manifest-Checksum": "${digest}"}\n`)]);
}

const tarBlock = 512;
const headerChecksum = { at: 148, length: 8 };

/** The archive with the right checksum in each header that its sizes lead to. */
function withHeaderChecksums(archive: Buffer): Buffer {
  const bytes = Buffer.from(archive);
  for (let at = 0; at + tarBlock <= bytes.length; ) {
    const header = bytes.subarray(at, at + tarBlock);
    if (header.every((byte) => byte === 0)) break;
    const { at: from, length } = headerChecksum;
    header.fill(' ', from, from + length);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, from, 'latin1');
    const size = Number.parseInt(header.toString('latin1', 124, 136), 8) || 0;
    at += tarBlock + Math.ceil(Math.max(0, size) / tarBlock) * tarBlock;
  }
  return bytes;
}

async function drained(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

describe('bytes of strangers', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-fuzz-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const tryAll = (name: StrangersForm, leastWays: number, read: FuzzedForm['read']) =>
    fuzz({ name, corpus: corpusOf(name), leastWays, read });

  it(
    'as frames of zstd',
    async () => {
      await tryAll('frames', 4, (bytes) => drained(decompressFrames(once(bytes))));
    },
    fuzzLimitMs,
  );

  it(
    'as the manifest of a server',
    () => {
      // Half of them have the right checksum of themselves, which would hide everything else that is wrong.
      return tryAll('server-manifest', 4, (bytes, seed) =>
        drained(listedFiles(once(seed % 2 === 0 || seed < 0 ? bytes : withChecksum(bytes)))),
      );
    },
    fuzzLimitMs,
  );

  it(
    'as a list of limits',
    () => tryAll('limit-blocks', 4, (bytes) => LimitBlocks.read(once(bytes), span)),
    fuzzLimitMs,
  );

  it(
    'as the changed blocks of a relation',
    async () => {
      const target = join(folder, '1259');
      const sizes = { blockSize: 1_024, segmentBlocks: 64 };
      await tryAll('changed-blocks', 3, async (bytes) => {
        await writeFile(target, Buffer.alloc(8 * 1_024, 'a'));
        await applyChangedBlocks(once(bytes), { target, name: 'base/1/1259' }, sizes);
      });
    },
    fuzzLimitMs,
  );

  it(
    'as an archive',
    async () => {
      const manifest = serverManifest(files);
      await tryAll('archive', 8, async (bytes, seed) => {
        const directory = join(folder, String(seed));
        await mkdir(directory);
        // As with that manifest, half of them are not refused for a checksum alone.
        const archive = seed % 2 === 0 || seed < 0 ? bytes : withHeaderChecksums(bytes);
        await restoreDataDirectory([sourceOf({ 'base.tar': archive, '16413.tar': [] }, manifest)], directory);
      });
    },
    fuzzLimitMs,
  );

  it(
    'as what a server says of itself, and in a backup',
    async () => {
      let reached = 0;
      await tryAll('protocol', 15, async (bytes, seed) => {
        const random = randomOf(-seed);
        // One of the answers is the stranger's, and then the connection ends. So many are asked for before the backup.
        const at = 1 + Math.floor(random() * 9);
        let asked = 0;
        let isReached = false;
        const isBackup = random() < 0.6;
        const server = await ScriptedServer.start({
          answer: (_, socket) => {
            asked += 1;
            if (isBackup || asked !== at) return false;
            isReached = true;
            socket.end(bytes);
            return true;
          },
          backup: (socket) => {
            isReached ||= isBackup;
            socket.end(isBackup ? bytes : backup);
          },
        });
        try {
          const endpoint = {
            host: '127.0.0.1',
            port: server.port,
            user: 'backup',
            database: 'postgres',
            tls: 'disable',
          } as const;
          const target = { instanceId: '6f1c2b0a-0000-4000-8000-000000000001', endpoint, password: 'secret' };
          const running = await new PostgresqlEngine({ answerMs: 5_000, stallMs: 5_000 }).backup(target, {
            backupId: 'b',
            signal: new AbortController().signal,
          });
          for await (const { source } of running.objects) await drained(source);
          await running.result;
        } finally {
          await server.stop();
          if (isReached) reached += 1;
        }
      });
      expect(reached).toBeGreaterThanOrEqual(fuzzCount);
    },
    fuzzLimitMs,
  );
});
