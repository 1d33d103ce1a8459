import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type Aggregate, type EventData, type NewEvent, streamOf } from '@strongroom/contracts';
import { wholeEngineFor } from '@strongroom/engines/in-this-process';
import { Jobs } from '@strongroom/runtime';
import { eventually } from '../../../test/services/eventually.js';
import { LostMessages } from '../../../test/services/lost-messages.js';
import { addEvent } from '../../../test/services/unreadable-event.js';
import { schedulerModule } from './scheduler.module.js';
import { schedulerJobs } from './scheduler-jobs.js';

const soon = { withinMs: 30_000 };
const datastore = { type: 'postgresql', version: '18' } as const;

let world: LostMessages;
beforeEach(async () => {
  world = await LostMessages.create();
});
afterEach(() => world.remove());

/** Backups are taken in the test's own process: what another one would run is TypeScript here. */
const jobsHere = schedulerJobs.map((kind): typeof kind => ({
  ...kind,
  perform: (parts, job, hold) => kind.perform({ ...parts, takerFor: wholeEngineFor }, job, hold),
}));

const requestOf = (backupId: string, instanceId: string): NewEvent => ({
  type: 'BackupRequested',
  data: {
    ...{ backupId, instanceId, scheduleId: null, slotAt: null, trigger: 'request', type: 'full', parentId: null },
    ...{ name: 'orders', description: null, datastore, copyTo: [] },
  },
});
const failedOf = (backupId: string, instanceId: string): NewEvent => ({
  type: 'BackupFailed',
  data: { backupId, instanceId, scheduleId: null, attempt: 1, code: 'server-unreachable', reason: 'It is away.' },
});
const deletionOf = (backupId: string, instanceId: string): NewEvent => ({
  type: 'BackupDeletionRequested',
  data: { backupId, instanceId, scheduleId: null, trigger: 'request' },
});
const registered = (instanceId: string): EventData<'InstanceRegistered'> => ({
  ...{ instanceId, name: 'orders', datastore },
  endpoint: { host: '127.0.0.1', port: 1, user: 'backup', database: 'postgres', tls: 'disable' },
});

interface Case {
  kind: string;
  /** The stream that only a newer version can read. */
  unread: Aggregate;
  newer: { type: string; data?: object };
  record(id: string, instanceId: string): Promise<void>;
  /** What the stream of the job's own thing has told when the job is passed over. */
  told?: string[];
}
const unknownType = { type: 'BackupAdmired' };
const onBackup = (...events: ((id: string, instanceId: string) => NewEvent)[]) => ({
  unread: 'backup' as const,
  record: (id: string, instanceId: string) =>
    world.record('backup', id, instanceId, ...events.map((event) => event(id, instanceId))),
});

const cases: Case[] = [
  { kind: 'backup', newer: unknownType, ...onBackup(requestOf) },
  {
    kind: 'backup',
    newer: { type: 'BackupDeletionRequested', data: { trigger: 'by the moon' } },
    ...onBackup(requestOf),
  },
  {
    ...{ kind: 'backup', unread: 'instance', newer: { type: 'InstanceAdmired' } },
    async record(id, instanceId) {
      await world.record('instance', instanceId, instanceId, {
        type: 'InstanceRegistered',
        data: registered(instanceId),
      });
      await world.record('backup', id, instanceId, requestOf(id, instanceId));
    },
    told: ['BackupRequested', 'BackupStarted'],
  },
  { kind: 'deletion', newer: unknownType, ...onBackup(requestOf, failedOf, deletionOf) },
  { kind: 'chain-end', newer: unknownType, ...onBackup(requestOf, failedOf) },
  {
    ...{ kind: 'instance', unread: 'instance', newer: { type: 'InstanceAdmired' } },
    record: (instanceId) =>
      world.record('instance', instanceId, instanceId, {
        type: 'InstanceBuildRequested',
        data: { instanceId, name: 'twin', datastore, backupId: world.ids.next() },
      }),
  },
];

it.each(cases)(
  'a job of kind $kind is left to a newer version, without a failure and only once, when this one does not know $newer of the $unread',
  async ({ kind, unread, newer, record, told }) => {
    const id = world.ids.next();
    const instanceId = kind === 'instance' ? id : world.ids.next();
    await record(id, instanceId);
    const stream = streamOf(unread, unread === 'instance' ? instanceId : id);
    const [first] = await world.ledger.readStream(stream);
    await addEvent(world.dataSource, stream, { type: newer.type, data: { ...first?.data, ...newer.data } });
    await new Jobs(world.dataSource).add(world.dataSource.manager, [{ kind, id, accountId: 'acme' }]);
    const metrics = await world.start('scheduler', schedulerModule, 600_000);
    const jobs = () =>
      world.dataSource.query(
        'select lease_owner, attempt, failures, passed_by is not null as passed from job where kind = $1 and id = $2',
        [kind, id],
      );
    const passedOver = [{ lease_owner: null, attempt: 1, failures: 0, passed: true }];
    await eventually(async () => expect(await jobs()).toEqual(passedOver), soon);
    // Another job of the kind that is done shows that the lane was looked at again meanwhile.
    const other = world.ids.next();
    await new Jobs(world.dataSource).add(world.dataSource.manager, [{ kind, id: other, accountId: 'acme' }]);
    await eventually(async () => expect((await new Jobs(world.dataSource).absent(kind, [other])).size).toBe(1), soon);
    expect(await jobs()).toEqual(passedOver);
    expect(await metrics()).toContain('strongroom_set_aside{kind="job"} 0');
    if (told) expect(await world.told('backup', id)).toEqual(told);
    await world.stop();
    const [leased] = await new Jobs(world.dataSource, 'a newer version').lease(kind, '', 'newer', 1, 30_000);
    expect(leased).toMatchObject({ id, attempt: 2, failures: 0 });
  },
);

it('a backup is not given up for the processes of an older version that could not read it', async () => {
  const [id, instanceId] = [world.ids.next(), world.ids.next()];
  await world.record('instance', instanceId, instanceId, {
    type: 'InstanceRegistered',
    data: registered(instanceId),
  });
  await world.record('backup', id, instanceId, requestOf(id, instanceId));
  await world.dataSource.query(
    `insert into job (kind, id, lane, account_id, attempt, failures) values ('backup', $1, '', 'acme', 7, 7)
     on conflict (kind, id) do update set attempt = 7, failures = 7`,
    [id],
  );
  await world.start('scheduler', (parts) => schedulerModule(parts, jobsHere), 600_000);
  await eventually(async () => expect(await world.told('backup', id)).toContain('BackupFailed'), soon);
  const last = (await world.ledger.readStream(streamOf('backup', id))).at(-1);
  expect(last?.data).toMatchObject({ code: 'server-unreachable' });
});
