import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { getBackupsId } from '@strongroom/contracts';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { allOf } from './services/all-of.js';
import { eventually } from './services/eventually.js';

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

const remove = (backupId: string) => strongroom.client(api).backups.delete(backupId);
const statusOf = async (backupId: string) => (await strongroom.client(api).send(getBackupsId, { id: backupId })).status;
const goneEverywhere = (backupId: string) =>
  eventually(async () => expect(await strongroom.vaults.holding(backupId)).toEqual([]), { withinMs: 30_000 });

async function copied(fields: Record<string, unknown> = {}): Promise<{ scheduleId: string; backupId: string }> {
  const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server), fields);
  const backupId = await strongroom.runNow(api, scheduleId);
  await strongroom.untilCopied(api, backupId);
  return { scheduleId, backupId };
}

describe('a backup that is deleted', () => {
  it('is really gone from the home vault and from every region', async () => {
    const { backupId } = await copied();
    expect(await strongroom.vaults.holding(backupId)).toEqual(['DFW', 'IAD', 'ORD']);
    await remove(backupId);
    expect(await statusOf(backupId)).toBe(404);
    await goneEverywhere(backupId);
    await eventually(async () => expect(await strongroom.eventTypesOf(backupId)).toContain('BackupDeleted'), {
      withinMs: 30_000,
    });
  }, 90_000);

  it('though the scheduler is killed while it goes', async () => {
    const { backupId } = await copied();
    await scheduler.kill();
    await remove(backupId);
    const second = await strongroom.start('scheduler');
    await eventually(async () => expect((await strongroom.vaults.holding(backupId)).length).toBeLessThan(3), {
      withinMs: 30_000,
    });
    await second.kill();
    await strongroom.start('scheduler');
    await goneEverywhere(backupId);
    await eventually(async () => expect(await strongroom.eventTypesOf(backupId)).toContain('BackupDeleted'), {
      withinMs: 30_000,
    });
  }, 90_000);

  it('while it is being copied leaves no copy behind', async () => {
    await strongroom.vaults.takeAway('IAD', 'ORD');
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.until(
      api,
      backupId,
      ({ status, copies }) =>
        status === 'COMPLETED' && copies.length === 2 && copies.every((copy) => copy.fault !== null),
    );
    await replicator.kill();
    await strongroom.vaults.bringBack('IAD', 'ORD');
    // A runner that is killed while it writes leaves this.
    const unfinished = join(strongroom.vaults.of('IAD'), 'partial', `${backupId}.1`);
    await mkdir(unfinished, { recursive: true });
    await writeFile(join(unfinished, 'base.tar.zst'), 'half of it');
    await remove(backupId);
    await strongroom.start('replicator');
    await eventually(async () => expect(await strongroom.eventTypesOf(backupId)).toContain('BackupDeleted'), {
      withinMs: 30_000,
    });
    await strongroom.jobsDone();
    await goneEverywhere(backupId);
    expect(await strongroom.vaults.leftovers('IAD')).toEqual([]);
  }, 90_000);

  it('from a region that is away is shown as DELETE_FAILED, and goes when it is deleted again', async () => {
    const { backupId } = await copied();
    await strongroom.vaults.takeAway('ORD');
    await remove(backupId);
    await eventually(async () => expect(await statusOf(backupId)).toBe(200), { withinMs: 30_000 });
    const shown = await strongroom.backup(api, backupId);
    expect(shown).toMatchObject({ status: 'DELETE_FAILED', fault: { code: 'vault-unavailable' } });
    await strongroom.vaults.bringBack('ORD');
    await remove(backupId);
    await goneEverywhere(backupId);
    await eventually(async () => expect(await statusOf(backupId)).toBe(404), { withinMs: 30_000 });
  }, 90_000);
});

describe('retention', () => {
  const daily = async () => {
    const instanceId = await strongroom.register(api, customer.server);
    const timing = { full_backup_retention: 1, day_of_week: 7 };
    return { instanceId, scheduleId: await strongroom.schedule(api, instanceId, timing) };
  };
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

  it('lets the oldest full go when a newer one is in every region, and not before', async () => {
    const schedule = await daily();
    const first = await strongroom.runSlot(schedule, minutesAgo(60));
    await strongroom.untilCopied(api, first);
    // A run by hand does not count as a planned one.
    const byHand = await strongroom.runNow(api, schedule.scheduleId);
    await strongroom.untilCopied(api, byHand);
    await strongroom.vaults.takeAway('ORD');
    const second = await strongroom.runSlot(schedule, minutesAgo(30));
    await strongroom.until(api, second, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    await strongroom.until(api, second, ({ copies }) => copies.some(({ fault }) => fault !== null));
    expect(await statusOf(first)).toBe(200);
    const why = { ground: 'copies-missing', waits_for: [second] };
    const kept = await strongroom.until(api, first, ({ not_deleted_because }) => not_deleted_because !== null);
    expect(kept.not_deleted_because).toMatchObject(why);
    const runs = await allOf(strongroom.client(api).schedules.runs(schedule.scheduleId));
    expect(runs.find(({ id }) => id === first)?.not_deleted_because).toMatchObject(why);

    await strongroom.vaults.bringBack('ORD');
    await strongroom.untilCopied(api, second);
    await goneEverywhere(first);
    await eventually(async () => expect(await statusOf(first)).toBe(404), { withinMs: 30_000 });
    for (const kept of [byHand, second]) expect(await strongroom.vaults.holding(kept)).toEqual(['DFW', 'IAD', 'ORD']);
  }, 120_000);

  it('lets nothing go of a server whose address another has taken', async () => {
    const schedule = await daily();
    const real = await strongroom.runSlot(schedule, minutesAgo(60));
    await strongroom.untilCopied(api, real);
    const putBack = await customer.replace();
    try {
      const [first, second] = [minutesAgo(40), minutesAgo(20)];
      const ofOther = await strongroom.runSlot(schedule, first);
      await strongroom.untilCopied(api, ofOther);
      const { warning } = await strongroom.client(api).instances.get(schedule.instanceId);
      expect(warning).toContain(real);
      await strongroom.untilCopied(api, await strongroom.runSlot(schedule, second));
      // Retention has run, and the real backup is still there.
      await goneEverywhere(ofOther);
      expect(await strongroom.vaults.holding(real)).toEqual(['DFW', 'IAD', 'ORD']);
      expect(await statusOf(real)).toBe(200);
      await scheduler.untilMetric('strongroom_another_server_total', 1);
    } finally {
      await putBack();
    }
  }, 120_000);
});

describe('a region that was not asked for at first', () => {
  it('gets its copy by copy-backup, proven like the others', async () => {
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server), {
      copy_to: ['IAD'],
    });
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, backupId, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    await strongroom.client(api).backups.copy(backupId, 'ORD');
    await strongroom.untilCopied(api, backupId);
    await strongroom.vaults.proveCopy(backupId, 'ORD');
  }, 90_000);
});
