import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type NewEvent, type StreamName, streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { Backups, Instances, Lineages, Runs, Views, viewTables } from './index.js';

const ids = new RandomIds();
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const sha256 = 'a'.repeat(64);
const slotAt = '2026-11-23T14:30:00.000Z';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'lineages-spec', entities: viewTables }));
  ledger = new Ledger(dataSource);
  views = new Views(dataSource, ledger);
});

afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

describe('the views', () => {
  it('tell which server a backup is of and why it is full, for every version that folded the account, and after a rebuild', async () => {
    const accountId = `account-${ids.next()}`;
    const [instanceId, scheduleId, old] = [ids.next(), ids.next(), ids.next()];
    const record = async (stream: StreamName, events: NewEvent[], expectedVersion = 0) => {
      const request = { stream, expectedVersion, accountId, instanceId, context, claims: [], releases: [] };
      const outcome = await ledger.append({
        ...request,
        events: events.map((event) => ({ ...event, id: ids.next() })),
      });
      expect(outcome).toMatchObject({ outcome: 'appended' });
    };
    const [full, incremental] = [ids.next(), ids.next()];
    const why = { ground: 'parent-slot-gone', reason: 'The slot is gone.' };
    const another = { formerLineage: old, formerBackupId: old, reason: 'Another system id.' };
    const facts = { systemId: '7', timeline: 1, tablespaces: [{ oid: '1', location: '/there' }] };
    const made = { attempt: 1, region: 'DFW', location: 'there', sizeBytes: 1, rawBytes: 1, sha256, startedAt: slotAt };
    const name = 'orders';
    const datastore = { type: 'postgresql' as const, version: '18' };
    await record(streamOf('instance', instanceId), [
      {
        type: 'InstanceRegistered',
        data: {
          instanceId,
          name,
          datastore,
          endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' },
        },
      },
    ]);
    const eventsOf = (backupId: string, type: 'full' | 'incremental'): NewEvent[] => {
      const of = { backupId, instanceId, scheduleId };
      const parentId = type === 'full' ? null : old;
      return [
        {
          type: 'BackupRequested',
          data: {
            ...of,
            slotAt,
            trigger: 'slot',
            type: 'incremental',
            parentId: old,
            name,
            description: null,
            datastore,
            copyTo: [],
          },
        },
        { type: 'BackupStarted', data: { backupId, attempt: 1, region: 'DFW', runner: 'spec' } },
        { type: 'BackupMadeFull', data: { ...of, plannedParentId: old, ...why } },
        { type: 'BackupIdentified', data: { ...of, lineage: full, facts } },
        { type: 'AnotherServerFound', data: { ...of, lineage: full, ...another } },
        { type: 'BackupCompleted', data: { ...of, ...made, type, parentId, copyTo: [] } },
      ];
    };
    await record(streamOf('backup', old), [
      {
        type: 'BackupRequested',
        data: {
          backupId: old,
          instanceId,
          scheduleId,
          slotAt,
          trigger: 'slot',
          type: 'full',
          parentId: null,
          name,
          description: null,
          datastore,
          copyTo: [],
        },
      },
      { type: 'BackupStarted', data: { backupId: old, attempt: 1, region: 'DFW', runner: 'spec' } },
      {
        type: 'BackupCompleted',
        data: { ...made, backupId: old, instanceId, scheduleId, type: 'full', parentId: null, copyTo: [] },
      },
    ]);
    await record(streamOf('backup', full), eventsOf(full, 'full'));
    // The bytes that an earlier attempt had sealed say what the backup is.
    await record(streamOf('backup', incremental), eventsOf(incremental, 'incremental'));
    const accepted = { lineage: full, inPlaceOf: [old] };
    await record(streamOf('instance', instanceId), [{ type: 'LineageAccepted', data: { instanceId, ...accepted } }], 1);
    // This backup is from before lineages were recorded, and is identified afterwards.
    const late = { backupId: old, instanceId, scheduleId, lineage: old, facts: null };
    await record(streamOf('backup', old), [{ type: 'BackupIdentified', data: late }], 3);
    await views.catchUp(accountId);
    const backups = new Backups(dataSource);
    expect(await backups.find(accountId, full)).toMatchObject({
      type: 'full',
      parentId: null,
      madeFull: { plannedParentId: old, ...why },
      lineage: full,
      facts,
      anotherServer: another,
    });
    expect(await backups.find(accountId, incremental)).toMatchObject({
      type: 'incremental',
      parentId: old,
      madeFull: null,
    });
    const runs = new Runs(dataSource);
    expect(await runs.find(scheduleId, full)).toMatchObject({ madeFull: { plannedParentId: old, ...why } });
    expect(await runs.find(scheduleId, incremental)).toMatchObject({ madeFull: null });
    expect(await new Instances(dataSource).find(accountId, instanceId)).toMatchObject({ accepted: [accepted] });
    const lineages = await new Lineages(dataSource).ofInstances([instanceId]);
    expect(lineages).toMatchObject([
      { id: full, backups: 2, newestBackupId: incremental, isNewest: true, anotherServer: another },
      { id: old, backups: 1, isNewest: false, anotherServer: null },
    ]);
    expect((await new Lineages(dataSource).completedOf(instanceId)).map(({ id }) => id)).toEqual([
      old,
      full,
      incremental,
    ]);
    expect(await backups.newestCompleted(instanceId)).toEqual({ id: incremental, isWhole: true });

    const rowsOf = () =>
      Promise.all(
        ['instance_view', 'backup_view', 'run_view'].map((table) =>
          dataSource.query(`select * from ${table} where account_id = $1 order by id`, [accountId]),
        ),
      );
    const before = await rowsOf();
    // The rows are as an older version left them that knew none of these events.
    await dataSource.query(
      `update backup_view set made_full = null, lineage = null, facts = null, another_server = null where account_id = $1`,
      [accountId],
    );
    await dataSource.query(`update instance_view set accepted_lineages = '[]' where account_id = $1`, [accountId]);
    await dataSource.query(
      `update view_head set passed_over = '{BackupMadeFull,BackupIdentified,AnotherServerFound,LineageAccepted}' where account_id = $1`,
      [accountId],
    );
    await views.catchUp(accountId);
    expect(await rowsOf()).toEqual(before);
    await views.rebuild();
    expect(await rowsOf()).toEqual(before);
  });
});
