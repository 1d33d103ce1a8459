import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { allOf } from './services/all-of.js';
import { eventually } from './services/eventually.js';
import { type Region, regions } from './vault-folders.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let replicator: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  strongroom = await Deployment.create();
  [api, , replicator] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

/** Starts every service again, with these regions and this home region. */
async function restart(homeRegion: Region, served: readonly Region[]): Promise<AppProcess[]> {
  await strongroom.stopAll();
  const env = { STRONGROOM_HOME_REGION: homeRegion, STRONGROOM_VAULTS: strongroom.vaults.urlsOf(served) };
  const apps = ['api', 'scheduler', 'replicator'] as const;
  const started = await Promise.all(apps.map((app) => strongroom.start(app, env)));
  [api = api] = started;
  return started;
}

describe('a home region that is moved', () => {
  it('goes on with its schedules, copies and deletions, also of what was made before', async () => {
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server), {
      copy_to: ['IAD'],
    });
    const first = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, first, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    const byHand = await strongroom.backUp(api, await strongroom.register(api, customer.server));
    await strongroom.until(api, byHand, ({ status }) => status === 'COMPLETED');

    await restart('IAD', regions);
    const second = await strongroom.runNow(api, scheduleId);
    const made = await strongroom.until(api, second, ({ status }) => status === 'COMPLETED');
    expect(made.copies).toEqual([]);
    expect(await strongroom.vaults.holding(second)).toEqual(['IAD']);
    await strongroom.client(api).backups.delete(first);
    await eventually(async () => expect(await strongroom.vaults.holding(first)).toEqual([]), { withinMs: 60_000 });

    await strongroom.client(api).backups.copy(byHand, 'IAD');
    await strongroom.until(api, byHand, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    await strongroom.vaults.proveCopy(byHand, 'IAD');
  }, 180_000);
});

describe('a region that is retired', () => {
  it('holds up nothing: what it is owed and what it still has is reported, and settled when it is there again', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    const scheduleId = await strongroom.schedule(api, instanceId);
    const first = await strongroom.runNow(api, scheduleId);
    await strongroom.untilCopied(api, first);

    const [, scheduler, replicator] = await restart('DFW', ['DFW', 'IAD']);
    const second = await strongroom.runNow(api, scheduleId);
    await strongroom.client(api).backups.delete(first);
    const left = await strongroom.until(api, first, ({ status }) => status === 'DELETE_FAILED');
    expect(left.fault).toMatchObject({ code: 'region-retired' });
    expect(await strongroom.vaults.holding(first)).toEqual(['ORD']);
    expect(await strongroom.eventTypesOf(first)).not.toContain('BackupDeleted');
    await scheduler?.untilMetric('strongroom_deletions_stranded{region="ORD"}', 1);

    // The copy is planned by now, and not only shown as owed.
    await strongroom.until(api, second, ({ copies }) =>
      copies.some(({ region, size_bytes }) => region === 'ORD' && size_bytes !== null),
    );
    await strongroom.age('copy_view');
    const stranded = await strongroom.until(api, second, ({ copies }) =>
      copies.some(({ region, status }) => region === 'ORD' && status === 'FAILED'),
    );
    expect(stranded.copies.find(({ region }) => region === 'ORD')).toMatchObject({ fault: { code: 'region-retired' } });
    await replicator?.untilMetric('strongroom_copies_stranded{region="ORD"}', 1);

    await restart('DFW', regions);
    await strongroom.untilCopied(api, second);
    await eventually(async () => expect(await strongroom.vaults.holding(first)).toEqual([]), { withinMs: 60_000 });
    await eventually(async () => expect((await strongroom.eventTypesOf(first)).at(-1)).toBe('BackupDeleted'), {
      withinMs: 30_000,
    });
  }, 240_000);
});

describe('a home region that has lost a backup', () => {
  it('shows it as completed, and whole where it is, until it is put back from a copy as was asked for; it restores from it again', async () => {
    const backupId = await strongroom.backUp(api, await strongroom.register(api, customer.server), {
      copy_to: ['IAD', 'ORD'],
    });
    const made = await strongroom.untilCopied(api, backupId);
    await replicator.kill();
    await rm(join(strongroom.vaults.of('DFW'), 'backups'), { recursive: true });
    expect(await strongroom.vaults.holding(backupId)).toEqual(['IAD', 'ORD']);
    // Nobody has read what is there, so nothing is known of it.
    expect(await strongroom.backup(api, backupId)).toEqual(made);
    await strongroom.client(api).backups.copy(backupId, 'DFW');
    const lost = await strongroom.backup(api, backupId);
    const elsewhere = lost.copies.find(({ region }) => region === 'IAD')?.locationRef;
    expect(lost).toMatchObject({ status: 'COMPLETED', completed: made.completed, checksum: made.checksum });
    expect(lost).toMatchObject({
      whole_in: ['IAD', 'ORD'],
      locationRef: elsewhere,
      verified_at: null,
      verified_by: null,
    });
    expect(lost.copies.map(({ region, state, status }) => [region, state, status])).toEqual([
      ['DFW', 'LOST', 'PENDING'],
      ['IAD', 'WHOLE', 'COMPLETED'],
      ['ORD', 'WHOLE', 'COMPLETED'],
    ]);
    const shown = (filter: { status: 'COMPLETED' | 'FAILED' }) => allOf(strongroom.client(api).backups.list(filter));
    expect(await shown({ status: 'COMPLETED' })).toEqual([lost]);
    expect(await shown({ status: 'FAILED' })).toEqual([]);
    await strongroom.vaults.proveCopy(backupId, 'IAD');

    await strongroom.start('replicator');
    const put = await strongroom.until(api, backupId, ({ copies }) =>
      copies.some(({ region, status }) => region === 'DFW' && status === 'COMPLETED'),
    );
    expect(put.copies.find(({ region }) => region === 'DFW')).toMatchObject({ checksum: put.checksum, state: 'WHOLE' });
    expect(put).toMatchObject({ status: 'COMPLETED', whole_in: ['DFW', 'IAD', 'ORD'], verified_by: 'read' });
    expect(put.locationRef).toMatch(/^strongroom:\/\/DFW\//);
    expect(await shown({ status: 'COMPLETED' })).toEqual([put]);
    await strongroom.vaults.restore(backupId, 'DFW', join(strongroom.vaults.of('DFW'), '..', '..', 'restored'));
    await strongroom.client(api).backups.delete(backupId);
    await eventually(async () => expect(await strongroom.vaults.holding(backupId)).toEqual([]), { withinMs: 60_000 });
  }, 120_000);
});
