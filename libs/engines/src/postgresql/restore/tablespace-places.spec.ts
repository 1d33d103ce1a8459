import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { file, link, serverManifest, sourceOf } from '../../../fixtures/server-archive.js';
import { restoreDataDirectory } from './restore.js';

describe('a restore with tablespaces that are to lie elsewhere', () => {
  let parent: string;
  let target: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
    target = join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const archives = {
    '16413.tar': [file('PG_18/5/1', 'fast')],
    '16414.tar': [file('PG_18/5/2', 'slow')],
    'base.tar': [link('pg_tblspc/16413', '/spaces/fast'), link('pg_tblspc/16414', '/spaces/slow')],
  };
  const manifest = serverManifest({ 'pg_tblspc/16413/PG_18/5/1': 'fast', 'pg_tblspc/16414/PG_18/5/2': 'slow' });
  const spaces = [
    { oid: '16413', location: '/spaces/fast' },
    { oid: '16414', location: '/spaces/slow' },
  ];
  const place = (name: string) => join(parent, 'places', name);
  function restoreTo(tablespaces: [string, string][]) {
    const made = sourceOf(archives, manifest);
    const engine = { tablespaces: spaces };
    return restoreDataDirectory([{ ...made, manifest: { ...made.manifest, engine } }], target, {
      places: new Map(tablespaces),
    });
  }

  it('puts each where it is wanted, by its oid or by where the server had it, and the others beside the folder', async () => {
    const { outside } = await restoreTo([['/spaces/fast/', place('fast')]]);
    expect(outside).toEqual([place('fast'), join(`${target}.tablespaces`, '16414')]);
    expect(await readFile(join(place('fast'), 'PG_18/5/1'), 'utf8')).toBe('fast');
    expect(await readFile(join(target, 'pg_tblspc/16414/PG_18/5/2'), 'utf8')).toBe('slow');
    expect(await readdir(place('fast'))).toEqual(['PG_18']);
  });

  it('needs no place beside the folder when each has one', async () => {
    await restoreTo([
      ['16413', place('fast')],
      ['16414', place('slow')],
    ]);
    expect((await readdir(parent)).sort()).toEqual(['data', 'places']);
  });

  it.each([
    ['one that the backup does not have', [['/spaces/none', 'x']], 'it has 16413 (/spaces/fast), 16414 (/spaces/slow)'],
    [
      'one twice',
      [
        ['16413', 'x'],
        ['/spaces/fast', 'y'],
      ],
      'was given two places',
    ],
    [
      'two in one folder',
      [
        ['16413', 'x'],
        ['16414', 'x'],
      ],
      'was given twice',
    ],
    [
      'one in another',
      [
        ['16413', 'x'],
        ['16414', 'x/y'],
      ],
      'lies in',
    ],
    ['one in the data folder', [['16413', '../data/x']], 'lies in'],
    ['one where something is', [['16413', '../occupied']], 'is not empty'],
  ] as [string, [string, string][], string][])('refuses %s before anything is written', async (_, given, why) => {
    await mkdir(join(parent, 'occupied'));
    await writeFile(join(parent, 'occupied', 'precious'), 'x');
    const refused = restoreTo(given.map(([old, name]) => [old, place(name)]));
    await expect(refused).rejects.toMatchObject({ code: 'restore-target-unusable' });
    await expect(refused).rejects.toThrow(why);
    expect(await readdir(target).catch(() => [])).toEqual([]);
    expect(await readdir(join(parent, 'occupied'))).toEqual(['precious']);
  });

  it('leaves nothing there when it fails', async () => {
    const made = sourceOf({ ...archives, '16414.tar': [file('PG_18/5/2', 'other')] }, manifest);
    const restoring = restoreDataDirectory(
      [{ ...made, manifest: { ...made.manifest, engine: { tablespaces: spaces } } }],
      target,
      { places: new Map([['16413', place('fast')]]) },
    );
    await expect(restoring).rejects.toMatchObject({ code: 'backup-content-invalid' });
    expect(await readdir(place('fast'))).toEqual([]);
    expect(await readdir(`${target}.tablespaces`)).toEqual([]);
    expect(await readdir(target)).toEqual([]);
  });
});
