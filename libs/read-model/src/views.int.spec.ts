import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventData, type NewEvent, streamOf } from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { eventually } from '../../../test/services/eventually.js';
import { Backups, Copies, Instances, Runs, Schedules, Views, viewTables } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const sha256 = 'a'.repeat(64);
const slotAt = '2026-11-23T14:30:00.000Z';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'views-spec', entities: viewTables }));
  ledger = new Ledger(dataSource);
  views = new Views(dataSource, ledger);
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function record(
  accountId: string,
  instanceId: string,
  stream: ReturnType<typeof streamOf>,
  events: NewEvent[],
  after = 0,
) {
  const outcome = await ledger.append({
    stream,
    expectedVersion: after,
    accountId,
    instanceId,
    context,
    events: events.map((event) => ({ ...event, id: ids.next() })),
    claims: [],
    releases: [],
  });
  expect(outcome).toMatchObject({ outcome: 'appended' });
}

/** An account with an instance, a schedule, a completed backup, its copy, a failed backup and a skipped slot. */
async function history() {
  const accountId = `account-${ids.next()}`;
  const [instanceId, scheduleId, backupId, failedId, skippedId] = [
    ids.next(),
    ids.next(),
    ids.next(),
    ids.next(),
    ids.next(),
  ];
  const definition = {
    dayOfWeek: 0,
    hour: 14,
    minute: 30,
    fullBackupRetention: 2,
    copyTo: ['IAD', 'ORD'],
    paused: false,
  };
  const requested = (id: string): EventData<'BackupRequested'> => ({
    backupId: id,
    instanceId,
    scheduleId,
    slotAt,
    trigger: 'slot',
    type: 'full',
    parentId: null,
    name: 'orders',
    description: null,
    datastore: { type: 'postgresql', version: '18' },
    copyTo: definition.copyTo,
  });
  const { copyTo: _, ...withoutCopies } = definition;
  await record(accountId, instanceId, streamOf('instance', instanceId), [
    {
      type: 'InstanceRegistered',
      data: {
        instanceId,
        name: 'orders',
        datastore: { type: 'postgresql', version: '18' },
        endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' },
      },
    },
  ]);
  await record(accountId, instanceId, streamOf('schedule', scheduleId), [
    { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } },
    { type: 'ScheduleUpdated', data: { scheduleId, instanceId, ...withoutCopies, hour: 3, copyTo: ['IAD'] } },
  ]);
  await record(accountId, instanceId, streamOf('backup', failedId), [
    { type: 'BackupRequested', data: requested(failedId) },
    {
      type: 'BackupFailed',
      data: { backupId: failedId, instanceId, scheduleId, attempt: 1, code: 'server-unreachable', reason: 'down' },
    },
  ]);
  await record(accountId, instanceId, streamOf('backup', backupId), [
    { type: 'BackupRequested', data: requested(backupId) },
    { type: 'BackupStarted', data: { backupId, attempt: 1, region: 'DFW', runner: 'spec' } },
    {
      type: 'BackupCompleted',
      data: {
        backupId,
        instanceId,
        scheduleId,
        type: 'full',
        parentId: null,
        attempt: 1,
        region: 'DFW',
        location: 'backups/1',
        sizeBytes: 5_000_000_000,
        rawBytes: 9_000_000_000,
        sha256,
        copyTo: ['IAD'],
        startedAt: slotAt,
      },
    },
  ]);
  await record(accountId, instanceId, streamOf('backup', skippedId), [
    { type: 'SlotSkipped', data: { scheduleId, instanceId, slotAt: '2026-11-24T14:30:00.000Z', reason: 'busy' } },
  ]);
  const copy = copyId(backupId, 'IAD');
  await record(accountId, instanceId, streamOf('copy', copy), [
    {
      type: 'CopyRequested',
      data: {
        copyId: copy,
        backupId,
        instanceId,
        region: 'IAD',
        sourceRegion: 'DFW',
        parentId: null,
        sizeBytes: 5_000_000_000,
        sha256,
      },
    },
    { type: 'CopyStarted', data: { copyId: copy, backupId, region: 'IAD', attempt: 1, replicator: 'spec' } },
  ]);
  return { accountId, instanceId, scheduleId, backupId, failedId, skippedId, copy };
}

async function everyRow(): Promise<unknown> {
  const views = ['instance_view', 'schedule_view', 'backup_view', 'run_view', 'restore_test_view', 'copy_view'];
  const tables = [...views, 'view_head'];
  return Promise.all(tables.map((table) => dataSource.query(`select * from ${table} order by 1`)));
}

describe('the views', () => {
  it('reflect every event that was appended before they were read', async () => {
    const { accountId, instanceId, scheduleId, backupId, failedId, copy } = await history();
    await views.catchUp(accountId);
    expect(await new Instances(dataSource).find(accountId, instanceId)).toMatchObject({ name: 'orders', version: 1 });
    expect(await new Schedules(dataSource).find(accountId, scheduleId)).toMatchObject({
      hour: 3,
      copyTo: ['IAD'],
      version: 2,
    });
    expect(await new Backups(dataSource).find(accountId, backupId)).toMatchObject({
      status: 'COMPLETED',
      sizeBytes: 5_000_000_000,
      sha256,
    });
    expect(await new Backups(dataSource).find(accountId, failedId)).toMatchObject({
      status: 'FAILED',
      fault: { code: 'server-unreachable', reason: 'down' },
    });
    expect((await new Copies(dataSource).ofBackups([backupId])).get(backupId)).toEqual([
      expect.objectContaining({ id: copy, status: 'COPYING', region: 'IAD', attempt: 1 }),
    ]);
    expect((await new Schedules(dataSource).activity([scheduleId])).get(scheduleId)).toMatchObject({ running: false });
    const runs = await new Runs(dataSource).page(scheduleId, { limit: 10 });
    expect(runs.items.map(({ outcome }) => outcome)).toEqual(['skipped', 'ran', 'ran']);
  });

  it('show nothing of one account to another', async () => {
    const { accountId, backupId, scheduleId, instanceId } = await history();
    await views.catchUp(accountId);
    expect(await new Backups(dataSource).find('other', backupId)).toBeUndefined();
    expect(await new Schedules(dataSource).find('other', scheduleId)).toBeUndefined();
    expect(await new Instances(dataSource).find('other', instanceId)).toBeUndefined();
    expect(await new Backups(dataSource).page('other', { limit: 5 })).toEqual({ items: [], more: false });
  });

  it('are the same when many fold the same account at once', async () => {
    const { accountId, scheduleId } = await history();
    await Promise.all(Array.from({ length: 8 }, () => views.catchUp(accountId)));
    expect(await new Schedules(dataSource).find(accountId, scheduleId)).toMatchObject({ hour: 3, version: 2 });
  });

  it('forget a deleted schedule', async () => {
    const { accountId, instanceId, scheduleId } = await history();
    await views.catchUp(accountId);
    await record(
      accountId,
      instanceId,
      streamOf('schedule', scheduleId),
      [{ type: 'ScheduleDeleted', data: { scheduleId, instanceId } }],
      2,
    );
    await views.catchUp(accountId);
    expect(await new Schedules(dataSource).find(accountId, scheduleId)).toBeUndefined();
  });

  it('are the same after they were dropped and rebuilt from the ledger', async () => {
    const { accountId } = await history();
    await views.catchUp(accountId);
    await views.rebuild();
    const before = await everyRow();
    await views.rebuild();
    expect(await everyRow()).toEqual(before);
    expect((await new Backups(dataSource).page(accountId, { limit: 5 }))?.items).toHaveLength(2);
  });

  it('keep the runs of a schedule when its backups are gone, also runs from before the view had them', async () => {
    const { accountId, instanceId, scheduleId, backupId, failedId } = await history();
    const askedFor = ids.next();
    const request: EventData<'BackupRequested'> = {
      backupId: askedFor,
      instanceId,
      scheduleId,
      slotAt: null,
      trigger: 'run-now',
      type: 'full',
      parentId: null,
      name: 'asked for',
      description: null,
      datastore: { type: 'postgresql', version: '18' },
      copyTo: [],
    };
    await record(accountId, instanceId, streamOf('backup', askedFor), [{ type: 'BackupRequested', data: request }]);
    await views.catchUp(accountId);
    const lastRunAt = async () =>
      (await new Schedules(dataSource).activity([scheduleId])).get(scheduleId)?.lastRunAt?.toISOString();
    const ranAt = await lastRunAt();
    const [newest] = (await new Backups(dataSource).page(accountId, { limit: 1 }))?.items ?? [];
    expect(newest).toMatchObject({ id: askedFor, createdAt: new Date(ranAt ?? '') });

    for (const [id, version] of [
      [askedFor, 1],
      [backupId, 3],
      [failedId, 2],
    ] as const) {
      const deleted = { backupId: id, instanceId, scheduleId };
      await record(
        accountId,
        instanceId,
        streamOf('backup', id),
        [
          { type: 'BackupDeletionRequested', data: { ...deleted, trigger: 'request' } },
          { type: 'BackupDeleted', data: deleted },
        ],
        version,
      );
    }
    await views.catchUp(accountId);
    expect((await new Backups(dataSource).page(accountId, { limit: 5 }))?.items).toEqual([]);
    expect(await lastRunAt()).toBe(ranAt);
    expect((await new Runs(dataSource).page(scheduleId, { limit: 10 })).items).toHaveLength(3);
  });

  it('page through backups newest first, each once', async () => {
    const accountId = `account-${ids.next()}`;
    const made: string[] = [];
    for (let n = 0; n < 7; n += 1) {
      const [instanceId, backupId] = [ids.next(), ids.next()];
      const data: EventData<'BackupRequested'> = {
        backupId,
        instanceId,
        scheduleId: null,
        slotAt: null,
        trigger: 'request',
        type: 'full',
        parentId: null,
        name: `backup ${n}`,
        description: null,
        datastore: { type: 'postgresql', version: '18' },
        copyTo: [],
      };
      await record(accountId, instanceId, streamOf('backup', backupId), [{ type: 'BackupRequested', data }]);
      made.unshift(backupId);
    }
    await views.catchUp(accountId);
    const backups = new Backups(dataSource);
    const found: string[] = [];
    let marker: string | undefined;
    for (;;) {
      const page = await backups.page(accountId, { limit: 3, marker });
      found.push(...(page?.items.map(({ id }) => id) ?? []));
      if (!page?.more) break;
      marker = found.at(-1);
    }
    expect(found).toEqual(made);
    expect(await backups.page(accountId, { limit: 3, marker: ids.next() })).toBeUndefined();
  });

  it('skip what a newer version has recorded, go on with what follows, and show it once it is known', async () => {
    const { accountId, instanceId, scheduleId, backupId } = await history();
    await views.catchUp(accountId);
    const recordNewer = (type: string, data: object) =>
      dataSource.query('select * from ledger_append($1)', [
        JSON.stringify([
          {
            request: 0,
            stream: streamOf('schedule', ids.next()),
            expectedVersion: 0,
            accountId,
            instanceId,
            aggregate: 'schedule',
            context: { ...context, tenant: 'a field more' },
            events: [{ id: ids.next(), type, data }],
            claims: [],
            releases: [],
          },
        ]),
      ]);
    const [wider, newerServer] = [ids.next(), ids.next()];
    await recordNewer('ScheduleTeleported', { to: 'nowhere' });
    await recordNewer('InstanceRegistered', {
      instanceId: newerServer,
      name: 'orders',
      datastore: { type: 'of a newer kind', version: '1' },
      endpoint: { host: 'db', port: 1, user: 'backup', database: 'orders', tls: 'disable' },
    });
    await recordNewer('ScheduleCreated', {
      scheduleId: wider,
      instanceId,
      dayOfWeek: 0,
      hour: 5,
      minute: 0,
      fullBackupRetention: 2,
      copyTo: [],
      paused: false,
      mood: 'fine',
    });
    const deletion: NewEvent = { type: 'ScheduleDeleted', data: { scheduleId, instanceId } };
    await record(accountId, instanceId, streamOf('schedule', scheduleId), [deletion], 2);
    await views.catchUp(accountId);
    expect(await new Schedules(dataSource).find(accountId, scheduleId)).toBeUndefined();
    expect((await ledger.followAccount(accountId, 0, 100)).map(({ type }) => type)).not.toContain('ScheduleTeleported');
    expect(await new Instances(dataSource).find(accountId, newerServer)).toBeUndefined();
    expect(await ledger.followAccount(accountId, 0, 12)).toHaveLength(12);
    expect(await ledger.followAccount(accountId, 0, 1_000)).toHaveLength(13);

    // The account is as a version left it that did not know this type, or this value.
    for (const newer of ['BackupCompleted', 'InstanceRegistered datastore.type=postgresql']) {
      await dataSource.query('update view_head set passed_over = array_append(passed_over, $2) where account_id = $1', [
        accountId,
        newer,
      ]);
      await dataSource.query(`update backup_view set status = 'BUILDING' where id = $1`, [backupId]);
      await views.catchUp(accountId);
      expect(await new Backups(dataSource).find(accountId, backupId)).toMatchObject({ status: 'COMPLETED' });
      expect(await dataSource.query('select passed_over from view_head where account_id = $1', [accountId])).toEqual([
        { passed_over: ['ScheduleTeleported', 'InstanceRegistered datastore.type=of a newer kind'] },
      ]);
    }
  });
});

it('views are folded for whoever asks, though the process was silent for too long in the middle of it', async () => {
  const { accountId, instanceId } = await history();
  /** Its session ends as the database ends that of a silent process: between two statements. */
  class Silent extends Ledger {
    times = 0;
    override async nextOfAccounts(
      ...asked: Parameters<Ledger['nextOfAccounts']>
    ): ReturnType<Ledger['nextOfAccounts']> {
      const [manager] = asked;
      this.times += 1;
      if (this.times === 1) {
        const [{ pid }] = await manager.query('select pg_backend_pid() as pid');
        await dataSource.query('select pg_terminate_backend($1)', [pid]);
        await eventually(() => expect(manager.queryRunner?.isReleased).toBe(true), { withinMs: 10_000 });
      }
      return super.nextOfAccounts(...asked);
    }
  }
  const silent = new Silent(dataSource);
  await new Views(dataSource, silent).catchUp(accountId);
  expect(silent.times).toBe(2);
  expect(await new Instances(dataSource).find(accountId, instanceId)).toMatchObject({ id: instanceId });
});
