import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Entry, file, folderOf, link, serverManifest, sourceOf } from '../../../fixtures/server-archive.js';
import { restoreDataDirectory } from './restore.js';

describe('a restore of PostgreSQL', () => {
  let parent: string;
  let target: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
    target = join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const restoreBase = (base: Entry[], files: Record<string, string>) =>
    restoreDataDirectory([sourceOf({ 'base.tar': base }, serverManifest(files))], target);
  const expectNothing = async () => {
    expect(await readdir(target).catch(() => [])).toEqual([]);
    expect((await readdir(parent)).filter((name) => name !== 'data' && name !== 'data.tablespaces')).toEqual([]);
    expect(await readdir(`${target}.tablespaces`).catch(() => [])).toEqual([]);
  };

  it('puts every file where it was, tablespaces beside the folder, and the manifest as the server wrote it', async () => {
    const archives = {
      '16413.tar': [folderOf('PG_18/5'), file('PG_18/5/16414', 'fast')],
      'base.tar': [
        file('PG_VERSION', '18\n'),
        folderOf('pg_wal'),
        file('pg_wal/000000010000000000000002', 'wal'),
        folderOf('pg_tblspc'),
        link('pg_tblspc/16413', '/spaces/fast'),
        file('empty', ''),
      ],
    };
    const manifest = serverManifest({ PG_VERSION: '18\n', empty: '', 'pg_tblspc/16413/PG_18/5/16414': 'fast' });
    let written = 0;
    const progress = (bytes: number) => {
      written += bytes;
    };
    const restored = await restoreDataDirectory([sourceOf(archives, manifest)], target, { progress });
    expect(restored).toEqual({
      files: 3,
      bytes: written + manifest.length,
      outside: [join(`${target}.tablespaces`, '16413')],
      changed: [],
      warnings: [],
      advice: [
        expect.stringContaining('It does not start without them'),
        '',
        expect.stringContaining('Start a server of version'),
        expect.stringContaining(`postgres -D ${target}`),
      ],
    });
    expect(await readFile(join(target, 'pg_tblspc/16413/PG_18/5/16414'), 'utf8')).toBe('fast');
    expect(await readFile(join(`${target}.tablespaces`, '16413/PG_18/5/16414'), 'utf8')).toBe('fast');
    expect(await readFile(join(target, 'backup_manifest'), 'utf8')).toBe(manifest);
    expect((await readdir(target)).sort()).toEqual(['PG_VERSION', 'backup_manifest', 'empty', 'pg_tblspc', 'pg_wal']);
  });

  it('keeps a tablespace inside the folder where the server has it there', async () => {
    const archives = {
      '16413.tar': [file('PG_18/5/16414', 'fast')],
      'base.tar': [folderOf('pg_tblspc/16413'), file('PG_VERSION', '18\n')],
    };
    const manifest = serverManifest({ PG_VERSION: '18\n', 'pg_tblspc/16413/PG_18/5/16414': 'fast' });
    await expect(restoreDataDirectory([sourceOf(archives, manifest)], target)).resolves.toMatchObject({ outside: [] });
    expect(await readFile(join(target, 'pg_tblspc/16413/PG_18/5/16414'), 'utf8')).toBe('fast');
  });

  it.each([
    ['has another content', [file('PG_VERSION', '17\n')], 'PG_VERSION is not what'],
    ['has another length', [file('PG_VERSION', '18')], 'PG_VERSION is not what'],
    ['is missing', [], 'PG_VERSION among them'],
    ['is there and not in the manifest', [file('PG_VERSION', '18\n'), file('more', 'x')], 'more is not in'],
    ['is there twice', [file('PG_VERSION', '18\n'), file('PG_VERSION', '18\n')], 'PG_VERSION is there already'],
  ])('is refused and leaves nothing when a file %s', async (_, entries, why) => {
    await expect(restoreBase(entries, { PG_VERSION: '18\n' })).rejects.toThrow(why);
    await expectNothing();
  });

  it.each([
    ['up', [file('../outside', 'x')]],
    ['up from within', [file('base/../../outside', 'x')]],
    ['to the root', [file('/tmp/outside', 'x')]],
    ['by a link', [link('base', '/tmp'), file('base/outside', 'x')]],
    ['by a hard link', [[{ name: 'base', type: 'link', linkname: '/etc/passwd' }] as Entry]],
    ['to a device', [[{ name: 'base', type: 'character-device' }] as Entry]],
    ['through a file', [file('base', 'x'), file('base/outside', 'x')]],
    ['beyond what a name can be', [file('x'.repeat(5_000), 'x')]],
  ])('never writes outside of its folder: an archive that leads %s is refused', async (_, entries) => {
    await expect(restoreBase(entries, {})).rejects.toMatchObject({ code: 'backup-content-invalid' });
    await expectNothing();
  });

  it('does not follow the link of a tablespace to where the server had it', async () => {
    const base = [link('pg_tblspc/16413', parent), file('pg_tblspc/16413/outside', 'x')];
    const archives = { '16413.tar': [], 'base.tar': base };
    const manifest = serverManifest({ 'pg_tblspc/16413/outside': 'x' });
    await restoreDataDirectory([sourceOf(archives, manifest)], target);
    expect((await readdir(parent)).sort()).toEqual(['data', 'data.tablespaces']);
  });

  it('does not touch a folder that is not empty', async () => {
    await mkdir(target);
    await writeFile(join(target, 'precious'), 'x');
    const refused = restoreBase([], {});
    await expect(refused).rejects.toMatchObject({ code: 'restore-target-unusable' });
    await expect(refused).rejects.toThrow('it holds precious. Restore into an empty or a new folder');
    expect(await readFile(join(target, 'precious'), 'utf8')).toBe('x');
  });

  it('does not touch the folder of tablespaces of another restore', async () => {
    await mkdir(join(`${target}.tablespaces`, '1'), { recursive: true });
    const archives = { '16413.tar': [], 'base.tar': [] };
    await expect(restoreDataDirectory([sourceOf(archives, serverManifest({}))], target)).rejects.toMatchObject({
      code: 'restore-target-unusable',
    });
    expect(await readdir(`${target}.tablespaces`)).toEqual(['1']);
  });

  it('keeps the mode of a server whose group may read, and is its owner’s alone otherwise', async () => {
    const modeOf = async (path: string) => (await stat(join(target, path))).mode & 0o777;
    const entries: Entry[] = [
      [{ name: 'base', type: 'directory', mode: 0o750 }],
      [{ name: 'base/1', type: 'file', mode: 0o640 }, 'x'],
      [{ name: 'secret', type: 'file', mode: 0o600 }, 'x'],
      [{ name: 'odd', type: 'file', mode: 0o777 }, 'x'],
    ];
    await restoreBase(entries, { 'base/1': 'x', secret: 'x', odd: 'x' });
    for (const [path, mode] of [
      ['', 0o750],
      ['base', 0o750],
      ['base/1', 0o640],
      ['secret', 0o600],
      ['odd', 0o640],
    ] as const) {
      expect([path, await modeOf(path)]).toEqual([path, mode]);
    }
    await rm(target, { recursive: true });
    const ofOwner: Entry[] = [
      [{ name: 'base', type: 'directory', mode: 0o700 }],
      [{ name: 'base/1', type: 'file', mode: 0o600 }, 'x'],
    ];
    await restoreBase(ofOwner, { 'base/1': 'x' });
    for (const [path, mode] of [
      ['', 0o700],
      ['base', 0o700],
      ['base/1', 0o600],
    ] as const) {
      expect([path, await modeOf(path)]).toEqual([path, mode]);
    }
  });

  it('lets no server start before its last act: pg_control has another name until all else is there', async () => {
    const base = [folderOf('global'), file('global/pg_control', 'control'), file('PG_VERSION', '18\n')];
    const good = sourceOf({ 'base.tar': base }, serverManifest({ 'global/pg_control': 'control', PG_VERSION: '18\n' }));
    const seen: string[][] = [];
    const open = (name: string) => {
      const look = async function* () {
        yield* good.open(name);
        seen.push(await readdir(join(target, 'global')).catch(() => []));
      };
      return Readable.from(look());
    };
    await restoreDataDirectory([{ ...good, open }], target);
    expect(seen.flat()).toContain('pg_control.restoring');
    expect(seen.flat()).not.toContain('pg_control');
    expect(await readdir(join(target, 'global'))).toEqual(['pg_control']);
  });

  it('of an incremental has a folder where its parent had a file, and a file where that had a folder', async () => {
    const at = { startLsn: '0/2000028', timeline: 1 };
    const before = { 'own.conf': 'a = 1\n', 'rules/one': 'b', PG_VERSION: '18\n' };
    const after = { 'own.conf/one': 'a = 2\n', rules: 'c', PG_VERSION: '18\n' };
    const entriesOf = (files: Record<string, string>) => Object.entries(files).map(([name, text]) => file(name, text));
    const full = sourceOf({ 'base.tar': entriesOf(before) }, serverManifest(before), at);
    const facts = {
      parentStartLsn: at.startLsn,
      parentTimeline: 1,
      startLsn: '0/4000028',
      timeline: 1,
      blockSize: 8_192,
    };
    const made = sourceOf({ 'base.tar': [folderOf('own.conf'), ...entriesOf(after)] }, serverManifest(after), facts);
    const incremental = { ...made, manifest: { ...made.manifest, backupId: 'c', parentId: 'b' } };
    await restoreDataDirectory([full, incremental], target);
    expect(await readFile(join(target, 'own.conf/one'), 'utf8')).toBe('a = 2\n');
    expect(await readFile(join(target, 'rules'), 'utf8')).toBe('c');
  });

  it('says when it can not write there', async () => {
    await writeFile(target, 'a file');
    await expect(restoreBase([], {})).rejects.toMatchObject({ code: 'restore-target-unusable' });
  });

  it.each([
    ['is no JSON', '{'],
    ['was changed', serverManifest({ PG_VERSION: '18\n' }).replace('"Size": 3', '"Size": 4')],
    ['has checksums of another kind', serverManifest({ PG_VERSION: '18\n' }).replaceAll('SHA256', 'CRC32C')],
  ])("refuses a server's manifest that %s", async (_, manifest) => {
    const base = [file('PG_VERSION', '18\n')];
    await expect(restoreDataDirectory([sourceOf({ 'base.tar': base }, manifest)], target)).rejects.toMatchObject({
      code: 'backup-content-invalid',
    });
    await expectNothing();
  });

  it('refuses a backup without the data folder, or with an object that it does not know', async () => {
    const restore = (archives: Record<string, Entry[]>) =>
      restoreDataDirectory([sourceOf(archives, serverManifest({}))], target);
    await expect(restore({})).rejects.toThrow('it has no base.tar');
    await expect(restore({ 'base.tar': [], 'redo.log': [] })).rejects.toThrow('redo.log.zst, which is no archive');
    await expectNothing();
  });
});
