import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getBackups, getInstancesIdBackups, pathOf } from '@strongroom/contracts';
import { z } from 'zod';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const backups = z.object({
  backups: z.array(z.looseObject({ id: z.string() })),
  links: z.array(z.object({ rel: z.string(), href: z.string() })),
});
const listed = async (query: Call['query'] = {}) => backups.parse((await gateway.call(getBackups, { query })).body);

describe('the list of backups', () => {
  it('comes newest first in pages of twenty, whose links keep every filter and lead to all of them once', async () => {
    const instanceId = await gateway.register();
    const made: string[] = [];
    for (let count = 0; count < 23; count += 1) {
      const id = await gateway.backup(instanceId);
      await gateway.run(id, instanceId, count % 2 === 0 ? 'completed' : 'failed');
      made.unshift(id);
    }
    const first = await listed({ instance_id: instanceId, limit: 1000 });
    expect(first.backups.map(({ id }) => id)).toEqual(made.slice(0, 20));
    const query = { instance_id: instanceId, limit: '1000', marker: made[19] ?? '' };
    const href = `${gateway.url}${pathOf(getBackups, { accountId })}?${new URLSearchParams(query)}`;
    expect(first.links).toEqual([{ rel: 'next', href }]);
    const second = await listed(query);
    expect(second.backups.map(({ id }) => id)).toEqual(made.slice(20));
    expect(second.links).toEqual([]);

    const completed = await listed({ status: 'COMPLETED', datastore: 'postgresql', instance_id: instanceId, limit: 5 });
    expect(completed.backups.map(({ id }) => id)).toEqual(made.filter((_, index) => index % 2 === 0).slice(0, 5));
    expect(completed.links[0]?.href).toMatch(
      /\?status=COMPLETED&datastore=postgresql&instance_id=[^&]+&limit=5&marker=/,
    );

    const own = await gateway.call(getInstancesIdBackups, { id: instanceId, query: { limit: 2, status: 'FAILED' } });
    expect(backups.parse(own.body).backups.map(({ id }) => id)).toEqual([made[1], made[3]]);
  });

  it('is of one account', async () => {
    const instanceId = await gateway.register('other');
    const id = await gateway.backup(instanceId, {}, 'other');
    const ofOther = backups.parse((await gateway.call(getBackups, { as: 'other' })).body);
    expect(ofOther.backups.map((each) => each.id)).toEqual([id]);
    expect(JSON.stringify(await listed())).not.toContain(id);
  });

  it.each([
    ['datastore=mysql', 404, 'itemNotFound'],
    ['datastore=', 404, 'itemNotFound'],
    ['status=completed', 400, 'badRequest'],
    ['status=', 400, 'badRequest'],
    ['limit=0', 400, 'badRequest'],
    [`marker=${nothing}`, 400, 'badRequest'],
    ['marker=nightly', 400, 'badRequest'],
  ])('is not asked for with %s', async (query, status, type) => {
    expect(faultOf(await gateway.call(getBackups, { query: Object.fromEntries(new URLSearchParams(query)) }))).toEqual([
      status,
      type,
    ]);
  });

  it('is empty for a filter that nothing meets, and takes what it does not know for nothing', async () => {
    expect(await listed({ status: 'DELETE_FAILED', datastore: 'postgresql' })).toEqual({ backups: [], links: [] });
    expect(await listed({ instance_id: nothing, include_clustered: 'False' })).toEqual({ backups: [], links: [] });
    expect(faultOf(await gateway.call(getInstancesIdBackups, { id: nothing }))).toEqual([404, 'itemNotFound']);
  });
});
