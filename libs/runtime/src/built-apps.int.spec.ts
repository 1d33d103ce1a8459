/**
 * The built apps, each loaded as a process. Node finds other names in a CommonJS module than the tests do, so that a built app may
 * fail to load where all tests pass.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { exitConfigInvalid } from './bootstrap.js';

const run = promisify(execFile);
const root = join(__dirname, '..', '..', '..');
const mainOf = (app: string) => join(root, 'dist', 'apps', app, 'src', 'main.js');
const services = ['api', 'scheduler', 'replicator'];

it.each(services)(
  'the built %s is loaded by this Node, and says what it needs',
  async (app) => {
    await expect(run(process.execPath, [mainOf(app)], { env: { PATH: process.env.PATH } })).rejects.toMatchObject({
      code: exitConfigInvalid,
      stdout: expect.stringContaining('STRONGROOM_DATABASE_URL'),
    });
  },
  60_000,
);

describe('variables that count while libraries are loaded', () => {
  const bending = { NODE_PG_FORCE_NATIVE: '1', KAFKAJS_LOG_LEVEL: 'nothing', NODE_ENV: 'test' };
  const env = { PATH: process.env.PATH, ...bending };

  it.each(services)(
    'have no effect on the built %s, which names them',
    async (app) => {
      await expect(run(process.execPath, [mainOf(app)], { env })).rejects.toMatchObject({
        code: exitConfigInvalid,
        stdout: expect.stringContaining('KAFKAJS_LOG_LEVEL, NODE_ENV, NODE_PG_FORCE_NATIVE: '),
      });
    },
    60_000,
  );

  it.each([
    ['command line', 'cli', 'strongroom restore'],
    ['local stack', 'stack', 'npm start'],
  ])('have no effect on the built %s', async (_what, app, says) => {
    const { stdout } = await run(process.execPath, [mainOf(app), '--help'], { env });
    expect(stdout).toContain(says);
  });
});

it('a service keeps no source maps of libraries, where Node can tell them apart', async () => {
  const first = join(root, 'dist', 'libs', 'runtime', 'src', 'free-this-process.js');
  const ask = `import module from 'node:module'; await import(${JSON.stringify(first)});
    const tell = module.getSourceMapsSupport; console.log(tell ? tell().enabled && !tell().nodeModules : true);`;
  const { stdout } = await run(process.execPath, ['--enable-source-maps', '--input-type=module', '-e', ask]);
  expect(stdout).toBe('true\n');
});

describe('a built program', () => {
  let elsewhere: string;
  beforeEach(async () => {
    elsewhere = await mkdtemp(join(tmpdir(), 'strongroom-alone-'));
  });
  afterEach(() => rm(elsewhere, { recursive: true, force: true }));

  it.each([...services, 'cli', 'stack'])(
    '%s is one file, which loads no package but one of native code',
    async (app) => {
      const main = join(elsewhere, relative(root, mainOf(app)));
      await mkdir(dirname(main), { recursive: true });
      await cp(mainOf(app), main);
      await cp(join(root, 'package.json'), join(elsewhere, 'package.json'));
      await cp(join(root, 'apps', 'stack', 'help.txt'), join(elsewhere, 'apps', 'stack', 'help.txt'));
      await mkdir(join(elsewhere, 'node_modules'));
      await symlink(join(root, 'node_modules', '@mongodb-js'), join(elsewhere, 'node_modules', '@mongodb-js'));
      const says = run(process.execPath, [main, '--help'], { env: { PATH: process.env.PATH } });
      if (services.includes(app)) await expect(says).rejects.toMatchObject({ code: exitConfigInvalid });
      else expect((await says).stdout).toContain('--help');
    },
    60_000,
  );

  it.each([...services, 'cli', 'stack'])('%s has a map with the lines of our sources alone', async (app) => {
    const { sources } = z
      .object({ sources: z.array(z.string()) })
      .parse(JSON.parse(await readFile(`${mainOf(app)}.map`, 'utf8')));
    const paths = sources.map((source) => relative(root, resolve(dirname(mainOf(app)), source)));
    expect(paths).toContain(`apps/${app}/src/main.ts`);
    expect(paths.filter((path) => !/^(apps|libs)\/[\w-]+\/src\/.*\.ts$/.test(path))).toEqual([]);
  });
});
