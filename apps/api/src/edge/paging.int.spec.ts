import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  getBackups,
  getEvents,
  getInstances,
  getInstancesIdBackups,
  getSchedulesIdRuns,
  getV10,
  pathOf,
} from '@strongroom/contracts';
import { z } from 'zod';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const publicUrl = 'https://backups.example.com/api';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({
    env: {
      STRONGROOM_PAGE_LIMITS: 'instances=2,runs=1,backups=1',
      STRONGROOM_PUBLIC_URL: `${publicUrl}/`,
    },
  });
});
afterAll(() => gateway.close());

const links = z.looseObject({ links: z.array(z.object({ rel: z.string(), href: z.string() })) });

describe('a page', () => {
  it('has as many items as the deployment says, and no more however many are asked for', async () => {
    for (let count = 0; count < 3; count += 1) await gateway.register();
    expect(await gateway.ids(getInstances)).toHaveLength(2);
    expect(await gateway.ids(getInstances, { query: { limit: 100 } })).toHaveLength(2);
    expect(await gateway.ids(getInstances, { query: { limit: 1 } })).toHaveLength(1);
    const instance = await gateway.register();
    for (let count = 0; count < 2; count += 1) await gateway.run(await gateway.backup(instance), instance, 'failed');
    expect(await gateway.ids(getBackups)).toHaveLength(1);
    expect(await gateway.ids(getInstancesIdBackups, { id: instance, query: { limit: 5 } })).toHaveLength(1);
    const schedule = await gateway.schedule(instance);
    expect(await gateway.ids(getSchedulesIdRuns, { id: schedule })).toHaveLength(1);
    // A list that the deployment does not name has its default.
    expect(await gateway.ids(getEvents)).toHaveLength((await gateway.events()).length);
  });

  it('links to the next where clients reach the service, however the request came', async () => {
    const [first = ''] = await gateway.ids(getInstances, { query: { limit: 1 } });
    for (const headers of [{}, { 'x-forwarded-host': 'elsewhere.example.com', 'x-forwarded-proto': 'http' }]) {
      expect(links.parse((await gateway.call(getInstances, { query: { limit: 1 }, headers })).body).links).toEqual([
        { rel: 'next', href: `${publicUrl}${pathOf(getInstances, { accountId })}?limit=1&marker=${first}` },
      ]);
    }
    const path = pathOf(getInstances, { accountId });
    const read = await gateway.wire(
      `GET http://elsewhere.example.com${path}?limit=1&x=a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: ${gateway.tokenOf('admin')}\r\n\r\n`,
    );
    expect(read).toContain(`"href":"${publicUrl}${path}?limit=1&x=a&marker=${first}"`);
    // A question mark in the query is a part of it, and ends nothing.
    const odd = await gateway.request('GET', `${path}?x=a?b&limit=1`);
    const [next] = links.parse(odd.body).links;
    expect([...new URL(next?.href ?? '').searchParams]).toEqual([
      ['x', 'a?b'],
      ['limit', '1'],
      ['marker', first],
    ]);
    expect((await gateway.call(getV10)).body).toMatchObject({
      version: { links: [{ rel: 'self', href: `${publicUrl}${getV10.path}` }] },
    });
  });
});
