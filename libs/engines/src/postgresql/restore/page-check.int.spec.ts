import { execFile } from 'node:child_process';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultManifest } from '@strongroom/contracts';
import { BackedUpServer } from '../../../fixtures/backed-up-server.js';
import { restoreHere } from '../../../fixtures/restore-here.js';
import { manifestLine, manifestOfLines, sourceOf } from '../../../fixtures/server-archive.js';
import { controlFileAt } from './control-file.js';
import { PageCheck } from './page-check.js';
import { pageChecksum } from './page-checksum.js';
import { restoreDataDirectory } from './restore.js';

const run = promisify(execFile);
const blockSize = 8_192;
const segmentBlocks = 131_072;
const words = (page: Buffer) => new Uint32Array(Uint8Array.from(page).buffer);

describe('the pages of a restored folder', () => {
  let server: BackedUpServer;
  let restored: string;
  let facts: VaultManifest['engine'];
  /** The file of a table of some blocks, within the folder. */
  let table: string;
  let tries = 0;

  beforeAll(async () => {
    const started = await BackedUpServer.start();
    if (!started) throw new Error('there is no PostgreSQL');
    server = started;
    await server.query('create extension pageinspect');
    await server.query('create table orders as select n as id, md5(n::text) as text from generate_series(1, 5000) n');
    await server.query('checkpoint');
    [{ path: table }] = (await server.query("select pg_relation_filepath('orders') as path")) as [{ path: string }];
    const full = await server.take();
    facts = await server.facts(full);
    restored = join(server.folder, 'restored');
    await expect(
      restoreHere({ vault: server.vault, backupId: full, directory: restored, checksPages: true }),
    ).resolves.toMatchObject({ warnings: [] });
  }, 120_000);
  afterAll(() => server.remove());

  /** A backup of the folder as it is now, as a server sends it that does not check its pages. */
  async function backup(engine: VaultManifest['engine'] = facts) {
    const names = (await readdir(restored, { recursive: true })).sort();
    const lines: string[] = [];
    for (const name of names) {
      const path = join(restored, name);
      if (name === 'backup_manifest' || /^pg_wal\//.test(name) || !(await stat(path)).isFile()) continue;
      lines.push(manifestLine(JSON.stringify(relative(restored, path)), await readFile(path)));
    }
    const { stdout } = await run(
      'tar',
      ['--format=ustar', '--exclude=./backup_manifest', '-cf', '-', '-C', restored, '.'],
      {
        encoding: 'buffer',
        maxBuffer: 1e9,
      },
    );
    return sourceOf({ 'base.tar': stdout }, manifestOfLines(lines), engine);
  }
  async function restoredAgain(engine?: VaultManifest['engine'], acceptsBadPages = false) {
    tries += 1;
    return restoreDataDirectory([await backup(engine)], join(server.folder, `again-${tries}`), {
      checksPages: true,
      acceptsBadPages,
    });
  }
  /** Changes a byte, tries, and changes it back. */
  async function withByte<T>(at: number, use: () => Promise<T>): Promise<T> {
    const file = await open(join(restored, table), 'r+');
    const byte = Buffer.alloc(1);
    try {
      await file.read(byte, 0, 1, at);
      await file.write(Buffer.from([byte.readUInt8(0) ^ 0x40]), 0, 1, at);
      return await use();
    } finally {
      await file.write(byte, 0, 1, at);
      await file.close();
    }
  }

  it('have the checksums that the server itself computes, in every segment', async () => {
    for (const block of [0, 7, segmentBlocks - 1, segmentBlocks, segmentBlocks + 5, 0x7fff_fff0]) {
      const [row] = await server.query(
        `select get_raw_page('orders', 3) as page, page_checksum(get_raw_page('orders', 3), ${block}) as checksum`,
      );
      const page = row?.page;
      if (!Buffer.isBuffer(page)) throw new Error('there is no page');
      expect(pageChecksum(words(page), block)).toBe(Number(row?.checksum) & 0xffff);
    }
  });

  it('are told of by pg_control: how large they are, how many a segment has, and whether they have checksums', async () => {
    expect(await controlFileAt(Buffer.from(join(restored, 'global/pg_control')))).toMatchObject({
      blockSize,
      segmentBlocks,
      hasChecksums: true,
    });
  });

  it('are good as the server sends them', async () => {
    await expect(restoredAgain()).resolves.toMatchObject({ warnings: [] });
  }, 60_000);

  it('that were altered end the restore, with the file and the block; or are told, where they are accepted', async () => {
    await withByte(5 * blockSize + 4_000, async () => {
      await expect(restoredAgain()).rejects.toMatchObject({
        code: 'backup-content-invalid',
        message: expect.stringMatching(
          new RegExp(`block 5 of ${table} is no good: its checksum is \\d+ and should be \\d+`),
        ),
      });
      const { warnings } = await restoredAgain(facts, true);
      expect(warnings).toEqual([expect.stringContaining(`block 5 of ${table}`)]);
    });
  }, 60_000);

  it('of a time after the backup end the restore', async () => {
    await expect(restoredAgain({ ...facts, startLsn: '0/1000000', endLsn: '0/1000100' })).rejects.toThrow(
      /block \d+ of \S+ is no good: it was written at .*, and the backup ends at 0\/1000100/,
    );
  }, 60_000);

  it('are looked at by their place in the relation, which the next segment goes on with', async () => {
    const [row] = await server.query("select get_raw_page('orders', 3) as page");
    const page = Buffer.from(row?.page as Buffer);
    const block = segmentBlocks * 2 + 9;
    page.writeUInt16LE(pageChecksum(words(page), block), 8);
    const check = new PageCheck({ blockSize, segmentBlocks, hasChecksums: true }, {
      engine: { startLsn: 'F/0', endLsn: 'F/10' },
    } as Partial<VaultManifest> as VaultManifest);
    const file = { tablespaceOid: 1663, databaseOid: 5, relation: 16_384, fork: 0 };
    const aligned = Buffer.from(Uint8Array.from(page).buffer);
    expect(check.whyInvalid(aligned, { ...file, segment: 2 }, 9)).toBeUndefined();
    expect(check.whyInvalid(aligned, { ...file, segment: 1 }, 9)).toMatch(/its checksum is/);
    expect(check.whyInvalid(Buffer.alloc(blockSize), { ...file, segment: 0 }, 0)).toBeUndefined();
  });
});
