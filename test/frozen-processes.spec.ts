import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { patienceNow } from './services/patience.js';

let customer: CustomerDatabase;
let strongroom: Deployment;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
}, 120_000);
afterAll(() => customer.stop());
beforeEach(async () => {
  strongroom = await Deployment.create();
});
afterEach(() => strongroom.remove());

const hasPassed = (ms: number, since: number) =>
  eventually(() => expect(performance.now() - since).toBeGreaterThan(ms), { withinMs: 2 * ms });

describe('a scheduler that freezes', () => {
  it('does at once what was asked for meanwhile, when it goes on after 20 seconds', async () => {
    const [api, scheduler] = await strongroom.startAll();
    const instanceId = await strongroom.register(api, customer.server);
    await strongroom.until(api, await strongroom.backUp(api, instanceId), ({ status }) => status === 'COMPLETED');
    scheduler.pause();
    const frozenAt = performance.now();
    const backupId = await strongroom.backUp(api, instanceId);
    await hasPassed(20_000, frozenAt);
    scheduler.resume();
    await strongroom.until(api, backupId, ({ status }) => status === 'COMPLETED', 15_000);
  }, 180_000);

  it('at any moment keeps neither the API nor another scheduler waiting for longer than two seconds', async () => {
    const api = await strongroom.start('api');
    const schedulers = await Promise.all([strongroom.start('scheduler'), strongroom.start('scheduler')]);
    const asked: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      const instanceId = await strongroom.register(api, customer.server);
      await strongroom.schedule(api, instanceId);
      // It freezes at another moment each time: the round before is at work.
      const frozen = schedulers[round % 2];
      frozen?.pause();
      const begunAt = performance.now();
      asked.push(await strongroom.backUp(api, instanceId));
      await strongroom.backups(api);
      const tookMs = performance.now() - begunAt;
      expect(tookMs).toBeLessThan(2_000 + 1_000 * patienceNow({ measured: true }));
      frozen?.resume();
    }
    for (const id of asked) await strongroom.until(api, id, ({ status }) => status === 'COMPLETED');
  }, 180_000);
});
