import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getSchedules, getSchedulesId, postSchedules, putSchedulesId } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { openDataSource } from '../../../../test/services/database.js';
import { addEvent, removeNewest } from '../../../../test/services/unreadable-event.js';
import { fullFaultOf, outcomeIn } from '../../fixtures/answers.js';
import { Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
let dataSource: DataSource;
beforeAll(async () => {
  gateway = await Gateway.open();
  dataSource = await openDataSource({ url: gateway.database.url, applicationName: 'unreadable-spec' });
});
afterAll(async () => {
  await dataSource.destroy();
  await gateway.close();
});

const answered = z.object({ schedule: z.looseObject({ id: z.string() }) });
const listed = z.object({ schedules: z.array(z.looseObject({ id: z.string(), fault: z.unknown().optional() })) });
async function create(): Promise<string> {
  const schedule = { action: 'backup', instance_id: await gateway.register(), day_of_week: 0, hour: 14, minute: 30 };
  return answered.parse((await gateway.call(postSchedules, { body: { schedule } })).body).schedule.id;
}
const shown = async (id: string) => answered.parse((await gateway.call(getSchedulesId, { id })).body).schedule;
const put = (id: string) => gateway.call(putSchedulesId, { id, body: { schedule: { hour: 3 } } });

it('a schedule that can not be read says that it does not fire and why, and changes nothing; all others are as ever', async () => {
  const [broken, other] = [await create(), await create()];
  await addEvent(dataSource, `schedule-${broken}`, { type: 'ScheduleUpdated', data: { hour: 'noon' } });
  const fault = {
    code: 'set-aside',
    message: expect.stringMatching(/^The schedule does not fire .* dayOfWeek: .* operator/),
  };
  expect(await shown(broken)).toMatchObject({ hour: 14, fault });
  expect(await shown(other)).not.toHaveProperty('fault');
  const { schedules } = listed.parse((await gateway.call(getSchedules)).body);
  const faultsById = new Map(schedules.map(({ id, fault: told }) => [id, told]));
  expect(faultsById).toEqual(
    new Map<string, unknown>([
      [broken, fault],
      [other, undefined],
    ]),
  );

  const refused = await put(broken);
  expect(fullFaultOf(refused)).toEqual([503, 'serviceUnavailable', expect.stringContaining('could not read')]);
  expect(outcomeIn(refused.body)).toBe('nothing');
  expect((await put(other)).status).toBe(202);
  const metrics = await (await fetch(new URL('/metrics', gateway.privateUrl))).text();
  expect(metrics).toContain('strongroom_set_aside{kind="stream"} 1');
  await removeNewest(dataSource, `schedule-${broken}`);
  expect((await put(broken)).status).toBe(202);
});
