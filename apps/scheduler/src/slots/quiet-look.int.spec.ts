import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type NewEvent, streamOf } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import { Views } from '@strongroom/read-model';
import { createLogger, Metrics, RandomIds, SystemClock } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { type OwnLedger, openOwnLedger } from '../../../../test/services/own-ledger.js';
import { hearStatements } from '../../../../test/services/sent-statements.js';
import { DatabaseDueClock, SteadyDueClock } from './due-clock.js';
import { SlotDispatcher } from './slot-dispatcher.js';

const ids = new RandomIds();
const log = createLogger({ app: 'spec', level: 'silent' });
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const catchUpMs = 12 * hourMs;

let own: OwnLedger;
let dataSource: DataSource;
let ledger: Ledger;
/** The statements that were sent. */
let sent: string[] = [];
beforeAll(async () => {
  own = await openOwnLedger();
  ({ dataSource, ledger } = own);
  hearStatements(dataSource, (statement) => sent.push(statement));
});
afterAll(() => own.close());
beforeEach(() => dataSource.query('delete from slot_timer'));

/** A scheduler with right clocks that has looked before, so that it has looked through all timers. */
async function scheduler(): Promise<SlotDispatcher> {
  const clock = new SteadyDueClock({
    ...{ database: new DatabaseDueClock(), process: new SystemClock(), uptimeMs: () => performance.now() },
    ...{ boot: undefined, catchUpMs, metrics: new Metrics(), log },
  });
  const dispatcher = new SlotDispatcher(dataSource, ledger, new Views(dataSource, ledger), ids, clock, log, catchUpMs);
  await dispatcher.decideDue();
  sent = [];
  return dispatcher;
}

const slotIn = (hours: number) => new Date(new Date(Date.now() + hours * hourMs).setUTCSeconds(0, 0));

/** A schedule whose slots are at a time of each day, and its timer. */
async function schedule(nextSlotAt: Date | 'infinity', slotAt = slotIn(2)): Promise<string> {
  const [scheduleId, instanceId] = [ids.next(), ids.next()];
  const [hour, minute] = [slotAt.getUTCHours(), slotAt.getUTCMinutes()];
  const definition = { dayOfWeek: 7, hour, minute, fullBackupRetention: 2, copyTo: [], paused: false };
  const created: NewEvent = { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } };
  await ledger.append({
    ...{ stream: streamOf('schedule', scheduleId), expectedVersion: 0, accountId: 'acme', instanceId, context },
    ...{ events: [{ ...created, id: ids.next() }], claims: [], releases: [] },
  });
  await dataSource.query(
    `insert into slot_timer (schedule_id, account_id, instance_id, hour, minute, version, next_slot_at)
     values ($1, 'acme', $2, $3, $4, 1, $5)`,
    [scheduleId, instanceId, hour, minute, nextSlotAt],
  );
  return scheduleId;
}

const ringsAt = (scheduleId: string): Promise<unknown> =>
  dataSource.query('select next_slot_at as at from slot_timer where schedule_id = $1', [scheduleId]);

it('a look asks the database one thing while nothing is due, however many timers there are', async () => {
  for (const hours of [1, 2, 23]) await schedule(slotIn(hours), slotIn(hours));
  const dispatcher = await scheduler();
  expect(await dispatcher.decideDue()).toMatchObject({ fired: 0, skipped: 0, missed: 0 });
  const inMs = await dispatcher.nextInMs();
  expect(sent).toHaveLength(1);
  expect(inMs).toBeGreaterThan(hourMs / 2);
  expect(inMs).toBeLessThanOrEqual(hourMs);
});

it('a look asks one thing where there is no timer at all', async () => {
  const dispatcher = await scheduler();
  await dispatcher.decideDue();
  expect(await dispatcher.nextInMs()).toBe(Number.POSITIVE_INFINITY);
  expect(sent).toHaveLength(1);
});

it('a timer that a wrong clock has set is found by the next look, and rings at the next slot', async () => {
  const dispatcher = await scheduler();
  const slotAt = slotIn(2);
  const late = await schedule(new Date(slotAt.getTime() + 400 * dayMs), slotAt);
  await dispatcher.decideDue();
  expect(await ringsAt(late)).toEqual([{ at: slotAt }]);
  expect(await dispatcher.nextInMs()).toBeLessThanOrEqual(2 * hourMs);
});

it('a timer that never rings is found by the next look, and is removed to be made anew', async () => {
  const dispatcher = await scheduler();
  const never = await schedule('infinity');
  await dispatcher.decideDue();
  expect(await ringsAt(never)).toEqual([]);
});
