import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { getSchedulesIdRuns, runsResponse } from '@strongroom/contracts';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let scheduler: AppProcess;

beforeAll(async () => {
  // A backup of so much takes seconds, so that the server can be killed in the middle.
  customer = await CustomerDatabase.start({ megabytes: 300, settings: { summarize_wal: 'on' } });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  strongroom = await Deployment.create();
  [api, scheduler] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

const untilTriedAgain = (backupId: string) =>
  strongroom.until(api, backupId, ({ status, retry_at }) => status === 'BUILDING' && retry_at !== null, 30_000);

/** Creates a schedule whose slot is at least five seconds ahead, so that its timer is set before it is due. */
async function soon(instanceId: string): Promise<string> {
  const slotAt = new Date(Math.ceil((Date.now() + 5_000) / 60_000) * 60_000);
  return strongroom.schedule(api, instanceId, { hour: slotAt.getUTCHours(), minute: slotAt.getUTCMinutes() });
}

async function runOf(scheduleId: string, backupId: string) {
  const { body } = await strongroom.client(api).send(getSchedulesIdRuns, { id: scheduleId });
  return runsResponse.parse(body).runs.find(({ id }) => id === backupId);
}

describe('a server that is down at its slot', () => {
  it('is backed up within a minute after it is back, though the scheduler is killed meanwhile', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    await customer.kill();
    const scheduleId = await soon(instanceId);
    const backupId = await eventually(
      async () => {
        const [made] = await strongroom.backups(api);
        if (!made) throw new Error('the slot has not come yet');
        return made.id;
      },
      { withinMs: 90_000 },
    );
    const waiting = await untilTriedAgain(backupId);
    expect(waiting.fault).toMatchObject({ code: 'server-unreachable' });
    expect(await runOf(scheduleId, backupId)).toMatchObject({
      outcome: 'ran',
      backup_status: 'BUILDING',
      fault: waiting.fault,
    });
    await expect(strongroom.backUp(api, instanceId)).rejects.toMatchObject({
      status: 422,
      message: expect.stringMatching(/is tried again at .*, and until .*, because attempt .* server-unreachable/),
    });
    await untilTriedAgain(backupId);
    await scheduler.kill();
    await customer.restart();
    await strongroom.start('scheduler');
    const done = await strongroom.untilCopied(api, backupId);
    expect(done).toMatchObject({ status: 'COMPLETED', fault: null, retry_at: null });
    expect(done.failed_attempts[0]).toMatchObject({ attempt: 1, code: 'server-unreachable' });
    expect(await runOf(scheduleId, backupId)).toMatchObject({
      backup_status: 'COMPLETED',
      failed_attempts: done.failed_attempts,
    });
    await strongroom.vaults.proveCopy(backupId, 'IAD');
  }, 240_000);
});

describe('a server that is killed while it is backed up', () => {
  it('is backed up when it is back, by the same backup, and nothing of the first attempt stays', async () => {
    const backupId = await strongroom.backUp(api, await strongroom.register(api, customer.server), {
      copy_to: ['IAD', 'ORD'],
    });
    await eventually(async () => expect(await strongroom.vaults.leftovers('DFW')).toHaveLength(1), {
      withinMs: 30_000,
      isBrief: true,
    });
    await customer.kill();
    expect((await untilTriedAgain(backupId)).fault).toMatchObject({ code: 'server-unreachable' });
    expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
    await customer.restart();
    await strongroom.untilCopied(api, backupId);
    expect(await strongroom.backups(api)).toHaveLength(1);
    expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
    await strongroom.vaults.proveCopy(backupId, 'IAD');
  }, 180_000);
});

describe('a home vault that is away', () => {
  it('has the backup as soon as it is tried again after the vault is back', async () => {
    await strongroom.vaults.takeAway('DFW');
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    expect((await untilTriedAgain(backupId)).fault).toMatchObject({ code: 'vault-unavailable' });
    await strongroom.vaults.bringBack('DFW');
    await strongroom.untilCopied(api, backupId);
  }, 180_000);
});
