import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type JobKind, type JobQuota, Jobs } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { LostMessages } from '../../../test/services/lost-messages.js';
import { backupJob } from './jobs/backup/backup-job.js';
import { schedulerModule } from './scheduler.module.js';
import { schedulerJobs } from './scheduler-jobs.js';
import type { SchedulerParts } from './scheduler-parts.js';

const soon = { withinMs: 30_000 };

let world: LostMessages;
beforeEach(async () => {
  world = await LostMessages.create();
});
afterEach(() => world.remove());

it('a kind of job that is added to the list is queued by its event, put back when missing, performed and measured', async () => {
  const [registered, lost] = [world.ids.next(), world.ids.next()];
  const drilled: string[] = [];
  const drillJob: JobKind<SchedulerParts> = {
    kind: 'drill',
    queuedBy: { InstanceRegistered: ({ instanceId }) => ({ id: instanceId }) },
    concurrency: () => 1,
    pollMs: () => 50,
    missing: async () => ({ found: [{ id: lost, accountId: 'acme' }], end: undefined }),
    async perform({ log }, { id }) {
      log.info({ instance: id }, 'drilled');
      drilled.push(id);
      return 'finished';
    },
    measure({ metrics }, inHand) {
      metrics.gauge({
        name: 'strongroom_drills_running',
        help: 'Drills that this process is at.',
        measure: (gauge) => gauge.set(inHand('')),
      });
    },
  };
  const metrics = await world.start('scheduler', (parts) => schedulerModule(parts, [...schedulerJobs, drillJob]));
  await world.record('instance', registered, registered, {
    type: 'InstanceRegistered',
    data: {
      instanceId: registered,
      name: 'orders',
      datastore: { type: 'postgresql', version: '18' },
      endpoint: { host: '127.0.0.1', port: 1, user: 'backup', database: 'postgres', tls: 'disable' },
    },
  });
  await eventually(async () => expect(new Set(drilled)).toEqual(new Set([registered, lost])), soon);
  expect(drilled.filter((id) => id === registered)).toHaveLength(1);
  await eventually(async () => {
    const text = await metrics();
    expect(text).toContain('strongroom_jobs_running{kind="drill",lane=""} 0');
    expect(text).toContain('strongroom_missing_work_total{kind="drill"} 1');
    expect(text).toContain('strongroom_drills_running 0');
  }, soon);
});

it('a scheduler that keeps no servers ends the job of an instance that was never built, and soon passes on any other', async () => {
  const [forgotten, building] = [world.ids.next(), world.ids.next()];
  const datastore = { type: 'postgresql', version: '18' } as const;
  const endpoint = { host: '127.0.0.1', port: 1, user: 'backup', database: 'postgres', tls: 'disable' } as const;
  await world.record(
    'instance',
    forgotten,
    forgotten,
    { type: 'InstanceRegistered', data: { instanceId: forgotten, name: 'orders', datastore, endpoint } },
    { type: 'InstanceForgotten', data: { instanceId: forgotten } },
  );
  await world.record('instance', building, building, {
    type: 'InstanceBuildRequested',
    data: { instanceId: building, name: 'twin', datastore, backupId: world.ids.next() },
  });
  await world.start('scheduler', ({ config: { instancesFolder: _, ...config }, ...parts }) =>
    schedulerModule({ ...parts, config }),
  );
  // Whoever keeps none looks once a minute: a job that it kept from the others until then would wait.
  await eventually(async () => {
    const jobs = await world.dataSource.query(
      `select id, lease_owner, ready_at < now() + interval '10 s' as is_soon from job where kind = 'instance' and attempt > 0`,
    );
    expect(jobs).toEqual([{ id: building, lease_owner: null, is_soon: true }]);
  }, soon);
});

it.each<[string, number, JobQuota, number]>([
  ['all of its places but one, where there is no quota', 3, { usual: null, byAccount: new Map() }, 2],
  ['as many as its quota allows', 4, { usual: null, byAccount: new Map([['crowd', 1]]) }, 1],
])(
  'a scheduler gives the backups of one account %s, and another account one at once',
  async (_, places, quota, most) => {
    const begun: string[] = [];
    const heldBackup: JobKind<SchedulerParts> = {
      ...backupJob,
      pollMs: () => 50,
      perform: (_parts, { accountId }, hold) =>
        new Promise((_resolve, reject) => {
          begun.push(accountId);
          hold.signal.addEventListener('abort', () => reject(hold.signal.reason));
        }),
    };
    await world.start('scheduler', ({ config, ...parts }) => {
      const quotas = { ...config.quotas, backups: quota };
      return schedulerModule({ ...parts, config: { ...config, backupConcurrency: places, quotas } }, [heldBackup]);
    });
    const add = (accountId: string, count: number) =>
      new Jobs(world.dataSource).add(
        world.dataSource.manager,
        Array.from({ length: count }, () => ({ kind: 'backup', id: world.ids.next(), lane: '', accountId })),
      );
    await add('crowd', 5);
    await eventually(() => expect(begun).toEqual(Array(most).fill('crowd')), soon);
    await add('other', 1);
    await eventually(() => expect(begun).toEqual([...Array(most).fill('crowd'), 'other']), soon);
  },
);
