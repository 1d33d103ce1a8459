import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds, SetAside } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { failFor } from '../../../test/services/failing-rows.js';
import { created, passOverOne, registered, requested, type Written, writeEvent } from '../fixtures/written-events.js';
import { Backups, Instances, Schedules, Views, viewTables } from './index.js';

const ids = new RandomIds();

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;
const lines: string[] = [];

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'set-aside-spec', entities: viewTables }));
  ledger = new Ledger(dataSource);
  const log = createLogger({ app: 'spec', level: 'info', to: { write: (line) => void lines.push(line) } });
  views = new Views(dataSource, ledger, new SetAside(dataSource, log));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

/** What a test changes in the ledger, nobody can by the way that it is used. */
async function mend(id: string, column: 'type' | 'data', value: string): Promise<void> {
  await dataSource.transaction(async (manager) => {
    await manager.query('set local session_replication_role = replica');
    await manager.query('grant update on ledger_event to current_user');
    await manager.query(`update ledger_event set ${column} = $2 where id = $1`, [id, value]);
    await manager.query('revoke update on ledger_event from current_user');
  });
}
async function newestOf(stream: string): Promise<string> {
  const rows: { id: string }[] = await dataSource.query(
    'select id from ledger_event where stream = $1 order by version desc limit 1',
    [stream],
  );
  return rows[0]?.id ?? '';
}

const write = (...event: Written) => writeEvent(dataSource, ...event);
const passOver = (accountId: string, newerType: string) => passOverOne(dataSource, accountId, newerType);
const asideOf = (accountId: string) =>
  dataSource.query('select kind, id, reason from set_aside where account_id = $1 order by id', [accountId]);

/** Two accounts with a schedule each that was set aside. The second one can be read by now, and is tried after the first. */
async function brokenThenMended() {
  const [first, second] = [`account-${ids.next()}`, `account-${ids.next()}`];
  const [broken, mended] = [ids.next(), ids.next()];
  await dataSource.query('delete from set_aside');
  await write(first, 'schedule', broken, 'ScheduleCreated', { ...created(broken), hour: 'noon' });
  await views.catchUp(first);
  await write(second, 'schedule', mended, 'ScheduleCreated', { ...created(mended), hour: 'noon' });
  await views.catchUp(second);
  await mend(await newestOf(streamOf('schedule', mended)), 'data', JSON.stringify(created(mended)));
  return { first, second, broken, mended };
}

describe('a stream that the views can not take', () => {
  it.each([
    [
      'has an event without a known form',
      (id: string) => ({ type: 'BackupStarted', data: { backupId: id, attempt: 'one' } }),
    ],
    ['has an event without data', () => ({ type: 'BackupStarted', data: null })],
    ['has text that no table takes', (id: string) => ({ type: 'BackupRequested', data: requested(id), nul: true })],
    ['is named by no id', (id: string) => ({ type: 'BackupRequested', data: requested(id), as: 'none' })],
  ])('because it %s is set aside by its name, counted and logged once, and the others go on', async (_, eventOf) => {
    const accountId = `account-${ids.next()}`;
    const [instance, backup, later] = [ids.next(), ids.next(), ids.next()];
    const event: { type: string; data: unknown; nul?: boolean; as?: string } = eventOf(backup);
    const bad = event.as ?? backup;
    await write(accountId, 'instance', instance, 'InstanceRegistered', registered(instance));
    if (event.as === undefined) await write(accountId, 'backup', backup, 'BackupRequested', requested(backup));
    await write(accountId, 'backup', bad, event.type, event.data);
    if (event.nul) await dataSource.query(`alter table backup_view add constraint none check (id <> '${backup}')`);
    await write(accountId, 'instance', later, 'InstanceRegistered', registered(later, 'later'));
    lines.length = 0;
    try {
      await views.catchUp(accountId);
      await views.catchUp(accountId);
    } finally {
      await dataSource.query('alter table backup_view drop constraint if exists none');
    }
    const { items = [] } = (await new Instances(dataSource).page(accountId, { limit: 10 })) ?? {};
    expect(items.map(({ id }) => id).sort()).toEqual([instance, later].sort());
    expect(await asideOf(accountId)).toMatchObject([{ kind: 'stream', id: streamOf('backup', bad) }]);
    expect(lines.filter((line) => line.includes(streamOf('backup', bad)))).toHaveLength(1);
    await write(accountId, 'instance', instance, 'InstanceForgotten', { instanceId: instance });
    await views.catchUp(accountId);
    expect(await new Instances(dataSource).find(accountId, instance)).toBeUndefined();
  });

  it('shows what its other events say, and is whole again once it can be read', async () => {
    const accountId = `account-${ids.next()}`;
    const [schedule, other] = [ids.next(), ids.next()];
    await write(accountId, 'schedule', schedule, 'ScheduleCreated', created(schedule));
    await write(accountId, 'schedule', schedule, 'ScheduleUpdated', { ...created(schedule), hour: 'noon' });
    const bad = await newestOf(streamOf('schedule', schedule));
    await write(accountId, 'schedule', other, 'ScheduleCreated', created(other));
    await views.catchUp(accountId);
    expect(await new Schedules(dataSource).find(accountId, schedule)).toMatchObject({ hour: 14, version: 1 });
    await views.retrySetAside();
    const reason = expect.stringMatching(/position \d+ has no known form: hour: /);
    expect(await asideOf(accountId)).toEqual([{ kind: 'stream', id: streamOf('schedule', schedule), reason }]);

    await mend(bad, 'data', JSON.stringify({ ...created(schedule), hour: 12 }));
    await views.retrySetAside();
    expect(await new Schedules(dataSource).find(accountId, schedule)).toMatchObject({ hour: 12, version: 2 });
    expect(await new Schedules(dataSource).find(accountId, other)).toMatchObject({ hour: 14 });
    expect(await asideOf(accountId)).toEqual([]);
  });

  it('holds up no other that is tried again after it, whatever fails', async () => {
    const { first, second, broken, mended } = await brokenThenMended();
    // The account's head can't be written any more.
    await dataSource.query(`alter table view_head add constraint broken check (account_id <> '${first}') not valid`);
    try {
      for (let pass = 0; pass < 2; pass += 1) await views.retrySetAside(1);
    } finally {
      await dataSource.query('alter table view_head drop constraint broken');
    }
    expect(await new Schedules(dataSource).find(second, mended)).toMatchObject({ hour: 14 });
    expect(await asideOf(first)).toMatchObject([{ id: streamOf('schedule', broken) }]);
  });

  it('leaves the list of events of its account as it is, without the event', async () => {
    const accountId = `account-${ids.next()}`;
    const [first, second] = [ids.next(), ids.next()];
    await write(accountId, 'instance', first, 'InstanceRegistered', registered(first));
    await write(accountId, 'instance', first, 'InstanceForgotten', { to: 'nowhere' });
    await write(accountId, 'instance', second, 'InstanceRegistered', registered(second));
    const told = await ledger.followAccount(accountId, 0, 10);
    expect(told.map(({ stream }) => stream)).toEqual([first, second].map((id) => streamOf('instance', id)));
  });
});

describe('an account whose views always take too long', () => {
  const log = createLogger({ app: 'spec', level: 'silent' });
  const slow = (accountId: string) =>
    failFor(dataSource, { table: 'view_head', column: 'account_id', value: accountId, code: '57014' });

  it('is set aside until its views are folded, and those behind it are brought up to date', async () => {
    const [first, second] = [`account-${ids.next()}`, `account-${ids.next()}`];
    const [schedule, other] = [ids.next(), ids.next()];
    await write(first, 'schedule', schedule, 'ScheduleCreated', created(schedule));
    await write(second, 'schedule', other, 'ScheduleCreated', created(other));
    const mended = await slow(first);
    try {
      await views.catchUpEach([first, second], log);
    } finally {
      await mended();
    }
    expect(await new Schedules(dataSource).find(second, other)).toMatchObject({ hour: 14 });
    expect(await asideOf(first)).toMatchObject([{ kind: 'account', id: first }]);
    await views.retryAccountsSetAside(log);
    expect(await new Schedules(dataSource).find(first, schedule)).toMatchObject({ hour: 14 });
    expect(await asideOf(first)).toEqual([]);
  });

  it('holds up none of the streams that are tried again after one of its own', async () => {
    const { first, second, mended } = await brokenThenMended();
    const undo = await slow(first);
    try {
      await views.retrySetAside();
    } finally {
      await undo();
    }
    expect(await new Schedules(dataSource).find(second, mended)).toMatchObject({ hour: 14 });
    expect(await asideOf(second)).toEqual([]);
  });
});

describe('an older version beside a newer one', () => {
  it('makes it fold only what was passed over, each time: all other rows stay untouched', async () => {
    const accountId = `account-${ids.next()}`;
    const kept = Array.from({ length: 300 }, () => ids.next());
    for (const id of kept) await write(accountId, 'backup', id, 'BackupRequested', requested(id));
    await views.catchUp(accountId);
    const versionsOf = async () =>
      dataSource.query('select id, xmin::text from backup_view where id = any($1) order by id', [kept]);
    const untouched = await versionsOf();
    for (let round = 0; round < 3; round += 1) {
      const [schedule, instance] = [ids.next(), ids.next()];
      await write(accountId, 'schedule', schedule, 'ScheduleCreated', created(schedule));
      await write(accountId, 'instance', instance, 'InstanceRegistered', registered(instance));
      await passOver(accountId, 'ScheduleCreated');
      await passOver(accountId, 'InstanceRegistered datastore.type=postgresql');
      expect(await new Schedules(dataSource).find(accountId, schedule)).toBeUndefined();
      await views.catchUp(accountId);
      expect(await new Schedules(dataSource).find(accountId, schedule)).toMatchObject({ hour: 14 });
      expect(await new Instances(dataSource).find(accountId, instance)).toMatchObject({ name: 'orders' });
    }
    expect(await versionsOf()).toEqual(untouched);
    expect(await dataSource.query('select passed_over from view_head where account_id = $1', [accountId])).toEqual([
      { passed_over: [] },
    ]);
  });

  it('keeps every row of a stream that is folded anew visible meanwhile', async () => {
    const accountId = `account-${ids.next()}`;
    const backup = ids.next();
    await write(accountId, 'backup', backup, 'BackupRequested', requested(backup));
    await views.catchUp(accountId);
    const started = { backupId: backup, attempt: 1, region: 'DFW', runner: 'spec' };
    await write(accountId, 'backup', backup, 'BackupStarted', started);
    await passOver(accountId, 'BackupStarted');
    const run = dataSource.createQueryRunner();
    await run.startTransaction();
    try {
      // Whoever folds waits here, so this sees what others see meanwhile.
      await run.query('select 1 from view_head where account_id = $1 for update', [accountId]);
      const folding = views.catchUp(accountId);
      expect(await new Backups(dataSource).find(accountId, backup)).toMatchObject({ status: 'NEW' });
      await run.commitTransaction();
      await folding;
    } finally {
      await run.release();
    }
    expect(await new Backups(dataSource).find(accountId, backup)).toMatchObject({ status: 'BUILDING' });
  });

  it('and a third one: what two versions passed over is folded by the one that knows it, whoever was first', async () => {
    const accountId = `account-${ids.next()}`;
    const [first, second] = [ids.next(), ids.next()];
    await write(accountId, 'schedule', first, 'ScheduleTeleported', {});
    await write(accountId, 'instance', second, 'InstanceRegistered', registered(second));
    await views.catchUp(accountId);
    const schedule = ids.next();
    await write(accountId, 'schedule', schedule, 'ScheduleCreated', created(schedule));
    await passOver(accountId, 'ScheduleCreated');
    await views.catchUp(accountId);
    expect(await new Schedules(dataSource).find(accountId, schedule)).toMatchObject({ hour: 14 });
    // The version that knows the first event, and reads it as this one reads `ScheduleCreated`, finds it still.
    await mend(await newestOf(streamOf('schedule', first)), 'type', 'ScheduleCreated');
    await mend(await newestOf(streamOf('schedule', first)), 'data', JSON.stringify(created(first)));
    await dataSource.query(`update view_head set passed_over = '{ScheduleCreated}' where account_id = $1`, [accountId]);
    await views.catchUp(accountId);
    expect(await new Schedules(dataSource).find(accountId, first)).toMatchObject({ hour: 14 });
  });

  it('an account whose position is set back to 0 is folded anew, without rows that no event tells of', async () => {
    const accountId = `account-${ids.next()}`;
    const [schedule, ghost] = [ids.next(), ids.next()];
    await write(accountId, 'schedule', schedule, 'ScheduleCreated', created(schedule));
    await views.catchUp(accountId);
    await dataSource.query(
      'insert into schedule_view select (jsonb_populate_record(s, $2)).* from schedule_view s where id = $1',
      [schedule, { id: ghost }],
    );
    await dataSource.query('update schedule_view set hour = 1 where id = $1', [schedule]);
    await dataSource.query('update view_head set position = 0 where account_id = $1', [accountId]);
    await views.catchUp(accountId);
    expect(await new Schedules(dataSource).find(accountId, schedule)).toMatchObject({ hour: 14 });
    expect(await new Schedules(dataSource).find(accountId, ghost)).toBeUndefined();
  });
});
