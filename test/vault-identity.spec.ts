import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let strongroom: Deployment;

beforeEach(async () => {
  strongroom = await Deployment.create({ feed: { kind: 'embedded' } });
});
afterEach(() => strongroom.remove());

const markerOf = (region: 'DFW' | 'IAD') => readFile(join(strongroom.vaults.of(region), 'vault.json'), 'utf8');
const logOf = (app: 'scheduler' | 'replicator') => readFile(strongroom.logFile(app), 'utf8');

describe('a service', () => {
  it.each(['scheduler', 'replicator'] as const)(
    '(%s) does not start when two of its regions lead to one folder, and says what to do',
    async (app) => {
      const one = strongroom.vaults.urls.split(',')[0]?.split('=')[1];
      const starting = strongroom.start(app, { STRONGROOM_VAULTS: `DFW=${one},IAD=${one}` });
      await expect(starting).rejects.toThrow(`${app} ended with 1 before it listened`);
      await eventually(async () => expect(await logOf(app)).toContain('Give each region a folder of its own'), {
        withinMs: 5_000,
      });
    },
    60_000,
  );

  it('starts while a vault is away, and takes no empty folder for it after a restart', async () => {
    const scheduler = await strongroom.start('scheduler');
    const before = await markerOf('IAD');
    await scheduler.stop();
    const iad = strongroom.vaults.of('IAD');
    await rename(iad, `${iad}.mounted`);
    await mkdir(iad);
    await (await strongroom.start('scheduler')).stop();
    expect(await logOf('scheduler')).toContain('is not the one that was there');
    await expect(markerOf('IAD')).rejects.toMatchObject({ code: 'ENOENT' });
    await rm(iad, { recursive: true });
    await rename(`${iad}.mounted`, iad);
    await (await strongroom.start('scheduler')).stop();
    expect(await markerOf('IAD')).toBe(before);
  }, 60_000);
});
