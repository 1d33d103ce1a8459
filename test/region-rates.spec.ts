/** What clients are told of how fast copies come to a region, and of what holds them back there. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getRegions, type RegionResource } from '@strongroom/contracts';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

const bytesPerSecond = 524_288;
const soon = { withinMs: 60_000 };

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
  strongroom = await Deployment.create({ env: { STRONGROOM_TRANSFER_LIMITS: 'DFW:IAD=0.5' } });
  [api] = await strongroom.startAll();
}, 120_000);
afterAll(async () => {
  await strongroom.remove();
  await customer.stop();
});

async function region(name: string): Promise<RegionResource> {
  const { regions } = (await strongroom.client(api).call(getRegions)).body;
  const found = regions.find((each) => each.name === name);
  if (!found) throw new Error(`there is no region ${name}`);
  return found;
}

it('a region tells how fast copies come while they come, and the limits that its replicator keeps to', async () => {
  const limit = { scope: 'DFW:IAD', bytes_per_second: bytesPerSecond, at_a_time: null, requests_at_a_time: null };
  await eventually(async () => expect((await region('IAD')).limits).toEqual([limit]), soon);
  expect((await region('ORD')).limits).toEqual([]);
  const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
  const backupId = await strongroom.runNow(api, scheduleId);
  const seen = await eventually(async () => {
    const { copying } = await region('IAD');
    expect(copying?.bytes_per_second).toBeGreaterThan(0);
    return copying;
  }, soon);
  expect(seen?.copies).toBe(1);
  // Pieces of a quarter of a second are given out at a time, so the first second may have some more.
  expect(seen?.bytes_per_second).toBeLessThan(2 * bytesPerSecond);
  await strongroom.untilCopied(api, backupId);
  await eventually(async () => expect((await region('IAD')).copying).toEqual({ copies: 0, bytes_per_second: 0 }), soon);
}, 180_000);
