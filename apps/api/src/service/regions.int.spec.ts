import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getRegions, type RegionResource, regionsResponse } from '@strongroom/contracts';
import { Jobs, LimitsInForce } from '@strongroom/runtime';
import { eventually } from '../../../../test/services/eventually.js';
import { bringing } from '../../fixtures/copies.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const regions = async (call: Call = {}): Promise<RegionResource[]> =>
  regionsResponse.parse((await gateway.call(getRegions, call)).body).regions;
const copying = async (region: string, call: Call = {}) =>
  (await regions(call)).find(({ name }) => name === region)?.copying;
const limitsOf = async (region: string) => (await regions()).find(({ name }) => name === region)?.limits;

async function completed(instanceId: string): Promise<string> {
  const backupId = await gateway.backup(instanceId);
  await gateway.run(backupId, instanceId, 'completed');
  return backupId;
}

describe('the regions', () => {
  it('tell how many copies of the account come there now, and how fast', async () => {
    const jobs = new Jobs(gateway.dataSource);
    const instanceId = await gateway.register();
    expect(await copying('IAD')).toEqual({ copies: 0, bytes_per_second: 0 });
    const [first, second] = [await completed(instanceId), await completed(instanceId)];
    const job = await bringing(gateway, { backupId: first, region: 'IAD' }, 3_000_000);
    const lost = await bringing(gateway, { backupId: second, region: 'IAD' }, 500_000);
    await bringing(gateway, { backupId: first, region: 'ORD' }, 0);
    expect(await copying('IAD')).toEqual({ copies: 2, bytes_per_second: 3_500_000 });
    // It stands still, and goes on being made.
    expect(await copying('ORD')).toEqual({ copies: 1, bytes_per_second: 0 });
    expect(await copying('DFW')).toEqual({ copies: 0, bytes_per_second: 0 });
    expect(await copying('IAD', { as: 'other' })).toEqual({ copies: 0, bytes_per_second: 0 });
    await jobs.finish(job);
    expect(await copying('IAD')).toEqual({ copies: 1, bytes_per_second: 500_000 });
    // Its replicator was killed.
    await gateway.sql(`update job set lease_until = now() - interval '1 ms' where id = '${lost.id}'`);
    expect(await copying('IAD')).toEqual({ copies: 0, bytes_per_second: 0 });
    const [again] = await jobs.lease('copy', 'IAD', 'another', 1, 600_000);
    expect(again?.id).toBe(lost.id);
    expect(await copying('IAD')).toEqual({ copies: 0, bytes_per_second: 0 });
  });

  it('tell a token of some instances of the copies of these instances alone', async () => {
    const [reached, beyond] = [await gateway.register(), await gateway.register()];
    await gateway.admit('scoped', { name: 'scoped', roles: ['observer'], instances: [reached] });
    const scoped = { as: 'nobody', account: accountId, headers: { 'x-auth-token': 'scoped' } } as const;
    await eventually(async () => expect((await gateway.call(getRegions, scoped)).status).toBe(200), {
      withinMs: 10_000,
    });
    await bringing(gateway, { backupId: await completed(beyond), region: 'ORD' }, 40);
    await bringing(gateway, { backupId: await completed(reached), region: 'ORD' }, 2);
    expect(await copying('ORD', scoped)).toEqual({ copies: 1, bytes_per_second: 2 });
    expect(await copying('ORD')).toEqual({ copies: 3, bytes_per_second: 42 });
  });

  it('tell what holds copies to them back, as the replicators have told it, and null when none has', async () => {
    expect((await regions()).map(({ limits }) => limits)).toEqual([null, null, null]);
    const none = { bytesPerSecond: null, atATime: null, requestsAtATime: null };
    await new LimitsInForce(gateway.dataSource).tell('replicator', [
      { ...none, scope: 'DFW', atATime: 4 },
      { ...none, scope: 'DFW:ORD', bytesPerSecond: 5_000_000 },
      { ...none, scope: 'ORD', requestsAtATime: 8 },
      { ...none, scope: 'process', bytesPerSecond: 100_000_000 },
    ]);
    const nothing = { bytes_per_second: null, at_a_time: null, requests_at_a_time: null };
    const ofProcess = { ...nothing, scope: 'process', bytes_per_second: 100_000_000 };
    expect(await limitsOf('DFW')).toEqual([{ ...nothing, scope: 'DFW', at_a_time: 4 }, ofProcess]);
    expect(await limitsOf('IAD')).toEqual([ofProcess]);
    expect(await limitsOf('ORD')).toEqual([
      { ...nothing, scope: 'DFW:ORD', bytes_per_second: 5_000_000 },
      { ...nothing, scope: 'ORD', requests_at_a_time: 8 },
      ofProcess,
    ]);
  });
});
