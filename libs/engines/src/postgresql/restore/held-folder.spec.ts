import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../../test/services/eventually.js';
import { type Entry, file, serverManifest, sourceOf } from '../../../fixtures/server-archive.js';
import { restoreDataDirectory } from './restore.js';

describe('of two restores into one folder', () => {
  let parent: string;
  let target: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
    target = join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const restoreBase = (base: Entry[], files: Record<string, string>) =>
    restoreDataDirectory([sourceOf({ 'base.tar': base }, serverManifest(files))], target);

  /** A backup whose archive waits at a gate. */
  function gated() {
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const held = sourceOf({ 'base.tar': [file('PG_VERSION', '18\n')] }, serverManifest({ PG_VERSION: '18\n' }));
    const wait = async function* (name: string) {
      await gate;
      yield* held.open(name);
    };
    return { open, source: { ...held, open: (name: string) => Readable.from(wait(name)) } };
  }

  it('only one gets into the folder; the other is refused, says by whom it is held, and touches nothing', async () => {
    const first = gated();
    const restoring = restoreDataDirectory([first.source], target);
    await eventually(async () => expect(await readdir(target)).toContain('strongroom.restoring'), {
      withinMs: 5_000,
    });
    const refused = restoreBase([file('PG_VERSION', '18\n')], { PG_VERSION: '18\n' });
    await expect(refused).rejects.toMatchObject({ code: 'restore-target-unusable' });
    await expect(refused).rejects.toThrow(`Process ${process.pid} restores backup b since`);
    first.open();
    await expect(restoring).resolves.toMatchObject({ files: 1 });
    expect((await readdir(target)).sort()).toEqual(['PG_VERSION', 'backup_manifest']);
  });

  it('exactly one wins, however close they are', async () => {
    const many = await Promise.allSettled(
      Array.from({ length: 8 }, () => restoreBase([file('PG_VERSION', '18\n')], { PG_VERSION: '18\n' })),
    );
    expect(many.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await readdir(target)).sort()).toEqual(['PG_VERSION', 'backup_manifest']);
  });

  it('what one that was killed has left is told, with what to do', async () => {
    const dead = { backupId: 'b', begunAt: '2026-11-14T14:30:00Z', host: hostname(), pid: 1, processBegun: 'before' };
    await mkdir(target);
    await writeFile(join(target, 'strongroom.restoring'), JSON.stringify(dead));
    await writeFile(join(target, 'PG_VERSION'), '18\n');
    const refused = restoreBase([], {});
    await expect(refused).rejects.toThrow(
      `${target} holds what is left of a restore of backup b since 2026-11-14T14:30:00Z that was cut off`,
    );
    await expect(refused).rejects.toThrow(`find ${target} -mindepth 1 -delete`);
    expect((await readdir(target)).sort()).toEqual(['PG_VERSION', 'strongroom.restoring']);
  });

  it('what one that was killed just before its last act has left is told, too', async () => {
    await mkdir(join(target, 'global'), { recursive: true });
    await writeFile(join(target, 'global', 'pg_control.restoring'), '');
    await expect(restoreBase([], {})).rejects.toThrow(
      `no server starts on it. Empty the folder, and restore again: find`,
    );
  });

  it('what is left of one on another host, or says nothing, is not taken for dead', async () => {
    await mkdir(target);
    for (const [said, why] of [
      [
        JSON.stringify({ backupId: 'b', begunAt: 'x', host: 'elsewhere', pid: 7, processBegun: null }),
        'host elsewhere',
      ],
      ['', 'Another restore is going on'],
    ] as const) {
      await writeFile(join(target, 'strongroom.restoring'), said);
      await expect(restoreBase([], {})).rejects.toThrow(why);
    }
  });

  it('removes only what it has made when it fails', async () => {
    const broken = sourceOf({ 'base.tar': [file('base/1', 'x')] }, serverManifest({ 'base/1': 'y' }));
    const open = (name: string) => {
      const put = async function* () {
        if (name === 'base.tar') await writeFile(join(target, 'of-another'), 'x');
        yield* broken.open(name);
      };
      return Readable.from(put());
    };
    await expect(restoreDataDirectory([{ ...broken, open }], target)).rejects.toMatchObject({
      code: 'backup-content-invalid',
    });
    expect(await readdir(target)).toEqual(['of-another']);
  });

  it('does not end well when there is more in the folder than in the backup', async () => {
    const good = sourceOf({ 'base.tar': [file('base/1', 'x')] }, serverManifest({ 'base/1': 'x' }));
    const open = (name: string) => {
      const put = async function* () {
        yield* good.open(name);
        // The source is read ahead of what is written: before the first file is there, its folder is not either.
        if (name === 'base.tar')
          await eventually(() => writeFile(join(target, 'base', '2'), 'x'), { withinMs: 10_000 });
      };
      return Readable.from(put());
    };
    await expect(restoreDataDirectory([{ ...good, open }], target)).rejects.toThrow(
      'base/2 is in the folder and not in the backup',
    );
    expect(await readdir(target)).toEqual([]);
  });
});
