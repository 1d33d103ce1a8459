import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase, chainMarker } from './customer-database.js';
import { Deployment } from './deployment.js';
import { allOf } from './services/all-of.js';
import { eventually } from './services/eventually.js';
import { verifiedByPostgres } from './services/postgres-tools.js';
import { regions } from './vault-folders.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 20, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  strongroom = await Deployment.create();
  [api] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

/** A slot that is due in about a minute, on a day whose backup is incremental. */
function soon(): { hour: number; minute: number; day_of_week: number } {
  const slotAt = new Date(Math.ceil((Date.now() + 15_000) / 60_000) * 60_000);
  return {
    hour: slotAt.getUTCHours(),
    minute: slotAt.getUTCMinutes(),
    day_of_week: (slotAt.getUTCDay() + 3) % 7,
  };
}

const change = () => customer.query("update ballast set filling = repeat('x', 100) where id % 50 = 0");

describe('incremental backups', () => {
  it('are taken on request, copied after what they are built on, restored from a copied region, and deleted with it', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    const full = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, full);
    await change();
    const child = await strongroom.backUp(api, instanceId, { incremental: 1, copy_to: ['IAD', 'ORD'] });
    const copied = await strongroom.untilCopied(api, child);
    expect(copied).toMatchObject({ type: 'incremental', parent_id: full });

    const folder = await mkdtemp(join(tmpdir(), 'strongroom-incremental-'));
    try {
      await strongroom.vaults.restore(child, 'ORD', join(folder, 'restored'));
      await verifiedByPostgres(join(folder, 'restored'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }

    await strongroom.client(api).backups.delete(full);
    expect(await strongroom.backups(api)).toEqual([]);
    await eventually(
      async () => {
        for (const id of [full, child]) {
          for (const region of regions) expect(await strongroom.vaults.holds(id, region)).toBe(false);
        }
        expect(await strongroom.eventTypesOf(full)).toContain('BackupDeleted');
        expect(await customer.chainMarkers()).toEqual([]);
      },
      { withinMs: 30_000 },
    );
  }, 120_000);

  it('leave their server with one slot for the newest full backup, and with none when that is deleted', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    const first = await strongroom.backUp(api, instanceId, { copy_to: ['IAD', 'ORD'] });
    await strongroom.untilCopied(api, first);
    await untilSlots(first);
    // Its deletion fails: from now on the backup is neither completed nor deleted.
    await strongroom.vaults.takeAway('ORD');
    await strongroom.client(api).backups.delete(first);
    await eventually(
      async () => expect(await strongroom.backup(api, first)).toMatchObject({ status: 'DELETE_FAILED' }),
      { withinMs: 30_000 },
    );
    const second = await strongroom.backUp(api, instanceId);
    await strongroom.until(api, second, ({ status }) => status === 'COMPLETED');
    await untilSlots(second);
    const third = await strongroom.backUp(api, instanceId);
    await strongroom.until(api, third, ({ status }) => status === 'COMPLETED');
    await untilSlots(third);
    await strongroom.client(api).backups.delete(third);
    await untilSlots();
    expect((await strongroom.backup(api, second)).status).toBe('COMPLETED');
  }, 120_000);

  it('wait for their parent while a region is away, without an attempt of their own, and follow it at once', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    await strongroom.vaults.takeAway('IAD');
    const scheduleId = await strongroom.schedule(api, instanceId);
    const full = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, full, ({ status }) => status === 'COMPLETED');
    await change();
    // A slot that comes while the full backup is still taken would be skipped.
    await strongroom.client(api).schedules.update(scheduleId, soon());
    const child = await runOf({ instanceId, scheduleId, full });
    await strongroom.until(api, child, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    expect(await strongroom.backup(api, child)).toMatchObject({ type: 'incremental', parent_id: full });
    // The ledger records once that the region is away; the attempts go on.
    await eventually(
      async () => {
        expect(await strongroom.attemptsAt(full, 'IAD')).toHaveLength(1);
        expect(await strongroom.leasesOf(full, 'IAD')).toBeGreaterThan(2);
      },
      { withinMs: 30_000 },
    );
    expect(await strongroom.attemptsAt(child, 'IAD')).toEqual([]);
    await strongroom.putOff('IAD');
    await strongroom.vaults.bringBack('IAD');
    await strongroom.readyNow(full, 'IAD');
    await strongroom.untilCopied(api, child);
    await strongroom.vaults.proveCopy(child, 'IAD');
  }, 240_000);

  it('leave nothing on the server of a forgotten instance, or say in the log what is left there', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    const full = await strongroom.backUp(api, instanceId);
    await strongroom.until(api, full, ({ status }) => status === 'COMPLETED');
    expect(await customer.chainMarkers()).toContain(chainMarker(full));
    await strongroom.client(api).instances.delete(instanceId);
    await eventually(
      async () => {
        const log = await readFile(strongroom.logFile('scheduler'), 'utf8');
        // By now, the password of the instance is gone.
        const isNamed = log.includes(`replication slot ${chainMarker(full)} may be left`);
        if (!isNamed) expect(await customer.chainMarkers()).not.toContain(chainMarker(full));
      },
      { withinMs: 30_000 },
    );
    for (const slot of await customer.chainMarkers())
      await customer.query(`select pg_drop_replication_slot('${slot}')`);
  }, 60_000);

  it('are what a schedule takes on the days between its full ones, ancestors copied first; and full ones where the server can take none', async () => {
    const plain = await CustomerDatabase.start({ megabytes: 1 });
    try {
      const [able, unable] = await Promise.all([customer, plain].map(fullOf));
      if (!able || !unable) throw new Error('there are two schedules');
      await change();
      // A slot that comes while a full backup is still taken would be skipped.
      const timing = soon();
      await strongroom.client(api).schedules.update(able.scheduleId, { ...timing, copy_to: ['IAD', 'ORD'] });
      await strongroom.client(api).schedules.update(unable.scheduleId, timing);

      const run = await runOf(able);
      expect(await strongroom.untilCopied(api, run)).toMatchObject({ type: 'incremental', parent_id: able.full });
      expect((await strongroom.backup(api, able.full)).copies).toMatchObject([
        { region: 'IAD', status: 'COMPLETED' },
        { region: 'ORD', status: 'COMPLETED' },
      ]);
      const inItsPlace = await strongroom.until(api, await runOf(unable), ({ status }) => status === 'COMPLETED');
      expect(inItsPlace).toMatchObject({ type: 'full', parent_id: null });
    } finally {
      await plain.stop();
    }
  }, 180_000);
});

/** Waits until the server has the replication slots of these full backups, and no others. */
const untilSlots = (...fulls: string[]) =>
  eventually(async () => expect(await customer.chainMarkers()).toEqual(fulls.map(chainMarker)), { withinMs: 30_000 });

interface Scheduled {
  instanceId: string;
  scheduleId: string;
  full: string;
}

async function fullOf({ server }: CustomerDatabase): Promise<Scheduled> {
  const instanceId = await strongroom.register(api, server);
  const scheduleId = await strongroom.schedule(api, instanceId, { copy_to: [] });
  await strongroom.client(api).schedules.runNow(scheduleId);
  const [full = ''] = await backupsOf(instanceId);
  await strongroom.until(api, full, ({ status }) => status === 'COMPLETED');
  return { instanceId, scheduleId, full };
}

/** Waits for the backup of the slot. @returns its id */
function runOf({ instanceId, full }: Scheduled): Promise<string> {
  return eventually(
    async () => {
      const [newest = full] = await backupsOf(instanceId);
      if (newest === full) throw new Error('the slot has not come yet');
      return newest;
    },
    { withinMs: 90_000 },
  );
}

async function backupsOf(instanceId: string): Promise<string[]> {
  const backups = await allOf(strongroom.client(api).instances.backups(instanceId));
  return backups.map(({ id }) => id);
}
