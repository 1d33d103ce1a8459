import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase, chainMarker } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  // What passes is not tried again: each fault ends its backup.
  strongroom = await Deployment.create({ env: { STRONGROOM_CATCH_UP_MINUTES: '0' } });
  [api] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

describe('a backup that cannot be made', () => {
  const cases = [
    ['the server is down', { port: 1 }, 'server-unreachable'],
    ['the password is wrong', { password: 'not it' }, 'credentials-refused'],
  ] as const;
  it.each(cases)(
    'because %s ends FAILED with its reason within seconds and leaves nothing behind',
    async (_, change, code) => {
      const scheduleId = await strongroom.schedule(
        api,
        await strongroom.register(api, { ...customer.server, ...change }),
      );
      const failed = await strongroom.until(
        api,
        await strongroom.runNow(api, scheduleId),
        ({ status }) => status === 'FAILED',
        15_000,
      );
      expect(failed.fault).toMatchObject({ code });
      expect(JSON.stringify(failed)).not.toContain('not it');
      expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
      // The next run is not held up by the failure.
      await strongroom.until(
        api,
        await strongroom.runNow(api, scheduleId),
        ({ status }) => status === 'FAILED',
        15_000,
      );
    },
    60_000,
  );
});

describe('a server that is killed while it is backed up', () => {
  it('fails the backup with its reason, leaves nothing of it there or here, and is backed up again when it is back', async () => {
    const large = await CustomerDatabase.start({ megabytes: 300, settings: { summarize_wal: 'on' } });
    try {
      const scheduleId = await strongroom.schedule(api, await strongroom.register(api, large.server));
      const backupId = await strongroom.runNow(api, scheduleId);
      await eventually(async () => expect(await strongroom.vaults.leftovers('DFW')).toHaveLength(1), {
        withinMs: 30_000,
        isBrief: true,
      });
      await large.kill();
      const failed = await strongroom.until(api, backupId, ({ status }) => status === 'FAILED', 15_000);
      expect(failed.fault).toMatchObject({ code: 'server-unreachable' });
      expect(await strongroom.vaults.leftovers('DFW')).toEqual([]);
      await large.restart();
      const next = await strongroom.runNow(api, scheduleId);
      await strongroom.untilCopied(api, next);
      await eventually(async () => expect(await large.chainMarkers()).toEqual([chainMarker(next)]), {
        withinMs: 60_000,
      });
    } finally {
      await large.stop();
    }
  }, 120_000);
});

describe('a database that is away', () => {
  it('makes the API answer 503 with Retry-After, and 202 again when it is back', async () => {
    const instanceId = await strongroom.register(api, customer.server);
    await strongroom.cutDatabase();
    await expect(strongroom.client(api).instances.get(instanceId)).rejects.toMatchObject({
      status: 503,
      code: 'serviceUnavailable',
      retryAfterSeconds: expect.any(Number),
    });
    await strongroom.restoreDatabase();
    await strongroom.untilCopied(api, await strongroom.runNow(api, await strongroom.schedule(api, instanceId)));
  }, 90_000);
});
