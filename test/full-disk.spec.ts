import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { canMount, SmallDisk } from './services/small-disk.js';

/** The disk is so small that it is full in the middle of a backup. */
const megabytes = 4;

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let disk: SmallDisk;

const slots = () => customer.query("select 1 from pg_replication_slots where slot_name like 'strongroom_chain%'");

describe('a disk that is full in the middle of a backup', () => {
  if (!canMount()) {
    it.todo('was NOT RUN for want of a disk: only root can mount one, or a sudo that asks for no password');
    return;
  }

  beforeAll(async () => {
    customer = await CustomerDatabase.start({ megabytes: 60, settings: { summarize_wal: 'on' } });
  }, 120_000);
  afterAll(() => customer.stop());

  beforeEach(async () => {
    // What passes is not tried again, so that the end of the backup is seen. The disk may become full.
    const env = { STRONGROOM_CATCH_UP_MINUTES: '0', STRONGROOM_FREE_SPACE_RESERVE_MIB: '0' };
    strongroom = await Deployment.create({ env });
    disk = SmallDisk.mount(strongroom.vaults.of('DFW'), megabytes);
    [api] = await strongroom.startAll();
  });
  afterEach(async () => {
    await strongroom.stopAll();
    disk.unmount();
    await strongroom.remove();
  });

  it('ends it FAILED with the reason, leaves nothing of it, and the next run succeeds when there is room', async () => {
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const isFailed = ({ status }: { status: string }) => status === 'FAILED';
    const failed = await strongroom.until(api, await strongroom.runNow(api, scheduleId), isFailed, 30_000);
    expect(failed.fault).toMatchObject({ code: 'vault-full' });
    expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
    expect(await strongroom.vaults.holds(failed.id, 'DFW')).toBe(false);
    // The server keeps nothing for a backup that nothing can be built on.
    await eventually(async () => expect(await slots()).toEqual([]), { withinMs: 10_000 });

    disk.growTo(500);
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.untilCopied(api, backupId);
    expect(await slots()).toHaveLength(1);
    await strongroom.vaults.proveCopy(backupId, 'IAD');
  }, 120_000);
});
