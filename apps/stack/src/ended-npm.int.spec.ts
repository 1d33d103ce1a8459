import { afterEach, expect, it } from '@jest/globals';
import { freePort } from '@strongroom/server-processes';
import { eventually } from '../../../test/services/eventually.js';
import { folderForStack, Launcher, long, running } from '../fixtures/launcher.js';

let launcher: Launcher | undefined;
afterEach(() => launcher?.remove());

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'npm start stops everything when npm and its shell are ended by %s',
  async (signal) => {
    launcher = new Launcher(
      { folder: folderForStack(), port: await freePort(), shell: true },
      '--no-demo',
      '--broker',
      'embedded',
    );
    await launcher.says('Up in');
    const { pids } = launcher.described;
    expect(running(pids)).toContain('api');
    await launcher.end(signal);
    await eventually(() => expect(running(pids)).toEqual([]), long);
  },
  120_000,
);
