import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({
    env: {
      STRONGROOM_PAGE_LIMITS: 'instances=2,runs=1,backups=1',
      STRONGROOM_PUBLIC_URL: 'https://backups.example.com/api/',
    },
  });
});
afterAll(() => gateway.close());

const links = z.looseObject({ links: z.array(z.object({ rel: z.string(), href: z.string() })) });

describe('a page', () => {
  it('has as many items as the deployment says, and no more however many are asked for', async () => {
    for (let count = 0; count < 3; count += 1) await gateway.register();
    expect(await gateway.ids('/instances')).toHaveLength(2);
    expect(await gateway.ids('/instances?limit=100')).toHaveLength(2);
    expect(await gateway.ids('/instances?limit=1')).toHaveLength(1);
    const instance = await gateway.register();
    for (let count = 0; count < 2; count += 1) await gateway.run(await gateway.backup(instance), instance, 'failed');
    expect(await gateway.ids('/backups')).toHaveLength(1);
    expect(await gateway.ids(`/instances/${instance}/backups?limit=5`)).toHaveLength(1);
    const schedule = await gateway.schedule(instance);
    expect(await gateway.ids(`/schedules/${schedule}/runs`)).toHaveLength(1);
    // What the deployment does not name has its default.
    expect(await gateway.ids('/events')).toHaveLength((await gateway.events()).length);
  });

  it('links to the next where clients reach the service, however the request came', async () => {
    const [first = ''] = await gateway.ids('/instances?limit=1');
    for (const headers of [{}, { 'x-forwarded-host': 'elsewhere.example.com', 'x-forwarded-proto': 'http' }]) {
      expect(links.parse((await gateway.call('GET', '/instances?limit=1', { headers })).body).links).toEqual([
        { rel: 'next', href: `https://backups.example.com/api/v1.0/1234/instances?limit=1&marker=${first}` },
      ]);
    }
    expect((await gateway.request('GET', '/v1.0')).body).toMatchObject({
      version: { links: [{ rel: 'self', href: 'https://backups.example.com/api/v1.0' }] },
    });
  });
});
