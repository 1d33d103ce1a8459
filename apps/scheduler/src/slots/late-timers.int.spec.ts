import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type NewEvent, streamOf } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { createLogger, RandomIds, SetAside } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { failFor } from '../../../../test/services/failing-rows.js';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { HeldSchedules } from './held-schedules.js';
import { LateTimers } from './late-timers.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** More than are taken in one transaction. */
const many = 50;

let own: OwnLedger;
let dataSource: DataSource;
let ledger: Ledger;
beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource, ledger } = own);
});
afterAll(() => own.close());
beforeEach(() => dataSource.query('delete from slot_timer'));

/** Two days after the schedules were recorded, more than two hours before their next slot. */
const now = new Date(Date.now() + 2 * dayMs);
const inHours = (hours: number) => new Date(new Date(now.getTime() + hours * hourMs).setUTCMinutes(0, 0, 0));
const slotAt = inHours(3);
const definition = { dayOfWeek: 7, hour: slotAt.getUTCHours(), minute: 0, fullBackupRetention: 2, copyTo: [] };

async function schedule(...more: NewEvent['type'][]): Promise<string> {
  const [scheduleId, instanceId] = [ids.next(), ids.next()];
  const told: NewEvent[] = [
    { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition, paused: false } },
    ...more.map((): NewEvent => ({ type: 'ScheduleDeleted', data: { scheduleId, instanceId } })),
  ];
  await ledger.append({
    stream: streamOf('schedule', scheduleId),
    expectedVersion: 0,
    accountId: 'acme',
    instanceId,
    context,
    events: told.map((event) => ({ ...event, id: ids.next() })),
    claims: [],
    releases: [],
  });
  return scheduleId;
}
async function timer(scheduleId: string, nextSlotAt: Date, hour = definition.hour): Promise<void> {
  await dataSource.query(
    `insert into slot_timer (schedule_id, account_id, instance_id, hour, minute, version, next_slot_at)
     values ($1, 'acme', $2, $3, 0, 1, $4)`,
    [scheduleId, ids.next(), hour, nextSlotAt],
  );
}
const lateTimers = () => {
  const parts = { dataSource, ledger, log, catchUpMs: 12 * hourMs };
  return new LateTimers({ ...parts, setAside: new SetAside(dataSource), held: new HeldSchedules() });
};
const time = { now, isInDoubt: false, isSuspect: true, doubtMs: 0 };
const timerOf = async (scheduleId: string): Promise<{ next_slot_at: Date }[]> =>
  dataSource.query('select next_slot_at from slot_timer where schedule_id = $1', [scheduleId]);
const theSlot = [{ next_slot_at: slotAt }];

it('a late timer is put back though those of many deleted schedules are late too, and these are removed', async () => {
  for (let count = 0; count < many; count += 1) await timer(await schedule('ScheduleDeleted'), inHours(72));
  const scheduleId = await schedule();
  await timer(scheduleId, inHours(72));
  await lateTimers().putBack(time, Number.POSITIVE_INFINITY);
  expect(await timerOf(scheduleId)).toEqual(theSlot);
  expect(await dataSource.query('select count(*)::int as timers from slot_timer')).toEqual([{ timers: 1 }]);
});

it('a late timer is put back though many others only look late, because they have missed a change', async () => {
  for (let count = 0; count < many; count += 1) await timer(await schedule(), slotAt, inHours(2).getUTCHours());
  const scheduleId = await schedule();
  await timer(scheduleId, inHours(72));
  await lateTimers().putBack(time, Number.POSITIVE_INFINITY);
  expect(await timerOf(scheduleId)).toEqual(theSlot);
});

it('a late timer is put back though a statement about another one always takes too long, which is set aside', async () => {
  const [slow, scheduleId] = [await schedule(), await schedule()];
  for (const each of [slow, scheduleId]) await timer(each, inHours(72));
  const mend = await failFor(dataSource, { table: 'slot_timer', column: 'schedule_id', value: slow, code: '57014' });
  try {
    await lateTimers().putBack(time, Number.POSITIVE_INFINITY);
  } finally {
    await mend();
  }
  expect(await timerOf(scheduleId)).toEqual(theSlot);
  expect(await dataSource.query(`select id from set_aside where kind = 'schedule'`)).toEqual([{ id: slow }]);
});
