import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { allOf } from './services/all-of.js';
import { eventually } from './services/eventually.js';
import { OwnKafka } from './services/feed.js';
import { describeWithKafka } from './services/kafka.js';

const soon = { withinMs: 60_000 };

let customer: CustomerDatabase;
beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());

/** How many events an app has not handled yet. */
async function unhandled(process: AppProcess): Promise<number> {
  const metrics = await process.metrics();
  const found = [...metrics.matchAll(/^strongroom_unhandled_events\{[^}]*\} (\d+)$/gm)];
  expect(found).not.toEqual([]);
  return found.reduce((sum, [, count]) => sum + Number(count), 0);
}

describeWithKafka('a broker that is down', () => {
  it('stops no 202: everything that was accepted meanwhile arrives when it is back', async () => {
    const kafka = await OwnKafka.start();
    const strongroom = await Deployment.create({ feed: { kind: 'kafka', brokers: kafka.brokers } });
    try {
      const [api, scheduler, replicator] = await strongroom.startAll();
      const instanceId = await strongroom.register(api, customer.server);
      const deletedId = await strongroom.backUp(api, instanceId);
      await strongroom.until(api, deletedId, ({ status }) => status === 'COMPLETED');
      await kafka.kill();

      const scheduleId = await strongroom.schedule(api, instanceId);
      const backupId = await strongroom.runNow(api, scheduleId);
      for (let n = 0; n < 20; n += 1) {
        const other = await strongroom.register(api, customer.server);
        await strongroom.schedule(api, other);
      }
      await strongroom.untilCopied(api, backupId, 90_000);
      await strongroom.client(api).backups.delete(deletedId);
      await eventually(async () => expect(await strongroom.eventTypesOf(deletedId)).toContain('BackupDeleted'), soon);
      expect(await unhandled(scheduler)).toBeGreaterThan(0);

      await kafka.restart();
      await eventually(async () => expect([await unhandled(scheduler), await unhandled(replicator)]).toEqual([0, 0]), {
        withinMs: 90_000,
      });
      expect(await allOf(strongroom.client(api).schedules.list())).toHaveLength(21);
      await strongroom.jobsDone();
      const types = await strongroom.eventTypesOf(backupId);
      expect(types.filter((type) => type === 'BackupStarted')).toHaveLength(1);
    } finally {
      await strongroom.remove();
      await kafka.stop();
    }
  }, 240_000);

  it('stops no slot: the backup of a schedule starts, completes and is copied, and the news that come later begin nothing', async () => {
    const kafka = await OwnKafka.start();
    const strongroom = await Deployment.create({ feed: { kind: 'kafka', brokers: kafka.brokers } });
    try {
      const [api, scheduler, replicator] = await strongroom.startAll();
      const instanceId = await strongroom.register(api, customer.server);
      // The slot is far enough ahead that its timer is set before the broker is killed.
      const slotAt = new Date(Math.ceil((Date.now() + 10_000) / 60_000) * 60_000);
      await strongroom.schedule(api, instanceId, { hour: slotAt.getUTCHours(), minute: slotAt.getUTCMinutes() });
      await eventually(async () => expect(await unhandled(scheduler)).toBe(0), soon);
      await kafka.kill();

      const { id } = await eventually(
        async () => {
          const [made] = await strongroom.backups(api);
          if (!made) throw new Error('no backup yet');
          return made;
        },
        { withinMs: 90_000 },
      );
      await strongroom.untilCopied(api, id, 90_000);
      await strongroom.vaults.proveCopy(id, 'IAD');

      await kafka.restart();
      await eventually(async () => expect([await unhandled(scheduler), await unhandled(replicator)]).toEqual([0, 0]), {
        withinMs: 90_000,
      });
      await strongroom.jobsDone();
      expect(await strongroom.backups(api)).toHaveLength(1);
      const types = await strongroom.eventTypesOf(id);
      expect(types.filter((type) => type === 'BackupStarted')).toHaveLength(1);
    } finally {
      await strongroom.remove();
      await kafka.stop();
    }
  }, 300_000);
});
