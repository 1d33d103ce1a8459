import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let customer: CustomerDatabase;
let strongroom: Deployment;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
  strongroom = await Deployment.create();
}, 120_000);
afterAll(async () => {
  await strongroom.remove();
  await customer.stop();
});

describe('a slot', () => {
  it('runs once though three schedulers see it due, and one of them is killed at that moment', async () => {
    const [api, first] = await strongroom.startAll();
    await strongroom.start('scheduler');
    await strongroom.start('scheduler');
    const instanceId = await strongroom.register(api, customer.server);
    // The slot is at least five seconds ahead, so that its timer is set before it is due.
    const slotAt = new Date(Math.ceil((Date.now() + 5_000) / 60_000) * 60_000);
    const scheduleId = await strongroom.schedule(api, instanceId, {
      hour: slotAt.getUTCHours(),
      minute: slotAt.getUTCMinutes(),
    });
    await eventually(
      async () => {
        if (Date.now() < slotAt.getTime()) throw new Error('not due yet');
      },
      { withinMs: 70_000 },
    );
    await first.kill();
    const backup = await eventually(
      async () => {
        const [made] = await strongroom.backups(api);
        if (!made) throw new Error('no backup yet');
        return made;
      },
      { withinMs: 15_000 },
    );
    const done = await strongroom.untilCopied(api, backup.id);
    expect(done.schedule_id).toBe(scheduleId);
    expect(await strongroom.backups(api)).toHaveLength(1);
    expect(await strongroom.client(api).schedules.get(scheduleId)).toMatchObject({ running: 0 });
  }, 150_000);
});
