import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../../test/services/database.js';
import { setTimers } from './slot-timers.js';

const ids = new RandomIds();
type Changed = RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>;

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'many-timers-spec' }));
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

let position = 0;
function changed(scheduleId: string, version: number, hour: number): Changed {
  const instanceId = ids.next();
  const data = {
    scheduleId,
    instanceId,
    dayOfWeek: 0,
    hour,
    minute: 0,
    fullBackupRetention: 2,
    copyTo: [],
    paused: false,
  };
  position += 1;
  return {
    ...{ id: ids.next(), position, stream: streamOf('schedule', scheduleId), version, accountId: 'acme', instanceId },
    ...{
      at: '2026-11-27T01:00:00.000Z',
      context: { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' },
    },
    ...{ type: version === 1 ? 'ScheduleCreated' : 'ScheduleUpdated', data },
  };
}
const timerOf = async (scheduleId: string): Promise<unknown> =>
  (
    await dataSource.query(
      'select version, hour, next_slot_at as "nextSlotAt" from slot_timer where schedule_id = $1',
      [scheduleId],
    )
  )[0];

it('the timers of many schedules are set by one statement, and each rings for its own slot', async () => {
  const statements: string[] = [];
  dataSource.logger.logQuery = (statement) => void statements.push(statement);
  const events = Array.from({ length: 200 }, (_, number) => changed(ids.next(), 1, number % 24));
  const slots = await setTimers(dataSource.manager, events);
  dataSource.logger.logQuery = () => {};
  expect(statements).toHaveLength(1);
  for (const [at, { data }] of events.entries()) {
    expect(await timerOf(data.scheduleId)).toEqual({ version: 1, hour: data.hour, nextSlotAt: slots[at] });
  }
});

it('of the changes of one schedule that come at once the newest counts, and the timer rings for the earliest of their slots', async () => {
  const scheduleId = ids.next();
  const [first, second, third] = [changed(scheduleId, 1, 20), changed(scheduleId, 2, 5), changed(scheduleId, 3, 9)];
  const slots = await setTimers(dataSource.manager, [first, third, second]);
  expect(await timerOf(scheduleId)).toEqual({ version: 3, hour: 9, nextSlotAt: slots[2] });
});

it('news that come again, or late, move no timer', async () => {
  const scheduleId = ids.next();
  await setTimers(dataSource.manager, [changed(scheduleId, 2, 9)]);
  const before = await timerOf(scheduleId);
  await setTimers(dataSource.manager, [changed(scheduleId, 1, 5), changed(scheduleId, 2, 5)]);
  expect(await timerOf(scheduleId)).toEqual(before);
});
