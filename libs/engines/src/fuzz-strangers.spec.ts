/**
 * Strangers' bytes that nobody thought of, made by a seed from those of fixtures/corpus: each is read, or refused by a fault of ours. No
 * other error comes of them, and none keeps the process. STRONGROOM_FUZZ_STRANGERS says how many for each form, and _SEED where they begin.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Fault } from '@strongroom/contracts';
import { decompressFrames } from '@strongroom/vault';
import { patience } from '../../../test/services/patience.js';
import { ScriptedServer } from '../../../test/services/scripted-server.js';
import * as protocol from '../../../test/services/server-messages.js';
import { randomOf } from '../../../test/vaults/turns.js';
import { corpusOf, type StrangersForm } from '../fixtures/corpus.js';
import { mutated } from '../fixtures/mutations.js';
import { serverManifest, sourceOf } from '../fixtures/server-archive.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';
import { applyChangedBlocks } from './postgresql/restore/changed-blocks.js';
import { LimitBlocks } from './postgresql/restore/limit-blocks.js';
import { restoreDataDirectory } from './postgresql/restore/restore.js';
import { listedFiles } from './postgresql/restore/server-manifest.js';

const count = Number(process.env.STRONGROOM_FUZZ_STRANGERS || 300);
const firstSeed = Number(process.env.STRONGROOM_FUZZ_STRANGERS_SEED || 1);
/** No input is larger than some kilobytes. */
const mostMs = 10_000 * patience;
const limitMs = 60_000 + count * 100;

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

async function drained(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

describe('bytes of strangers', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-fuzz-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function tryOne(what: string, bytes: Buffer, read: () => Promise<unknown>): Promise<'read' | 'refused'> {
    const begun = performance.now();
    let outcome: 'read' | 'refused' = 'read';
    try {
      await read();
    } catch (error) {
      outcome = 'refused';
      if (!(error instanceof Fault) || !/^[a-z-]+$/.test(error.code)) {
        const file = join(tmpdir(), `strongroom-${what.replaceAll(/[^a-z0-9]+/gi, '-')}.bin`);
        await writeFile(file, bytes);
        throw new Error(`${what} gives ${String(error)}. The bytes are in ${file}: put them into the corpus`, {
          cause: error,
        });
      }
    }
    const ms = performance.now() - begun;
    if (ms > mostMs) throw new Error(`${what} takes ${ms} ms`);
    return outcome;
  }

  async function tryAll(form: StrangersForm, read: (bytes: Buffer, seed: number) => Promise<unknown>) {
    const corpus = corpusOf(form);
    const good: Buffer[] = [];
    for (const [index, { name, bytes }] of corpus.entries()) {
      if ((await tryOne(`${form} ${name}`, bytes, () => read(bytes, -1 - index))) === 'read') good.push(bytes);
    }
    // Otherwise the corpus is not worth beginning with.
    expect(good.length).toBeGreaterThan(0);
    expect(good.length).toBeLessThan(corpus.length);
    const all = corpus.map(({ bytes }) => bytes);
    let refused = 0;
    for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
      // What is wrong in two places is refused for the first of them, and the second is not looked at.
      const bytes = mutated(seed % 3 === 0 ? all : good, randomOf(seed));
      if ((await tryOne(`${form}, seed ${seed}`, bytes, () => read(bytes, seed))) === 'refused') refused += 1;
    }
    // Otherwise the inputs are not worth trying.
    expect(refused).toBeGreaterThan(count / 4);
    expect(refused).toBeLessThan(count);
  }

  it(
    'as frames of zstd',
    async () => {
      await tryAll('frames', (bytes) => drained(decompressFrames(once(bytes))));
    },
    limitMs,
  );

  it(
    'as the manifest of a server',
    () => {
      // Half of them have the right checksum of themselves, which would hide everything else that is wrong.
      return tryAll('server-manifest', (bytes, seed) =>
        drained(listedFiles(once(seed % 2 === 0 || seed < 0 ? bytes : withChecksum(bytes)))),
      );
    },
    limitMs,
  );

  it('as a list of limits', () => tryAll('limit-blocks', (bytes) => LimitBlocks.read(once(bytes), span)), limitMs);

  it(
    'as the changed blocks of a relation',
    async () => {
      const target = join(folder, '1259');
      const sizes = { blockSize: 1_024, segmentBlocks: 64 };
      await tryAll('changed-blocks', async (bytes) => {
        await writeFile(target, Buffer.alloc(8 * 1_024, 'a'));
        await applyChangedBlocks(once(bytes), target, sizes);
      });
    },
    limitMs,
  );

  it(
    'as an archive',
    async () => {
      const manifest = serverManifest(files);
      await tryAll('archive', async (bytes, seed) => {
        const directory = join(folder, String(seed));
        await mkdir(directory);
        await restoreDataDirectory([sourceOf({ 'base.tar': bytes, '16413.tar': [] }, manifest)], directory);
      });
    },
    limitMs,
  );

  it(
    'as what a server says of itself, and in a backup',
    async () => {
      await tryAll('protocol', async (bytes, seed) => {
        const random = randomOf(-seed);
        // One of the answers is the stranger's, and then the connection ends.
        const at = Math.floor(random() * 12);
        let asked = 0;
        const isBackup = random() < 0.6;
        const server = await ScriptedServer.start({
          answer: (_, socket) => {
            asked += 1;
            if (isBackup || asked !== at) return false;
            socket.end(bytes);
            return true;
          },
          backup: (socket) => void socket.end(isBackup ? bytes : backup),
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
        }
      });
    },
    limitMs,
  );
});
