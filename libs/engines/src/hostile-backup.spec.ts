/**
 * What a stranger's backup, or a vault that somebody has written into, may hold, and what comes of it when it is restored: a fault
 * that says so, in little memory and in time, and an empty folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Fault, type VaultManifest, type VaultObject } from '@strongroom/contracts';
import { compressFrames, manifestBytes, openVaults, type Vault } from '@strongroom/vault';
import { pack } from 'tar-stream';
import { patience } from '../../../test/services/patience.js';
import { ofFull as plainFull } from '../fixtures/full-backup.js';
import { type Entry, file, folderOf, link, serverManifest, tarOf } from '../fixtures/server-archive.js';
import { TriedAttacks, tried } from '../fixtures/tried-attacks.js';
import { restoreBackup } from './restore-backup.js';

const mebibyte = 1_048_576;
const gibibyte = 1_024 * mebibyte;
const mostMemory = 160 * mebibyte;
const mostMs = 10_000;
const facts = {
  systemId: '7000000000000000001',
  timeline: 1,
  startLsn: '0/2000028',
  endLsn: '0/2000120',
  blockSize: 8_192,
  segmentBlocks: 131_072,
};
const ofFull = { ...plainFull, engine: facts };

const entries = [file('PG_VERSION', '18\n'), file('base/1/1259', 'rows')];
const good = serverManifest({ PG_VERSION: '18\n', 'base/1/1259': 'rows' });

async function* zeros(bytes: number): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(mebibyte);
  for (let at = 0; at < bytes; at += chunk.length) yield chunk;
}

async function* once(bytes: Buffer | string): AsyncGenerator<Buffer> {
  yield Buffer.from(bytes);
}

/** An object as its vault has it, and what is said of it. */
interface Stored {
  content: AsyncIterable<Buffer>;
  /** What the manifest says of its size; default: the truth. */
  rawBytes?: number;
  isCompressed?: boolean;
}

type Objects = Record<string, Stored>;

const tar = async (...content: Entry[]): Promise<Stored> => ({ content: once(await buffer(tarOf(content))) });
const plain = (bytes: Buffer | string): Stored => ({ content: once(bytes) });

async function longName(): Promise<Stored> {
  const archive = pack();
  archive.entry({ name: 'x'.repeat(300), pax: { comment: 'y'.repeat(3 * mebibyte) } }, 'content');
  archive.finalize();
  return { content: once(await buffer(archive)) };
}

/** A header as GNU's tar writes it before an entry with a long name. */
async function gnuName(depth: number): Promise<Stored> {
  const name = Buffer.from(`${'d/'.repeat(depth)}f`);
  const bytes = await buffer(tarOf([file('././@LongLink', name.toString()), file('f', 'content')]));
  bytes.write('L', 156, 'latin1');
  bytes.write('ustar  \0', 257, 'latin1');
  bytes.fill(' ', 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return { content: once(bytes) };
}

function changes(count: number, truncation: number, ...blocks: number[]): string {
  const head = Buffer.alloc(12 + blocks.length * 4);
  for (const [at, value] of [0xd3ae1f0d, count, truncation, ...blocks].entries()) head.writeUInt32LE(value, at * 4);
  return head.toString('latin1');
}

/** Changes with as many blocks of zeros as they say, so that nothing else is wrong with them. */
function whole(count: number, truncation: number, ...blocks: number[]): string {
  return `${changes(count, truncation, ...blocks).padEnd(8_192, '\0')}${'\0'.repeat(8_192 * count)}`;
}

const fullCases: [what: string, objects: () => Promise<Objects>, code: string][] = [
  [
    'an archive of a gigabyte where a kilobyte was said',
    async () => ({
      'base.tar': { content: zeros(gibibyte), rawBytes: 1_024, isCompressed: true },
      backup_manifest: plain(good),
    }),
    'object-altered',
  ],
  [
    'a manifest of a gigabyte where a kilobyte was said',
    async () => ({
      'base.tar': await tar(...entries),
      backup_manifest: { content: zeros(gibibyte), rawBytes: 1_024, isCompressed: true },
    }),
    'object-altered',
  ],
  [
    'a manifest of a gigabyte without a line, as it was said',
    async () => ({
      'base.tar': await tar(...entries),
      backup_manifest: { content: zeros(gibibyte), rawBytes: gibibyte, isCompressed: true },
    }),
    'backup-content-invalid',
  ],
  [
    'a manifest that is said to have a petabyte',
    async () => ({ 'base.tar': await tar(...entries), backup_manifest: { content: once(good), rawBytes: 2 ** 50 } }),
    'backup-content-invalid',
  ],
  [
    'a manifest that is another file',
    async () => ({ 'base.tar': await tar(...entries), backup_manifest: plain('{"Files": []}\n') }),
    'backup-content-invalid',
  ],
  [
    'a manifest that lists a size beyond all files',
    async () => ({
      'base.tar': await tar(...entries),
      backup_manifest: plain(good.replace(/"Size": 4/, '"Size": 9999999999999999')),
    }),
    'backup-content-invalid',
  ],
  [
    'frames that are none',
    async () => ({
      'base.tar': { ...plain('x'.repeat(1_000)), isCompressed: true, rawBytes: 1_000 },
      backup_manifest: plain(good),
    }),
    'object-altered',
  ],
  [
    'an archive with a header of megabytes',
    async () => ({ 'base.tar': await longName(), backup_manifest: plain(good) }),
    'backup-content-invalid',
  ],
  [
    'an archive with a name of a million folders',
    async () => ({ 'base.tar': await gnuName(1_000_000), backup_manifest: plain(good) }),
    'backup-content-invalid',
  ],
  [
    'a name that leads out of the folder',
    async () => ({ 'base.tar': await tar(...entries, file('../outside', 'x')), backup_manifest: plain(good) }),
    'backup-content-invalid',
  ],
  [
    'an absolute name',
    async () => ({ 'base.tar': await tar(...entries, file('/tmp/outside', 'x')), backup_manifest: plain(good) }),
    'backup-content-invalid',
  ],
  [
    'a link to another place, and a file in it',
    async () => ({
      'base.tar': await tar(...entries, link('base/2', '/tmp'), file('base/2/outside', 'x')),
      backup_manifest: plain(good),
    }),
    'backup-content-invalid',
  ],
  [
    'a device',
    async () => ({
      'base.tar': await tar(...entries, [{ name: 'zero', type: 'character-device' }]),
      backup_manifest: plain(good),
    }),
    'backup-content-invalid',
  ],
  [
    'a file in the place of a folder',
    async () => ({
      'base.tar': await tar(file('base', 'x'), folderOf('base/1'), ...entries),
      backup_manifest: plain(good),
    }),
    'backup-content-invalid',
  ],
  ['no archive of the data folder', async () => ({ backup_manifest: plain(good) }), 'backup-content-invalid'],
  [
    'an object that no engine has',
    async () => ({ 'base.tar': await tar(...entries), 'more.sh': plain('x'), backup_manifest: plain(good) }),
    'backup-content-invalid',
  ],
];

const changed = 'base/1/INCREMENTAL.1259';
const label = 'START WAL LOCATION: 0/3000028\nINCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n';

/** Each is an incremental on a good full backup. */
const incrementalCases: [
  what: string,
  files: Record<string, string>,
  engine: Record<string, string | number>,
  code: string,
  more?: Objects,
][] = [
  ...[0.5, -819, 0, 1e308, 8_191, '8192'].map(
    (blockSize): [string, Record<string, string>, Record<string, string | number>, string] => [
      `blocks of ${JSON.stringify(blockSize)} bytes`,
      { backup_label: label, [changed]: changes(1, 0, 0) },
      { blockSize },
      'backup-content-invalid',
    ],
  ),
  ...[0, -1, 0.5, 2 ** 40, '131072'].map(
    (segmentBlocks): [string, Record<string, string>, Record<string, string | number>, string] => [
      `segments of ${JSON.stringify(segmentBlocks)} blocks`,
      { backup_label: label, [changed]: whole(1, 0, 0) },
      { segmentBlocks },
      'backup-content-invalid',
    ],
  ),
  ['a label of a megabyte', { backup_label: `${label}${'x'.repeat(mebibyte)}` }, {}, 'backup-content-invalid'],
  [
    'a label of another parent',
    { backup_label: label.replace('0/2000028', '0/1000028') },
    {},
    'backup-content-invalid',
  ],
  [
    'four thousand million changed blocks',
    { backup_label: label, [changed]: changes(0xffff_ffff, 0) },
    {},
    'backup-content-invalid',
  ],
  [
    'changed blocks that break off',
    { backup_label: label, [changed]: changes(100, 0, 1, 2, 3) },
    {},
    'backup-content-invalid',
  ],
  [
    'changed blocks that are not in order',
    { backup_label: label, [changed]: whole(2, 0, 5, 4) },
    {},
    'backup-content-invalid',
  ],
  [
    'changed blocks beyond the segment',
    { backup_label: label, [changed]: whole(1, 0, 131_072) },
    {},
    'backup-content-invalid',
  ],
  [
    'changes of a file that is not there',
    { backup_label: label, 'base/1/INCREMENTAL.77': changes(0, 0) },
    {},
    'backup-content-invalid',
  ],
  [
    'a list of limits without a line',
    { backup_label: label },
    { limitBlocks: 'limit_blocks' },
    'backup-content-invalid',
    { limit_blocks: { content: zeros(64 * mebibyte), rawBytes: 64 * mebibyte, isCompressed: true } },
  ],
  [
    'a list of limits of another time',
    { backup_label: label },
    { limitBlocks: 'limit_blocks' },
    'backup-content-invalid',
    { limit_blocks: plain('strongroom-limit-blocks/1 0/1 0/2 1\nend 0\n') },
  ],
  [
    'limits that are an object which is not there',
    { backup_label: label },
    { limitBlocks: '../manifest.json' },
    'backup-content-invalid',
  ],
];

describe('a hostile backup', () => {
  let folder: string;
  let vault: Vault;
  let directory: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-hostile-'));
    await mkdir(join(folder, 'ORD'));
    vault = openVaults(new Map([['ORD', pathToFileURL(join(folder, 'ORD'))]])).of('ORD');
    directory = join(folder, 'data');
  });
  const table = new TriedAttacks();
  afterAll(() => table.write('backups'));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function store(stored: Objects, more: Partial<VaultManifest> = {}): Promise<string> {
    const backupId = String(randomUUID());
    const upload = await vault.begin(backupId, 1);
    const objects: VaultObject[] = [];
    for (const [name, { content, rawBytes, isCompressed = false }] of Object.entries(stored)) {
      // What is said to be compressed and has a size of its own is stored as it is, when it is no zeros.
      const isBomb = isCompressed && (rawBytes ?? 0) !== 1_000;
      const put = await upload.put(name, isBomb ? compressFrames(content) : content);
      objects.push({ ...put, rawBytes: rawBytes ?? put.sizeBytes, compression: isCompressed ? 'zstd' : 'none' });
    }
    await upload.seal(manifestBytes({ ...ofFull, backupId, objects, ...more }));
    return backupId;
  }

  async function faultOf(work: () => Promise<unknown>): Promise<unknown> {
    const came = await tried(work);
    const { error, memory, ms } = came;
    const { currentTestName = '' } = expect.getState();
    table.add(
      currentTestName
        .replace(/^a hostile backup (?:whose vault (?:holds|has)|with|that|built)? ?/, '')
        .replace(/ is refused.*$/, ''),
      came,
    );
    expect(ms).toBeLessThan(mostMs * patience);
    expect(memory).toBeLessThan(mostMemory);
    expect(error).toBeInstanceOf(Fault);
    expect((error as Fault).message).not.toMatch(/\p{Cc}/u);
    return error;
  }

  const restoring = (backupId: string) => faultOf(() => restoreBackup({ vault, backupId, directory }));
  const left = () => readdir(directory).catch(() => []);

  it.each(fullCases)('with %s is refused', async (_, objects, code) => {
    const backupId = await store(await objects());
    expect(await restoring(backupId)).toMatchObject({ code });
    expect(await left()).toEqual([]);
  });

  it.each(incrementalCases)('built with %s is refused', async (_, files, engine, code, more = {}) => {
    const parentId = await store({ 'base.tar': await tar(...entries), backup_manifest: plain(good) });
    const listed = Object.fromEntries(
      Object.entries(files).map(([name, content]) => [name, Buffer.from(content, 'latin1')]),
    );
    const archive = pack();
    for (const [name, content] of Object.entries(listed)) archive.entry({ name }, content);
    archive.finalize();
    const lines = Object.entries(listed).map(
      ([name, content]) =>
        `{ "Path": "${name}", "Size": ${content.length}, "Last-Modified": "2026-11-14 14:30:00 GMT", "Checksum-Algorithm": "SHA256", "Checksum": "${createHash('sha256').update(content).digest('hex')}" }`,
    );
    const text = `{ "PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": 7000000000000000001,\n"Files": [\n${lines.join(',\n')}\n],\n"WAL-Ranges": [\n{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000120" }\n],\n`;
    const ofServer = `${text}"Manifest-Checksum": "${createHash('sha256').update(text).digest('hex')}"}\n`;
    const backupId = await store(
      { ...more, 'base.tar': { content: once(await buffer(archive)) }, backup_manifest: plain(ofServer) },
      {
        type: 'incremental',
        parentId,
        engine: { ...facts, startLsn: '0/3000028', parentStartLsn: '0/2000028', parentTimeline: 1, ...engine },
      },
    );
    expect(await restoring(backupId)).toMatchObject({ code });
    expect(await left()).toEqual([]);
  });

  it('that is its own parent is refused', async () => {
    const parentId = String(randomUUID());
    const stored = { 'base.tar': await tar(...entries), backup_manifest: plain(good) };
    const upload = await vault.begin(parentId, 1);
    const objects: VaultObject[] = [];
    for (const [name, { content }] of Object.entries(stored)) {
      const put = await upload.put(name, content);
      objects.push({ ...put, rawBytes: put.sizeBytes, compression: 'none' });
    }
    await upload.seal(manifestBytes({ ...ofFull, backupId: parentId, objects, type: 'incremental', parentId }));
    expect(await restoring(parentId)).toMatchObject({ code: 'backup-content-invalid' });
  });

  it.each([
    ['an object that has grown by a gigabyte', 'base.tar', 'object-altered'],
    ['a manifest that has grown by a gigabyte', 'manifest.json', 'manifest-invalid'],
  ])('whose vault holds %s is refused, and not copied', async (_, name, code) => {
    const backupId = await store({ 'base.tar': await tar(...entries), backup_manifest: plain(good) });
    const path = join(folder, 'ORD', (await vault.locationOf(backupId)) ?? '', name);
    for (let written = 0; written < 256; written += 1) await appendFile(path, Buffer.alloc(4 * mebibyte));
    expect(await restoring(backupId)).toMatchObject({ code });
    expect(await faultOf(() => vault.verify(backupId))).toMatchObject({ code });
  });

  it('whose vault has a state that is no state is refused', async () => {
    const backupId = await store({ 'base.tar': await tar(...entries), backup_manifest: plain(good) });
    const place = join(folder, 'ORD', (await vault.locationOf(backupId)) ?? '', '..');
    for (const name of await readdir(place)) {
      if (name.startsWith('state.')) await writeFile(join(place, name), Buffer.alloc(64 * mebibyte, '['));
    }
    const other = openVaults(new Map([['ORD', pathToFileURL(join(folder, 'ORD'))]])).of('ORD');
    expect(await faultOf(() => restoreBackup({ vault: other, backupId, directory }))).toBeInstanceOf(Fault);
  });
});
