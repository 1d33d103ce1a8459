/** Node finds other names in a CommonJS module than the tests do, so that a built app may fail to load where all tests pass. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { exitConfigInvalid } from './bootstrap.js';

const run = promisify(execFile);

it.each(['api', 'scheduler', 'replicator'])(
  'the built %s is loaded by this Node, and says what it needs',
  async (app) => {
    const main = join(__dirname, '..', '..', '..', 'dist', 'apps', app, 'src', 'main.js');
    await expect(run(process.execPath, [main], { env: { PATH: process.env.PATH } })).rejects.toMatchObject({
      code: exitConfigInvalid,
      stdout: expect.stringContaining('STRONGROOM_DATABASE_URL'),
    });
  },
  60_000,
);
