import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readHead, writeShared } from './guests-files.js';
import { type BuildFolder, ServerFolder } from './server-folder.js';

const id = '01a2130a-5d3e-76ca-b206-909df757774c';
let home: string;
let folder: ServerFolder;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'strongroom-built-'));
  folder = new ServerFolder(home, id);
});
afterEach(async () => {
  await folder.remove();
  await rm(home, { recursive: true });
});

async function begin(attempt: number): Promise<BuildFolder> {
  const begun = await folder.begin(attempt);
  if (!begun) throw new Error(`a later attempt than ${attempt} has begun`);
  return begun;
}
async function fill({ directory: data }: BuildFolder, ...spaces: string[]): Promise<void> {
  await mkdir(join(data, 'pg_tblspc'), { recursive: true });
  await writeFile(join(data, 'PG_VERSION'), '18\n');
  for (const space of spaces) {
    await mkdir(join(`${data}.tablespaces`, space), { recursive: true });
    await symlink(join(`${data}.tablespaces`, space), join(data, 'pg_tblspc', space));
  }
}

describe('the folder of a built server', () => {
  it('is there when an attempt has finished, its tablespaces with it, and not before', async () => {
    const attempt = await begin(1);
    await fill(attempt, '16385');
    expect(await folder.restored()).toBeUndefined();
    await attempt.finish('IAD');
    await attempt.discard();
    const restored = await folder.restored();
    expect(restored).toMatchObject({ region: 'IAD' });
    const directory = restored?.directory ?? '';
    expect(await readlink(join(directory, 'pg_tblspc', '16385'))).toBe(`${directory}.tablespaces/16385`);
    expect(await readdir(`${directory}.tablespaces`)).toEqual(['16385']);
    await folder.remove();
    expect(await readdir(home)).toEqual([]);
  });

  it('is never that of an attempt after which another has begun, though it goes on writing', async () => {
    const late = await begin(1);
    await fill(late);
    const current = await begin(2);
    await fill(late);
    await fill(current);
    expect(late.isCurrent).toBe(false);
    await expect(late.finish('DFW')).rejects.toThrow('later attempt');
    await late.discard();
    expect(await folder.begin(1)).toBeUndefined();
    await current.finish('ORD');
    expect(await folder.restored()).toMatchObject({ region: 'ORD' });
    const another = await begin(3);
    await fill(another);
    await expect(another.finish('IAD')).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    expect(await folder.restored()).toMatchObject({ region: 'ORD' });
  });
});

describe('the user of a built server', () => {
  const user = { name: 'this one', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

  it('is given back when its attempt is given up, and kept when it has finished; what a later attempt has is left alone', async () => {
    const given: number[] = [];
    const kept: number[] = [];
    const owned = async (attempt: number) => {
      const keep = () => void kept.push(attempt);
      const begun = await folder.begin(attempt, { user, keep, giveBack: () => given.push(attempt) });
      if (!begun) throw new Error(`a later attempt than ${attempt} has begun`);
      return begun;
    };
    await (await owned(1)).discard();
    expect(given).toEqual([1]);
    const late = await owned(2);
    const built = await owned(3);
    await late.discard();
    await fill(built);
    await built.finish('DFW');
    await built.discard();
    expect([given, kept]).toEqual([[1], [3]]);
    expect(await folder.restored()).toMatchObject({ attempt: 3 });
  });
});

describe('what a hostile server leaves in the folder', () => {
  async function finished(): Promise<string> {
    const attempt = await begin(1);
    await fill(attempt);
    await attempt.finish('DFW');
    return folder.place();
  }

  it('leads no file of ours elsewhere', async () => {
    const theirs = join(home, 'theirs');
    await writeFile(theirs, 'kept', { mode: 0o600 });
    const configuration = join(await finished(), 'postgresql.conf');
    await symlink(theirs, configuration);
    await symlink(theirs, `${configuration}.new`);
    await writeShared(configuration, 'ours');
    expect([await readFile(configuration, 'utf8'), await readFile(theirs, 'utf8')]).toEqual(['ours', 'kept']);
    expect((await stat(theirs)).mode & 0o777).toBe(0o600);
  });

  it('does not make us read a file of ours, or wait for one', async () => {
    const region = join(await finished(), 'region');
    await writeFile(join(home, 'secret'), 'IAD');
    await rm(region);
    await symlink(join(home, 'secret'), region);
    await expect(folder.restored()).rejects.toThrow();
    await rm(region);
    await promisify(execFile)('mkfifo', [region]);
    await expect(folder.restored()).rejects.toThrow();
    expect(await readHead(region, 10)).toBeUndefined();
    await rm(region);
    await writeFile(region, 'postgres://ledger:its-password@127.0.0.1/ledger');
    await expect(folder.restored()).rejects.toThrow();
  });

  it('is no data of a server when it is a link to other data', async () => {
    const place = await finished();
    await rename(join(place, 'data'), join(place, 'moved'));
    await symlink(join(place, 'moved'), join(place, 'data'));
    expect(await folder.restored()).toBeUndefined();
  });

  it('is removed also where no path is long enough for it', async () => {
    const place = await finished();
    const deeper = `i=0; while [ $i -lt 100 ]; do mkdir ${'d'.repeat(100)} && cd -P ${'d'.repeat(100)}; i=$((i+1)); done`;
    await promisify(execFile)('sh', ['-c', deeper], { cwd: join(place, 'data') });
    await folder.remove();
    expect(await readdir(home)).toEqual([]);
  });
});
