import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { EventData, NewEvent } from '@strongroom/contracts';
import { eventually } from '../../../test/services/eventually.js';
import { failFor } from '../../../test/services/failing-rows.js';
import { accountId, LostMessages } from '../../../test/services/lost-messages.js';
import { schedulerModule } from './scheduler.module.js';

const soon = { withinMs: 30_000 };
const datastore = { type: 'postgresql' as const, version: '18' };
const endpoint = { host: '127.0.0.1', port: 1, user: 'backup', database: 'postgres', tls: 'disable' as const };
const definition = { dayOfWeek: 0, hour: 2, minute: 0, fullBackupRetention: 1, copyTo: [], paused: false };

let lost: LostMessages;
beforeEach(async () => {
  lost = await LostMessages.create();
});
afterEach(() => lost.remove());

function requested(
  backupId: string,
  instanceId: string,
  more: Partial<EventData<'BackupRequested'>> = {},
): NewEvent<'BackupRequested'> {
  const data = {
    backupId,
    instanceId,
    scheduleId: null,
    slotAt: null,
    trigger: 'request' as const,
    type: 'full' as const,
    parentId: null,
    name: 'by hand',
    description: null,
    datastore,
    copyTo: [],
    ...more,
  };
  return { type: 'BackupRequested', data };
}

function completed(
  backupId: string,
  instanceId: string,
  more: Partial<EventData<'BackupCompleted'>> = {},
): NewEvent<'BackupCompleted'> {
  const data = {
    backupId,
    instanceId,
    scheduleId: null,
    type: 'full' as const,
    parentId: null,
    attempt: 1,
    region: 'DFW',
    location: backupId,
    sizeBytes: 1,
    rawBytes: 1,
    sha256: 'a'.repeat(64),
    copyTo: [],
    startedAt: new Date().toISOString(),
    ...more,
  };
  return { type: 'BackupCompleted', data };
}

async function instance(): Promise<string> {
  const instanceId = lost.ids.next();
  await lost.record('instance', instanceId, instanceId, {
    type: 'InstanceRegistered',
    data: { instanceId, name: 'orders', datastore, endpoint },
  });
  return instanceId;
}

const timers = async (): Promise<Record<string, number>> => {
  const rows: { schedule_id: string; hour: number }[] = await lost.dataSource.query('select * from slot_timer');
  return Object.fromEntries(rows.map(({ schedule_id, hour }) => [schedule_id, hour]));
};

it('the timers of schedules that were made, moved and deleted while every message was lost are put right', async () => {
  const [made, moved, deleted] = [lost.ids.next(), lost.ids.next(), lost.ids.next()];
  const instanceId = await instance();
  const told = (scheduleId: string, type: 'ScheduleCreated' | 'ScheduleUpdated', hour: number): NewEvent => ({
    type,
    data: { scheduleId, instanceId, ...definition, hour },
  });
  await lost.record('schedule', moved, instanceId, told(moved, 'ScheduleCreated', 3));
  await lost.record('schedule', deleted, instanceId, told(deleted, 'ScheduleCreated', 4));
  await lost.start('scheduler', schedulerModule);
  await eventually(async () => expect(await timers()).toEqual({ [moved]: 3, [deleted]: 4 }), soon);
  await lost.stop();

  await lost.record('schedule', made, instanceId, told(made, 'ScheduleCreated', 5));
  await lost.record('schedule', moved, instanceId, told(moved, 'ScheduleUpdated', 6));
  const gone: NewEvent = { type: 'ScheduleDeleted', data: { scheduleId: deleted, instanceId } };
  await lost.record('schedule', deleted, instanceId, gone);
  await lost.loseAll('scheduler');
  await lost.start('scheduler', schedulerModule);
  await eventually(async () => expect(await timers()).toEqual({ [made]: 5, [moved]: 6 }), soon);
});

it('the timer of a schedule is set though the views of its account can not be folded, and no message is set aside', async () => {
  const scheduleId = lost.ids.next();
  const instanceId = await instance();
  await failFor(lost.dataSource, { table: 'view_head', column: 'account_id', value: accountId, code: '23514' });
  const created: NewEvent = { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } };
  await lost.record('schedule', scheduleId, instanceId, created);
  await lost.start('scheduler', schedulerModule);
  await eventually(async () => expect(await timers()).toEqual({ [scheduleId]: definition.hour }), soon);
  expect(await lost.dataSource.query('select error from dead_letter')).toEqual([]);
  const aside = await lost.dataSource.query('select kind, id from set_aside');
  expect(aside).toEqual([{ kind: 'account', id: accountId }]);
});

it('the timer of a schedule is set though folding the views of its account takes very long', async () => {
  const [scheduleId, instanceId] = [lost.ids.next(), await instance()];
  await lost.dataSource.query('insert into view_head (account_id) values ($1)', [accountId]);
  const holder = lost.dataSource.createQueryRunner();
  await holder.startTransaction();
  try {
    await holder.query('set local idle_in_transaction_session_timeout = 0');
    await holder.query('select 1 from view_head for update');
    const created: NewEvent = { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } };
    await lost.record('schedule', scheduleId, instanceId, created);
    await lost.start('scheduler', schedulerModule);
    await eventually(async () => expect(await timers()).toEqual({ [scheduleId]: definition.hour }), soon);
  } finally {
    await holder.rollbackTransaction();
    await holder.release();
  }
});

it('a message that needs the views of an account which always takes too long is set aside', async () => {
  const instanceId = await instance();
  await failFor(lost.dataSource, { table: 'view_head', column: 'account_id', value: accountId, code: '57014' });
  await lost.record('instance', instanceId, instanceId, { type: 'InstanceForgotten', data: { instanceId } });
  await lost.start('scheduler', schedulerModule);
  const letters = () => lost.dataSource.query('select error from dead_letter');
  const error = expect.stringContaining(`the views of account ${accountId} can't be folded`);
  await eventually(async () => expect(await letters()).toEqual([{ error }]), soon);
});

it('a backup, a deletion and a server to build are begun though their messages were lost, each once', async () => {
  const instanceId = await instance();
  const [asked, unwanted, building] = [lost.ids.next(), lost.ids.next(), lost.ids.next()];
  const deletion: NewEvent = {
    type: 'BackupDeletionRequested',
    data: { backupId: unwanted, instanceId, scheduleId: null, trigger: 'request' },
  };
  const build: NewEvent = {
    type: 'InstanceBuildRequested',
    data: { instanceId: building, name: 'twin', datastore, backupId: unwanted },
  };
  await lost.record('backup', asked, instanceId, requested(asked, instanceId));
  await lost.record(
    'backup',
    unwanted,
    instanceId,
    requested(unwanted, instanceId),
    completed(unwanted, instanceId),
    deletion,
  );
  await lost.record('instance', building, building, build);
  await lost.loseAll('scheduler');
  const metrics = await lost.start('scheduler', schedulerModule);
  await eventually(async () => {
    expect(await lost.told('backup', asked)).toContain('BackupFailed');
    expect(await lost.told('backup', unwanted)).toContain('BackupDeleted');
    expect(await lost.told('instance', building)).toEqual(['InstanceBuildRequested', 'InstanceBuildFailed']);
  }, soon);
  const attempts = (await lost.told('backup', asked)).filter((type) => type === 'BackupStarted');
  expect(attempts).toHaveLength(1);
  const text = await metrics();
  for (const type of ['BackupRequested', 'BackupDeletionRequested', 'InstanceBuildRequested']) {
    expect(text).toMatch(new RegExp(`strongroom_lost_messages_total{type="${type}",outcome="handled"} [12]\n`));
  }
});

it('a backup that waits for its next attempt is tried again at once when its instance is changed', async () => {
  const instanceId = await instance();
  const backupId = lost.ids.next();
  const [retryAt, retryUntil] = ['2099-01-01T00:00:00.000Z', '2099-01-02T00:00:00.000Z'];
  const about = { backupId, attempt: 1 };
  const failed = { code: 'server-unreachable', reason: 'The server does not answer.', retryAt, retryUntil };
  await lost.record(
    'backup',
    backupId,
    instanceId,
    requested(backupId, instanceId),
    { type: 'BackupStarted', data: { ...about, region: 'DFW', runner: 'spec' } },
    { type: 'BackupAttemptFailed', data: { ...about, instanceId, scheduleId: null, ...failed } },
  );
  await lost.dataSource.query(`update job set attempt = 1, ready_at = now() + interval '1 day' where id = $1`, [
    backupId,
  ]);
  await lost.start('scheduler', schedulerModule);
  const changed = { ...endpoint, port: 2, caCertificate: null, clientCertificate: null };
  await lost.record('instance', instanceId, instanceId, {
    type: 'InstanceChanged',
    data: { instanceId, name: 'orders', endpoint: changed, credentialId: null },
  });
  const begun = async () => (await lost.told('backup', backupId)).filter((type) => type === 'BackupStarted');
  await eventually(async () => expect((await begun()).length).toBeGreaterThan(1), soon);
});

/** The scheduler, with its handlers of events in the opposite order. */
function handlersReversed(parts: Parameters<typeof schedulerModule>[0]): ReturnType<typeof schedulerModule> {
  const module = schedulerModule(parts);
  return { ...module, controllers: [...(module.controllers ?? [])].reverse() };
}

it.each([
  ['in the order that they have', schedulerModule],
  ['in the opposite order', handlersReversed],
])(
  'retention is applied and chains are ended though the messages were lost, with the handlers %s',
  async (_, module) => {
    const instanceId = await instance();
    const scheduleId = lost.ids.next();
    const created: NewEvent = {
      type: 'ScheduleCreated',
      data: { scheduleId, instanceId, ...definition, dayOfWeek: 7 },
    };
    await lost.record('schedule', scheduleId, instanceId, created);
    const [older, newer] = [lost.ids.next(), lost.ids.next()];
    for (const [day, backupId] of [older, newer].entries()) {
      const slotAt = new Date(Date.UTC(2026, 0, day + 1, definition.hour)).toISOString();
      await lost.record(
        'backup',
        backupId,
        instanceId,
        requested(backupId, instanceId, { scheduleId, trigger: 'slot', slotAt }),
        { type: 'BackupIdentified', data: { backupId, instanceId, scheduleId, lineage: older, facts: null } },
        completed(backupId, instanceId, { scheduleId }),
      );
    }
    await lost.loseAll('scheduler');
    await lost.start('scheduler', module);
    await eventually(async () => {
      expect(await lost.told('backup', older)).toContain('BackupDeleted');
      const jobs = await lost.dataSource.query(`select id from job where kind = 'chain-end'`);
      expect(jobs).toContainEqual({ id: older });
    }, soon);
    expect(await lost.told('backup', newer)).toEqual(['BackupRequested', 'BackupIdentified', 'BackupCompleted']);
  },
);
