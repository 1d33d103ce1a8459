import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, type StreamName, streamOf } from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import { Ledger } from '@strongroom/ledger';
import { Views, viewTables } from '@strongroom/read-model';
import { createLogger, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { DueClock } from './due-clock.js';
import { SlotDispatcher } from './slot-dispatcher.js';
import { setTimer } from './slot-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const dayMs = 86_400_000;
const gib = 1_073_741_824;

/** A clock that says the time of the slot. */
class SlotClock extends DueClock {
  at = new Date();

  now(): Promise<Date> {
    return Promise.resolve(this.at);
  }
}

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
const clock = new SlotClock();

beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({
    applicationName: 'storage-quota-spec',
    entities: viewTables,
  }));
  ledger = new Ledger(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function record(
  accountId: string,
  stream: StreamName,
  instanceId: string,
  event: NewEvent,
): Promise<RecordedEvent> {
  const { length: expectedVersion } = await ledger.readStream(stream);
  const events = [{ ...event, id: ids.next() }];
  await ledger.append({ stream, expectedVersion, accountId, instanceId, context, events, claims: [], releases: [] });
  return (await ledger.readStream(stream)).at(-1) as RecordedEvent;
}

const datastore = { type: 'postgresql' as const, version: '18' };

/** @param of how large it is; without a size it is still being made */
async function backUp(accountId: string, instanceId: string, of: { gib?: number; copyTo?: string[] }): Promise<void> {
  const backupId = ids.next();
  const { copyTo = [] } = of;
  const about = { backupId, instanceId, scheduleId: null, type: 'full' as const, parentId: null, copyTo };
  const asked = { slotAt: null, trigger: 'request' as const, name: 'by hand', description: null, datastore };
  const stream = streamOf('backup', backupId);
  await record(accountId, stream, instanceId, { type: 'BackupRequested', data: { ...about, ...asked } });
  if (of.gib === undefined) return;
  const bytes = { sizeBytes: of.gib * gib, rawBytes: of.gib * gib, sha256: 'a'.repeat(64) };
  const made = { attempt: 1, region: 'DFW', location: 'backups/x', startedAt: '2026-11-24T00:00:00.000Z' };
  await record(accountId, stream, instanceId, { type: 'BackupCompleted', data: { ...about, ...made, ...bytes } });
}

/** An account with a schedule, and with one backup of so many GiB. @returns what became of the first slot */
async function accountStoring(accountId: string, storedGib: number): Promise<() => Promise<RecordedEvent | undefined>> {
  const [instanceId, scheduleId] = [ids.next(), ids.next()];
  const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' as const };
  await record(accountId, streamOf('instance', instanceId), instanceId, {
    type: 'InstanceRegistered',
    data: { instanceId, name: 'orders', datastore, endpoint },
  });
  await backUp(accountId, instanceId, { gib: storedGib });
  const definition = { dayOfWeek: 7, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
  const created = await record(accountId, streamOf('schedule', scheduleId), instanceId, {
    type: 'ScheduleCreated',
    data: { scheduleId, instanceId, ...definition },
  });
  if (created.type !== 'ScheduleCreated') throw new Error('the schedule was not recorded');
  await setTimer(dataSource.manager, created);
  const slotAt = new Date(created.at);
  slotAt.setUTCHours(2, 0, 0, 0);
  if (slotAt <= new Date(created.at)) slotAt.setTime(slotAt.getTime() + dayMs);
  clock.at = new Date(Math.max(clock.at.getTime(), slotAt.getTime()));
  return async () => (await ledger.readStream(streamOf('backup', scheduledBackupId(scheduleId, slotAt))))[0];
}

it('a slot of an account that stores as much as it may is skipped and says why; other accounts have their backups', async () => {
  const full = await accountStoring('full', 10);
  const below = await accountStoring('below', 9);
  const large = await accountStoring('large', 500);
  // The next backup of another instance of theirs is being made, and a copy of it will follow.
  const [filling, fitting] = [await accountStoring('filling', 4), await accountStoring('fitting', 3)];
  for (const accountId of ['filling', 'fitting']) {
    const other = ids.next();
    await backUp(accountId, other, { gib: 2 });
    await backUp(accountId, other, { copyTo: ['IAD'] });
  }
  const quota = { usual: 10, byAccount: new Map([['large', null]]) };
  const views = new Views(dataSource, ledger);
  await new SlotDispatcher(dataSource, ledger, views, ids, clock, log, dayMs / 2, quota).decideDue();
  expect(await full()).toMatchObject({
    type: 'SlotSkipped',
    data: {
      reason: expect.stringMatching(/^The account's backups and copies take 10\.0 GiB, and may take 10\. Delete some/),
    },
  });
  expect(await below()).toMatchObject({ type: 'BackupRequested' });
  expect(await filling()).toMatchObject({ type: 'SlotSkipped' });
  expect(await fitting()).toMatchObject({ type: 'BackupRequested' });
  expect(await large()).toMatchObject({ type: 'BackupRequested' });
});
