import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type NewEvent, type RecordedEvent, type StreamName, streamOf } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { Views } from '@strongroom/read-model';
import { createLogger, FixedClock, RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { failFor } from '../../../../test/services/failing-rows.js';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { SlotDispatcher } from './slot-dispatcher.js';
import { setTimer } from './slot-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const dayMs = 86_400_000;

let own: OwnLedger;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource, ledger } = own);
});
afterAll(() => own.close());

async function record(stream: StreamName, instanceId: string, event: NewEvent): Promise<RecordedEvent | undefined> {
  const target = { stream, expectedVersion: 0, accountId: 'acme', instanceId, context };
  await ledger.append({ ...target, events: [{ ...event, id: ids.next() }], claims: [], releases: [] });
  return (await ledger.readStream(stream)).at(-1);
}

async function schedule(): Promise<string> {
  const [scheduleId, instanceId] = [ids.next(), ids.next()];
  const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' as const };
  await record(streamOf('instance', instanceId), instanceId, {
    type: 'InstanceRegistered',
    data: { instanceId, name: 'orders', datastore: { type: 'postgresql', version: '18' }, endpoint },
  });
  const definition = { dayOfWeek: 0, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: [], paused: false };
  const data = { scheduleId, instanceId, ...definition };
  const created = await record(streamOf('schedule', scheduleId), instanceId, { type: 'ScheduleCreated', data });
  await setTimer(dataSource.manager, created as RecordedEvent<'ScheduleCreated'>);
  return scheduleId;
}

it('a schedule whose timer always takes too long to move is set aside, and the slots of the others are decided', async () => {
  const [slow, other] = [await schedule(), await schedule()];
  const clock = new FixedClock(new Date(Date.now() + 2 * dayMs));
  const due = { now: () => Promise.resolve(clock.now()), time: async () => time() };
  const time = () => ({ now: clock.now(), isInDoubt: false, doubtMs: 0, isSuspect: false });
  const views = new Views(dataSource, ledger);
  const dispatcher = new SlotDispatcher(dataSource, ledger, views, ids, due, log, 12 * 3_600_000);
  const mend = await failFor(dataSource, { table: 'slot_timer', column: 'schedule_id', value: slow, code: '57014' });
  try {
    await dispatcher.decideDue();
  } finally {
    await mend();
  }
  const left = await dataSource.query('select schedule_id from slot_timer where next_slot_at <= $1', [clock.now()]);
  expect(left).toEqual([{ schedule_id: slow }]);
  expect(await dataSource.query(`select id from set_aside where kind = 'schedule'`)).toEqual([{ id: slow }]);
  expect(other).not.toBe(slow);
});
