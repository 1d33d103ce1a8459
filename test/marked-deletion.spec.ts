import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
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

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());
afterEach(() => strongroom.remove());

const everywhere = ['DFW', 'IAD', 'ORD'];

async function startWith(env: Record<string, string>): Promise<void> {
  strongroom = await Deployment.create({ env });
  [api, scheduler] = await strongroom.startAll();
}

/** A full backup and an incremental on it, both in every region. */
async function chain(): Promise<{ full: string; child: string }> {
  const instance = await strongroom.register(api, customer.server);
  const backup = async (fields: object) => {
    const asked = { name: 'orders', instance, copy_to: ['IAD', 'ORD'], ...fields };
    const { id } = await strongroom.client(api).backups.create(asked);
    await strongroom.untilCopied(api, id);
    return id;
  };
  const full = await backup({});
  return { full, child: await backup({ parent_id: full }) };
}
const statusOf = async (id: string) => (await strongroom.client(api).send(getBackupsId, { id })).status;

describe('a deleted backup', () => {
  it('is brought back with its chain, whole in every region, and can be built on and deleted again', async () => {
    await startWith({ STRONGROOM_DELETION_DELAY_SECONDS: '3600' });
    const { full, child } = await chain();
    await strongroom.client(api).backups.delete(full);
    for (const id of [full, child]) expect(await statusOf(id)).toBe(404);
    const deleted = await allOf(strongroom.client(api).backups.list({ deleted: 'true' }));
    expect(deleted.map(({ id }) => id)).toEqual([child, full]);
    await scheduler.kill();
    await strongroom.client(api).backups.restoreDeleted(child);
    await strongroom.start('scheduler');
    for (const id of [full, child]) {
      expect(await statusOf(id)).toBe(200);
      for (const region of ['IAD', 'ORD'] as const) await strongroom.vaults.proveCopy(id, region);
    }
    await strongroom.client(api).backups.delete(full);
    for (const id of [full, child]) expect(await strongroom.vaults.holding(id)).toEqual(everywhere);
  }, 120_000);

  it('goes from every region when its time has come, though schedulers are killed meanwhile', async () => {
    await startWith({ STRONGROOM_DELETION_DELAY_SECONDS: '2' });
    const { full, child } = await chain();
    await scheduler.kill();
    await strongroom.client(api).backups.delete(full);
    for (const id of [full, child]) expect(await strongroom.vaults.holding(id)).toEqual(everywhere);
    const second = await strongroom.start('scheduler');
    await eventually(async () => expect(await strongroom.eventTypesOf(full)).toContain('BackupDeletionRequested'), {
      withinMs: 30_000,
    });
    await second.kill();
    await strongroom.start('scheduler');
    for (const id of [child, full]) {
      await eventually(async () => expect(await strongroom.vaults.holding(id)).toEqual([]), { withinMs: 30_000 });
      await eventually(async () => expect(await strongroom.eventTypesOf(id)).toContain('BackupDeleted'), {
        withinMs: 30_000,
      });
    }
    expect(await allOf(strongroom.client(api).backups.list({ deleted: 'true' }))).toEqual([]);
  }, 120_000);

  it('stays in every region while the minimum retention lasts, though there is no delay', async () => {
    await startWith({ STRONGROOM_DELETION_DELAY_SECONDS: '0', STRONGROOM_MINIMUM_RETENTION_DAYS: '0,acme=1' });
    const { full, child } = await chain();
    await strongroom.client(api).backups.delete(full);
    await eventually(
      async () => {
        const looked = await strongroom.query(
          "select 1 from job where kind = 'purge' and attempt > 0 and lease_owner is null and ready_at > now()",
        );
        expect(looked).toHaveLength(1);
      },
      { withinMs: 30_000 },
    );
    for (const id of [full, child]) {
      expect(await statusOf(id)).toBe(404);
      expect(await strongroom.vaults.holding(id)).toEqual(everywhere);
      expect(await strongroom.eventTypesOf(id)).not.toContain('BackupDeletionRequested');
    }
  }, 120_000);
});
