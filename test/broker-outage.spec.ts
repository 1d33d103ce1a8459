import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { allOf } from './services/all-of.js';
import { OwnKafka } from './services/feed.js';

let customer: CustomerDatabase;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());

describe('a broker that is down', () => {
  it('stops no 202: everything that was accepted meanwhile arrives when it is back', async () => {
    const kafka = await OwnKafka.start();
    const strongroom = await Deployment.create({ feed: { kind: 'kafka', brokers: kafka.brokers } });
    try {
      const [api] = await strongroom.startAll();
      const instanceId = await strongroom.register(api, customer.server);
      await kafka.kill();

      const scheduleId = await strongroom.schedule(api, instanceId);
      const backupId = await strongroom.runNow(api, scheduleId);
      for (let n = 0; n < 20; n += 1) {
        const other = await strongroom.register(api, customer.server);
        await strongroom.schedule(api, other);
      }
      expect(await strongroom.backup(api, backupId)).toMatchObject({ status: 'NEW' });

      await kafka.restart();
      await strongroom.untilCopied(api, backupId, 90_000);
      expect(await allOf(strongroom.client(api).schedules.list())).toHaveLength(21);
    } finally {
      await strongroom.remove();
      await kafka.stop();
    }
  }, 180_000);
});
