import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { allOf } from './services/all-of.js';
import { eventually } from './services/eventually.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5, settings: { summarize_wal: 'on' } });
  strongroom = await Deployment.create();
  [api] = await strongroom.startAll();
}, 300_000);
afterAll(async () => {
  await strongroom.remove();
  await customer.stop();
});

describe('an instance whose password was rotated', () => {
  it('keeps its schedule and its chain: the next slot is incremental on the backup before', async () => {
    const { instances, backups, schedules } = strongroom.client(api);
    const instanceId = await strongroom.register(api, customer.server);
    const slotAt = new Date(Math.ceil((Date.now() + 30_000) / 60_000) * 60_000);
    const [hour, minute] = [slotAt.getUTCHours(), slotAt.getUTCMinutes()];
    const timing = { hour, minute, day_of_week: (slotAt.getUTCDay() + 3) % 7, copy_to: [] };
    const scheduleId = await strongroom.schedule(api, instanceId, timing);
    const full = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, full, ({ status }) => status === 'COMPLETED');

    const password = randomBytes(12).toString('hex');
    await customer.query(`alter role backup password '${password}'`);
    await expect(instances.change(instanceId, { connection: { password: 'a slip' } })).rejects.toMatchObject({
      code: 'unprocessableEntity',
    });
    await instances.change(instanceId, { name: 'rotated', connection: { password } });
    expect(await schedules.get(scheduleId)).toMatchObject({ version: 1, ...timing });

    const run = await eventually(
      async () => {
        const [newest] = await allOf(backups.list({ instance_id: instanceId }));
        if (!newest || newest.id === full) throw new Error('the slot has not come yet');
        return newest.id;
      },
      { withinMs: 120_000 },
    );
    const done = await strongroom.until(api, run, ({ status }) => status === 'COMPLETED' || status === 'FAILED');
    expect(done).toMatchObject({ status: 'COMPLETED', type: 'incremental', parent_id: full, schedule_id: scheduleId });

    const [told] = await customer.query("select current_setting('server_version') as version");
    expect([(await instances.get(instanceId)).datastore, done.datastore]).toMatchObject([told, told]);
    const test = await instances.testConnection(instanceId);
    expect(test).toMatchObject({ server: told, full: { possible: true }, incremental: { possible: true } });
  }, 300_000);
});
