import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getBackupsId, getHealthReady, getInstancesId, getMetrics, getSchedulesId } from '@strongroom/contracts';
import { Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
const ids = { instance: '', schedule: '', backup: '' };
beforeAll(async () => {
  gateway = await Gateway.open();
  ids.instance = await gateway.register();
  ids.schedule = await gateway.schedule(ids.instance, { copy_to: ['IAD'] });
  ids.backup = await gateway.backup(ids.instance);
});
afterAll(() => gateway.close());

/** What an operator is told, at the private port. */
async function ready(): Promise<{ status: number; text: string }> {
  const answer = await fetch(new URL(getHealthReady.path, gateway.privateUrl));
  return { status: answer.status, text: await answer.text() };
}

/** The statuses of one read of each resource. */
const reads = async () => [
  (await gateway.call(getSchedulesId, { id: ids.schedule })).status,
  (await gateway.call(getBackupsId, { id: ids.backup })).status,
  (await gateway.call(getInstancesId, { id: ids.instance })).status,
];

describe('a gateway', () => {
  it('is ready when it can read', async () => {
    expect(await reads()).toEqual([200, 200, 200]);
    expect(await ready()).toMatchObject({ status: 200, text: expect.stringContaining('"reads":{"ok":true') });
  });

  it.each(['view_head', 'schedule_view', 'backup_view', 'instance_view', 'copy_view', 'run_view', 'job'])(
    'is not ready while its reads fail for want of %s, and says so',
    async (table) => {
      await gateway.sql(`alter table ${table} rename to missing_for_spec`);
      try {
        expect(await reads()).toContain(500);
        const { status, text } = await ready();
        expect(status).toBe(503);
        expect(text).toContain('"database":{"ok":true');
        expect(text).toMatch(/"reads":\{"ok":false[^}]*does not exist/);
        // A client learns nothing of what is behind it.
        const told = await gateway.call(getHealthReady, { as: 'nobody' });
        expect([told.status, told.body]).toEqual([503, { status: 'not-ready' }]);
      } finally {
        await gateway.sql(`alter table missing_for_spec rename to ${table}`);
      }
      expect((await ready()).status).toBe(200);
    },
  );

  it('is asked by many at once, and reads once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ready()));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('shows its metrics at its private port, and to no client', async () => {
    expect(new URL(gateway.privateUrl).port).not.toBe(new URL(gateway.url).port);
    const measured = await fetch(new URL(getMetrics.path, gateway.privateUrl));
    expect(await measured.text()).toContain('strongroom_http_request_seconds');
    expect(measured.headers.get('content-type')).toContain('text/plain');
    expect((await gateway.request('GET', getMetrics.path, { as: 'admin' })).status).toBe(404);
    expect((await fetch(new URL('/v1.0', gateway.privateUrl))).status).toBe(404);
    expect((await fetch(new URL(getMetrics.path, gateway.privateUrl), { method: 'POST' })).status).toBe(405);
  });
});
