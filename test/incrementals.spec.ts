import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment, regions } from './deployment.js';
import { eventually } from './services/eventually.js';
import { feedForTests } from './services/feed.js';
import { verifiedByPostgres } from './services/postgres-tools.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 20, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  strongroom = await Deployment.create({ feed: feedForTests() });
  [api] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

/** A slot that comes up within the next minute or so, on a day whose backup is incremental. */
function soon(): { slotAt: Date; timing: { hour: number; minute: number; day_of_week: number } } {
  const slotAt = new Date(Math.ceil((Date.now() + 8_000) / 60_000) * 60_000);
  const timing = {
    hour: slotAt.getUTCHours(),
    minute: slotAt.getUTCMinutes(),
    day_of_week: (slotAt.getUTCDay() + 3) % 7,
  };
  return { slotAt, timing };
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
      await strongroom.restore(child, 'ORD', join(folder, 'restored'));
      await verifiedByPostgres(join(folder, 'restored'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }

    expect((await strongroom.call(api, 'DELETE', `/backups/${full}`)).status).toBe(202);
    expect(await strongroom.backups(api)).toEqual([]);
    await eventually(
      async () => {
        for (const id of [full, child]) {
          for (const region of regions) expect(await strongroom.holds(id, region)).toBe(false);
        }
        expect(await strongroom.eventTypesOf(full)).toContain('BackupDeleted');
        const slots = await customer.query("select 1 from pg_replication_slots where slot_name like 'strongroom%'");
        expect(slots).toEqual([]);
      },
      { withinMs: 30_000 },
    );
  }, 120_000);

  it('are what a schedule takes on the days between its full ones, with missing ancestors copied first', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    const { timing } = soon();
    const scheduleId = await strongroom.schedule(api, instanceId, { ...timing, copy_to: [] });
    const full = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, full, ({ status }) => status === 'COMPLETED');
    await change();
    const both = { schedule: { copy_to: ['IAD', 'ORD'] } };
    expect((await strongroom.call(api, 'PUT', `/schedules/${scheduleId}`, both)).status).toBe(202);
    const run = await eventually(
      async () => {
        const [newest] = await strongroom.backups(api);
        if (!newest || newest.id === full) throw new Error('the slot has not come yet');
        return newest.id;
      },
      { withinMs: 90_000 },
    );
    expect(await strongroom.untilCopied(api, run)).toMatchObject({ type: 'incremental', parent_id: full });
    expect((await strongroom.backup(api, full)).copies).toMatchObject([
      { region: 'IAD', status: 'COMPLETED' },
      { region: 'ORD', status: 'COMPLETED' },
    ]);
  }, 180_000);
});
