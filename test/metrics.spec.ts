import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { askedBy, dashboards, lackingIn, queries, variables } from './dashboards.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

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

describe('what operators watch', () => {
  it('shows which region is away: the age of what it is owed grows while attempts fail, and of no other', async () => {
    await strongroom.vaults.takeAway('ORD');
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.until(api, backupId, ({ copies }) => copies.some(({ status }) => status === 'COMPLETED'));
    await expectMore(replicator, 'strongroom_copy_lag_seconds{region="ORD"}', 3);
    await replicator.untilMetric('strongroom_copies_owed{region="ORD"}', 1);
    await expectMore(replicator, 'strongroom_copy_lag_seconds{region="ORD"}', 6);
    await replicator.untilMetric('strongroom_copy_lag_seconds{region="IAD"}', 0);

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
    const before = await lastSuccess();
    const backupId = await strongroom.runNow(api, scheduleId);
    await strongroom.untilCopied(api, backupId);
    await expectMore(scheduler, `strongroom_schedule_runs_total{${labels},outcome="completed"}`, 0);
    const success = await lastSuccess();
    expect(success).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY);
    for (const region of ['DFW', 'IAD', 'ORD']) {
      const name = `strongroom_schedule_last_restorable_seconds{${labels},region="${region}"}`;
      await eventually(async () => expect(await scheduler.metric(name)).toBe(success), { withinMs: 30_000 });
    }
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
