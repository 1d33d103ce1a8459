import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { getHealthReady } from '@strongroom/contracts';
import pg from 'pg';
import { WebhookReceiver } from '../apps/api/fixtures/webhook-receiver.js';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { askedBy, dashboards, lackingIn, queries, variables } from './dashboards.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { patienceNow } from './services/patience.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let scheduler: AppProcess;
let replicator: AppProcess;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 5 });
}, 120_000);
afterAll(() => customer.stop());

beforeEach(async () => {
  // Nobody takes its heartbeats.
  strongroom = await Deployment.create({ env: { STRONGROOM_HEARTBEAT_URL: 'http://127.0.0.1:2/nobody' } });
  [api, scheduler, replicator] = await strongroom.startAll();
});
afterEach(() => strongroom.remove());

const expectMore = (of: AppProcess, name: string, than: number) =>
  eventually(async () => expect(await of.metric(name)).toBeGreaterThan(than), { withinMs: 30_000 });

const regions = ['DFW', 'IAD', 'ORD'];
/** When a metric of the scheduler was above a value for the first time. */
const seenAbove = (name: string, than: number) =>
  eventually(
    async () => {
      expect(await scheduler.metric(name)).toBeGreaterThan(than);
      return Date.now();
    },
    { withinMs: 60_000 },
  );
/** By region, when the ledger has noted that the backup is whole there. */
async function happenedAt(backupId: string): Promise<Map<string, number>> {
  const rows = await strongroom.query(
    `select data->>'region' as region, (extract(epoch from at) * 1000)::float8 as at from ledger_event
     where type in ('BackupCompleted', 'CopyCompleted') and data->>'backupId' = '${backupId}'`,
  );
  return new Map(rows.map(({ region, at }) => [String(region), Number(at)]));
}

describe('what operators watch', () => {
  it('shows which region is away: the age of what it is owed grows while attempts fail, and of no other', async () => {
    await strongroom.vaults.takeAway('ORD');
    const receiver = await WebhookReceiver.open();
    await strongroom.client(api).webhooks.create({ name: 'all of it', url: receiver.urlOf('/'), format: 'event' });
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, backupId, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    await expectMore(replicator, 'strongroom_copy_lag_seconds{region="ORD"}', 3);
    await replicator.untilMetric('strongroom_copies_owed{region="ORD"}', 1);
    await expectMore(replicator, 'strongroom_copy_lag_seconds{region="ORD"}', 6);
    await replicator.untilMetric('strongroom_copy_lag_seconds{region="IAD"}', 0);
    // It is no fault of who is told of it.
    await expectMore(api, 'strongroom_webhook_attempts_total{outcome="delivered"}', 3);
    expect(await api.metric('strongroom_webhook_attempts_total{outcome="again"}')).toBe(0);
    expect(await api.metric('strongroom_webhook_failing_seconds')).toBe(0);
    await receiver.close();

    await strongroom.vaults.bringBack('ORD');
    await strongroom.untilCopied(api, backupId);
    await replicator.untilMetric('strongroom_copy_lag_seconds{region="ORD"}', 0);
    await replicator.untilMetric('strongroom_copies_owed{region="ORD"}', 0);
  }, 90_000);

  it('shows a slot that nobody decides, and how many backups run and wait', async () => {
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const client = new pg.Client({ connectionString: strongroom.databaseUrl });
    await client.connect();
    try {
      await eventually(
        async () => {
          const { rowCount } = await client.query('select from slot_timer where schedule_id = $1', [scheduleId]);
          expect(rowCount).toBe(1);
        },
        { withinMs: 30_000 },
      );
      await scheduler.untilMetric('strongroom_slot_overdue_seconds', 0);
      await scheduler.untilMetric('strongroom_backups_running', 0);
      await scheduler.untilMetric('strongroom_backups_waiting', 0);
      await client.query(`update slot_timer set next_slot_at = now() + interval '5 seconds'`);
      await client.query('begin');
      // A scheduler that took the slot and froze would leave it so.
      await client.query('select from slot_timer for update');
      await expectMore(scheduler, 'strongroom_slot_overdue_seconds', 2);
      await client.query('rollback');
      await scheduler.untilMetric('strongroom_slot_overdue_seconds', 0);
    } finally {
      await client.end();
    }
  }, 90_000);

  it('tells of each schedule when it succeeded last and what each region can give back; the dashboards ask for what is there', async () => {
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const labels = `account="${strongroom.accountId}",schedule="${scheduleId}"`;
    const lastSuccess = () => scheduler.metric(`strongroom_schedule_last_success_seconds{${labels}}`);
    await expectMore(scheduler, `strongroom_schedule_expected_interval_seconds{${labels}}`, 86_399);
    const before = (await lastSuccess()) ?? Number.POSITIVE_INFINITY;
    // Nobody takes what is sent there.
    const dead = { name: 'dead', url: 'http://127.0.0.1:2/nobody', format: 'event' as const };
    await strongroom.client(api).webhooks.create(dead);
    const restorable = (region: string) => `strongroom_schedule_last_restorable_seconds{${labels},region="${region}"}`;
    const seen = Promise.all([
      seenAbove(`strongroom_schedule_last_success_seconds{${labels}}`, before),
      ...regions.map((region) => seenAbove(restorable(region), before)),
    ]);
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.untilCopied(api, backupId);
    const happened = await happenedAt(backupId);
    const late = (await seen).map((at, index) => at - (happened.get(regions[Math.max(0, index - 1)] ?? '') ?? 0));
    expect(Math.max(...late)).toBeLessThan(5_000 * patienceNow());
    const success = (await lastSuccess()) ?? 0;
    for (const region of regions) await scheduler.untilMetric(restorable(region), success);

    // That nobody takes what is sent is told of the webhook, and of no backup.
    await expectMore(api, 'strongroom_webhook_attempts_total{outcome="again"}', 0);
    await expectMore(api, 'strongroom_webhook_failing_seconds', 0);
    await scheduler.untilMetric(`strongroom_schedule_runs_total{${labels},outcome="completed"}`, 1);
    for (const outcome of ['failed', 'skipped', 'missed']) {
      expect(await scheduler.metric(`strongroom_schedule_runs_total{${labels},outcome="${outcome}"}`)).toBe(0);
    }
    expect((await fetch(new URL(getHealthReady.path, api.url))).status).toBe(200);
    await expectMore(scheduler, 'strongroom_heartbeats_total{outcome="failed"}', 0);
    await scheduler.untilMetric('strongroom_schedules_late', 0);
    await scheduler.untilMetric('strongroom_schedules_not_shown', 0);

    const asked = [...queries().flatMap(askedBy), ...variables()];
    expect(dashboards.map(({ uid }) => uid).sort()).toEqual(['strongroom-schedules', 'strongroom-services']);
    expect(asked.length).toBeGreaterThan(30);
    const text = (await Promise.all([api, scheduler, replicator].map((each) => each.metrics()))).join('\n');
    expect([...new Set(asked.flatMap((each) => lackingIn(text, each)))]).toEqual([]);
    expect(lackingIn(text, { metric: 'strongroom_copy_lag_seconds', labels: ['account'] })).toHaveLength(1);
    expect(lackingIn(text, { metric: 'strongroom_luck_total', labels: [] })).toHaveLength(1);
  }, 90_000);
});
