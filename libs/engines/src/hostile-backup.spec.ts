/**
 * What a stranger's backup, or a vault that somebody has written into, may hold, and what comes of it when it is restored: a fault
 * that says so, in little memory and in time, and an empty folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
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
import {
  entries,
  fullCases,
  good,
  incrementalCases,
  type Objects,
  once,
  plain,
  tar,
} from '../fixtures/hostile-backups.js';
import { vaultCases } from '../fixtures/hostile-vaults.js';
import { restoreHere } from '../fixtures/restore-here.js';
import { TriedAttacks, tried } from '../fixtures/tried-attacks.js';

const mebibyte = 1_048_576;
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
    expect((error as Fault).message.length).toBeLessThan(2_000);
    // Its tenant learns nothing of where we keep things.
    expect((error as Fault).told).not.toContain(folder);
    return error;
  }

  const restoring = (backupId: string) => faultOf(() => restoreHere({ vault, backupId, directory }));
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

  it.each(vaultCases)('whose vault has %s is refused, and not copied', async (_, change, code) => {
    const backupId = await store({ 'base.tar': await tar(...entries), backup_manifest: plain(good) });
    await change(join(folder, 'ORD', (await vault.locationOf(backupId)) ?? ''));
    expect(await restoring(backupId)).toMatchObject({ code });
    expect(await left()).toEqual([]);
    expect(await faultOf(() => vault.verify(backupId))).toMatchObject({ code });
  });

  it('built on others whose manifests together are longer than any is refused', async () => {
    let parentId: string | null = null;
    for (let count = 0; count < 3; count += 1) {
      const engine = { ...facts, more: 'x'.repeat(12 * mebibyte) };
      const type = parentId === null ? 'full' : 'incremental';
      parentId = await store({ 'base.tar': plain('x'), backup_manifest: plain(good) }, { engine, parentId, type });
    }
    expect(await restoring(String(parentId))).toMatchObject({ code: 'backup-content-invalid' });
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
    await truncate(path, (await stat(path)).size + 1_024 * mebibyte);
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
    expect(await faultOf(() => restoreHere({ vault: other, backupId, directory }))).toBeInstanceOf(Fault);
  });
});
