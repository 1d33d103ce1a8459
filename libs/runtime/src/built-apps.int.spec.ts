/**
 * The built apps, each loaded as a process. Node finds other names in a CommonJS module than the tests do, so that a built app may
 * fail to load where all tests pass.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { exitConfigInvalid } from './bootstrap.js';

const run = promisify(execFile);
const mainOf = (app: string) => join(__dirname, '..', '..', '..', 'dist', 'apps', app, 'src', 'main.js');
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
  const first = join(__dirname, '..', '..', '..', 'dist', 'libs', 'runtime', 'src', 'free-this-process.js');
  const ask = `import module from 'node:module'; await import(${JSON.stringify(first)});
    const tell = module.getSourceMapsSupport; console.log(tell ? tell().enabled && !tell().nodeModules : true);`;
  const { stdout } = await run(process.execPath, ['--enable-source-maps', '--input-type=module', '-e', ask]);
  expect(stdout).toBe('true\n');
});
