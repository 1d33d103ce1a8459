import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { hangingFiles } from './vault-folders.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let scheduler: AppProcess;
let replicator: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  strongroom = await Deployment.create();
  [api, scheduler, replicator] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

describe('a vault that fails', () => {
  it('delays only its own region, and has its copy as soon as it is back', async () => {
    await strongroom.vaults.takeAway('IAD');
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    const waiting = await strongroom.until(api, backupId, ({ copies }) => {
      const of = (region: string) => copies.find((copy) => copy.region === region);
      return of('ORD')?.status === 'COMPLETED' && of('IAD')?.fault !== null && of('IAD')?.status === 'PENDING';
    });
    expect(waiting.copies.find(({ region }) => region === 'IAD')?.fault).toMatchObject({
      code: 'vault-unavailable',
    });
    await strongroom.vaults.bringBack('IAD');
    await strongroom.untilCopied(api, backupId);
    await strongroom.vaults.proveCopy(backupId, 'IAD');
  }, 90_000);

  it('is waited for however long it is away, and a copy that was given up then can be asked for again', async () => {
    await replicator.kill();
    replicator = await strongroom.start('replicator', {
      STRONGROOM_MAX_COPY_ATTEMPTS: '1',
      STRONGROOM_COPY_RETRY_SECONDS: '0',
    });
    await strongroom.vaults.takeAway('IAD');
    const backupId = await strongroom.backUp(api, await strongroom.register(api, customer.server), {
      copy_to: ['IAD'],
    });
    await eventually(async () => expect(await strongroom.leasesOf(backupId, 'IAD')).toBeGreaterThan(4), {
      withinMs: 60_000,
    });
    expect(await strongroom.attemptsAt(backupId, 'IAD')).toEqual(['vault-unavailable']);
    expect((await strongroom.backup(api, backupId)).copies).toMatchObject([{ fault: { code: 'vault-unavailable' } }]);

    await strongroom.vaults.damage(backupId, 'DFW', 'altered');
    await strongroom.vaults.bringBack('IAD');
    await strongroom.until(api, backupId, ({ copies }) => copies.every(({ status }) => status === 'FAILED'));
    // The newest attempt would leave this if it were killed.
    const newest = (await strongroom.backup(api, backupId)).copies[0]?.attempt;
    const ofBackup = join('backups', backupId.slice(-2), backupId, `${newest}.1`);
    for (const left of [ofBackup, join('partial', `${backupId}.${newest}`)]) {
      await mkdir(join(strongroom.vaults.of('IAD'), left), { recursive: true });
    }
    // A byte that is altered twice is as it was.
    await strongroom.vaults.damage(backupId, 'DFW', 'altered');
    await strongroom.client(api).backups.copy(backupId, 'IAD');
    await strongroom.until(api, backupId, ({ copies }) => copies.every(({ status }) => status === 'COMPLETED'));
    await strongroom.vaults.proveCopy(backupId, 'IAD');
    expect(await strongroom.vaults.leftovers('IAD')).toEqual([]);
  }, 120_000);

  it('or hangs stalls no other region, and has its copies when it answers again', async () => {
    await replicator.kill();
    const instances = await Promise.all([1, 2, 3, 4].map(() => strongroom.register(api, customer.server)));
    const backups = await Promise.all(
      instances.map((instance) => strongroom.backUp(api, instance, { copy_to: ['IAD', 'ORD'] })),
    );
    const pipes = await Promise.all(backups.map((backupId) => strongroom.vaults.hang(backupId, 'IAD')));
    for (const backupId of backups) {
      await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED');
    }
    // Node has four threads for files by default: as many copies hang as there are threads.
    replicator = await strongroom.start('replicator', {
      STRONGROOM_COPY_CONCURRENCY: '4',
      STRONGROOM_COPY_STALL_SECONDS: '2',
      ...hangingFiles,
    });
    for (const backupId of backups) {
      await strongroom.until(api, backupId, ({ copies }) => {
        const of = (region: string) => copies.find((copy) => copy.region === region);
        return of('ORD')?.status === 'COMPLETED' && of('IAD')?.status === 'PENDING' && of('IAD')?.fault !== null;
      });
      expect(await strongroom.attemptsAt(backupId, 'IAD')).toContain('vault-unavailable');
    }
    for (const pipe of pipes) await pipe.release();
    for (const backupId of backups) await strongroom.untilCopied(api, backupId);
  }, 150_000);

  it('of the home region fails the backup with its reason within seconds where nothing is made up for, and the next slot still runs', async () => {
    await scheduler.kill();
    const impatient = await strongroom.start('scheduler', { STRONGROOM_CATCH_UP_MINUTES: '0' });
    await strongroom.vaults.takeAway('DFW');
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const failed = await strongroom.until(
      api,
      await strongroom.runNow(api, scheduleId),
      ({ status }) => status === 'FAILED',
      15_000,
    );
    expect(failed.fault).toMatchObject({ code: 'vault-unavailable' });
    await strongroom.vaults.bringBack('DFW');
    await impatient.kill();
    await strongroom.start('scheduler');
    const slotAt = new Date(Math.ceil((Date.now() + 5_000) / 60_000) * 60_000);
    const timing = { hour: slotAt.getUTCHours(), minute: slotAt.getUTCMinutes() };
    await strongroom.client(api).schedules.update(scheduleId, timing);
    const run = await eventually(
      async () => {
        const made = (await strongroom.backups(api)).find(({ id }) => id !== failed.id);
        if (!made) throw new Error('the slot has not come yet');
        return made.id;
      },
      { withinMs: 90_000 },
    );
    await strongroom.untilCopied(api, run);
  }, 180_000);
});

describe('a backup whose bytes were changed in the vault', () => {
  it('is not copied when an object was altered, truncated or removed: the copy fails and says so', async () => {
    // The copies wait until the damage is done.
    await strongroom.vaults.takeAway('IAD', 'ORD');
    const backups: { how: 'altered' | 'truncated' | 'removed'; backupId: string }[] = [];
    for (const how of ['altered', 'truncated', 'removed'] as const) {
      const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
      const backupId = await strongroom.runNow(api, scheduleId);
      await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED');
      await strongroom.vaults.damage(backupId, 'DFW', how);
      backups.push({ how, backupId });
    }
    await strongroom.vaults.bringBack('IAD', 'ORD');

    for (const { how, backupId } of backups) {
      const { copies } = await strongroom.until(
        api,
        backupId,
        (backup) => backup.copies.length === 2 && backup.copies.every(({ status }) => status === 'FAILED'),
      );
      for (const copy of copies) {
        const code = how === 'removed' ? 'object-missing' : 'object-altered';
        expect([how, copy.fault]).toMatchObject([how, { code }]);
      }
    }
    for (const region of ['IAD', 'ORD'] as const) {
      expect(await strongroom.vaults.leftovers(region)).toEqual([]);
      for (const { backupId } of backups) expect(await strongroom.vaults.holds(backupId, region)).toBe(false);
    }
  }, 120_000);
});
