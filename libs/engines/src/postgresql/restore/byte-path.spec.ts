import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  file,
  manifestLine,
  manifestOfLines,
  rename,
  serverManifest,
  sourceOf,
  tarOf,
} from '../../../fixtures/server-archive.js';
import { restoreDataDirectory } from './restore.js';

describe('a restore of files with names of any bytes', () => {
  let parent: string;
  let target: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'strongroom-restore-'));
    target = join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  it('brings back names that are not UTF-8 as they were, though two of them look alike', async () => {
    const [first, second] = [Buffer.from('a\xe8', 'latin1'), Buffer.from('a\xe9', 'latin1')];
    const base = tarOf([file('PG_VERSION', '18\n'), file('aX', 'one'), file('aY', 'two')]);
    const bytes = await buffer(base);
    for (const [from, to] of [
      ['aX', first],
      ['aY', second],
    ] as const) {
      rename(bytes, from, to);
    }
    const manifest = manifestOfLines([
      manifestLine('"PG_VERSION"', Buffer.from('18\n')),
      manifestLine(`"${first.toString('hex')}"`, Buffer.from('one'), 'Encoded-Path'),
      manifestLine(`"${second.toString('hex')}"`, Buffer.from('two'), 'Encoded-Path'),
    ]);
    await expect(restoreDataDirectory([sourceOf({ 'base.tar': bytes }, manifest)], target)).resolves.toMatchObject({
      files: 3,
    });
    const found = await readdir(Buffer.from(target), { encoding: 'buffer' });
    expect(found.filter((name) => name[0] === 'a'.charCodeAt(0)).sort(Buffer.compare)).toEqual([first, second]);
    expect(await readFile(Buffer.concat([Buffer.from(`${target}/`), second]), 'utf8')).toBe('two');
  });

  it('brings back names in other alphabets, and names with what JSON escapes', async () => {
    const names = ['größe', '文件', 'a"b', 'a\\b', 'tab\there'];
    const files = Object.fromEntries(names.map((name) => [name, name]));
    const base = await buffer(tarOf(names.map((_, at) => file(`n${at}`, names[at]))));
    for (const [at, name] of names.entries()) rename(base, `n${at}`, Buffer.from(name));
    await expect(
      restoreDataDirectory([sourceOf({ 'base.tar': base }, serverManifest(files))], target),
    ).resolves.toMatchObject({ files: names.length });
    for (const name of names) expect(await readFile(join(target, name), 'utf8')).toBe(name);
  });
});
