import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteSchedulesId,
  getInstancesId,
  getInstancesIdBackups,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  pathOf,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import { FixedClock } from '@strongroom/runtime';
import { z } from 'zod';
import { faultOf, fullFaultOf, nothing } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

const clock = new FixedClock(new Date('2020-11-14T07:28:17Z'));

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ clock });
});
afterAll(() => gateway.close());

const schedules = z.object({
  schedules: z.array(z.looseObject({ id: z.string() })),
  links: z.array(z.object({ rel: z.string(), href: z.string() })),
});
const create = (schedule: object) => gateway.call(postSchedules, { body: { schedule } });
const put = (id: string, schedule: object) => gateway.call(putSchedulesId, { id, body: { schedule } });
const shown = async (id: string) =>
  z.object({ schedule: z.looseObject({}) }).parse((await gateway.call(getSchedulesId, { id })).body).schedule;
const listed = async (query: Call['query'] = {}) => schedules.parse((await gateway.call(getSchedules, { query })).body);
const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30 };

describe('a new schedule', () => {
  it('is answered as the reference page has it, and runs first on the day that it is made', async () => {
    const instanceId = await gateway.register();
    // The request of the reference page, byte for byte, except for the instance.
    const bytes = `{
       "schedule": {
           "action": "backup",
           "day_of_week": 0,
           "hour": 14,
           "instance_id": "${instanceId}",
           "minute": 30,
           "copy_to": ["IAD", "ORD"]
       }
   }`;
    const answer = await gateway.call(postSchedules, { bytes, headers: { accept: 'application/json' } });
    expect(answer.status).toBe(202);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
    const { schedule } = z
      .object({ schedule: z.looseObject({ id: z.string(), created: z.string() }) })
      .parse(answer.body);
    expect(schedule).toEqual({
      action: 'backup',
      created: time,
      day_of_month: null,
      day_of_week: 0,
      full_backup_retention: 2,
      hour: 14,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      instance_id: instanceId,
      last_scheduled: null,
      minute: 30,
      month: null,
      // The next run is on any day: `day_of_week` (Sunday) only says which day's backup is full.
      next_run: nextAt(14, 30, schedule.created),
      running: 0,
      source: { id: instanceId, type: 'instance' },
      updated: schedule.created,
      copy_to: ['IAD', 'ORD'],
      paused: false,
      pause_reason: null,
      version: 1,
    });
    // The first answer goes by the time at which the schedule was made. This API's own clock shows another day.
    expect(await shown(schedule.id)).toEqual({ ...schedule, next_run: '2020-11-14T14:30:00' });
  });

  it('takes what known clients send: nulls, and the instance as source', async () => {
    const instanceId = await gateway.register();
    const answer = await create({
      ...timing,
      instance_id: null,
      source_id: instanceId.toUpperCase(),
      source_type: 'instance',
      copy_to: null,
      full_backup_retention: null,
      day_of_month: null,
      month: null,
    });
    expect(answer.body).toMatchObject({
      schedule: { instance_id: instanceId, copy_to: [], full_backup_retention: 2 },
    });
  });

  it('is the only one of its instance: a second is refused, and names the first', async () => {
    const instanceId = await gateway.register();
    const first = await gateway.schedule(instanceId);
    const second = await create({ ...timing, instance_id: instanceId });
    expect(fullFaultOf(second)).toEqual([422, 'unprocessableEntity', expect.stringContaining(first)]);
    expect((await listed({ instance_id: instanceId })).schedules).toHaveLength(1);
  });

  it('is the only one though many ask at once', async () => {
    const instanceId = await gateway.register();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create({ ...timing, instance_id: instanceId })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 422, 422, 422, 422, 422, 422, 422]);
  });

  it.each([
    ['DFW', 'is the home region'],
    ['LON', 'is no region of this deployment'],
    ['SYD', 'is no region of this deployment'],
    ['iad', 'is no region of this deployment'],
    ['', 'is no region of this deployment'],
    ['IAD\0', 'is no region of this deployment'],
  ])('cannot copy to %j: the answer names it and the regions there are', async (region, why) => {
    const instanceId = await gateway.register();
    const fault = fullFaultOf(await create({ ...timing, instance_id: instanceId, copy_to: ['ORD', region] }));
    expect(fault).toEqual([400, 'badRequest', expect.stringContaining(`${JSON.stringify(region)} ${why}`)]);
    expect(fault[2]).toContain('Allowed: IAD, ORD.');
    expect((await listed({ instance_id: instanceId })).schedules).toEqual([]);
  });

  it.each(['14.0', '14.5', '1.4e1', '"14"', 'true'])('takes no %s for an integer', async (hour) => {
    const bytes = JSON.stringify({ schedule: { ...timing, instance_id: await gateway.register() } });
    const answer = await gateway.call(postSchedules, { bytes: bytes.replace('"hour":14', `"hour":${hour}`) });
    expect(fullFaultOf(answer)).toEqual([400, 'badRequest', 'schedule.hour: must be an integer from 0 to 23.']);
  });

  it('needs an instance of this account, said once or twice the same', async () => {
    const instanceId = await gateway.register();
    const other = await gateway.register('other');
    const refused = async (schedule: object) => fullFaultOf(await create({ ...timing, ...schedule }));
    const text = expect.any(String);
    expect(await refused({})).toEqual([400, 'badRequest', expect.stringContaining('schedule.instance_id')]);
    expect(await refused({ instance_id: 'orders' })).toEqual([400, 'badRequest', text]);
    expect(await refused({ instance_id: nothing })).toEqual([404, 'itemNotFound', expect.stringContaining(nothing)]);
    expect(await refused({ instance_id: other })).toEqual([404, 'itemNotFound', text]);
    expect(await refused({ instance_id: instanceId, source_id: nothing })).toEqual([
      400,
      'badRequest',
      expect.stringContaining('schedule.source_id'),
    ]);
    expect(await refused({ source_id: instanceId, source_type: 'ha' })).toEqual([
      501,
      'notImplemented',
      expect.stringContaining('"ha"'),
    ]);
    expect((await create({ ...timing, instance_id: instanceId, source_id: instanceId })).status).toBe(202);
  });
});

describe('a schedule', () => {
  it('is changed field by field, and the rest stays', async () => {
    const id = await gateway.schedule(await gateway.register(), { copy_to: ['IAD'] });
    const before = await shown(id);
    const answer = await put(id, { hour: 3, minute: null, copy_to: 'ORD,IAD', run_now: false });
    expect(answer).toMatchObject({ status: 202, body: undefined });
    expect(await shown(id)).toEqual({
      ...before,
      hour: 3,
      copy_to: ['ORD', 'IAD'],
      next_run: '2020-11-15T03:30:00',
      updated: expect.any(String),
      version: 2,
    });
    expect((await put(id, { copy_to: [], full_backup_retention: 5, day_of_week: 7, minute: 1 })).status).toBe(202);
    expect(await shown(id)).toMatchObject({
      copy_to: [],
      full_backup_retention: 5,
      day_of_week: 7,
      minute: 1,
      version: 3,
    });
  });

  it('has no next run while it is paused', async () => {
    const id = await gateway.schedule(await gateway.register());
    await put(id, { paused: true });
    expect(await shown(id)).toMatchObject({ paused: true, next_run: null });
    expect((await gateway.call(getSchedulesIdRuns, { id })).body).toEqual({ runs: [], links: [] });
    await put(id, { paused: false });
    expect(await shown(id)).toMatchObject({ paused: false, next_run: '2020-11-14T14:30:00' });
  });

  it.each([
    {},
    { run_now: false },
    { hour: null, copy_to: null },
    { hour: 14 },
    { hour: 14, copy_to: ['IAD'], run_now: 'false' },
  ])('is not changed by %j, and the answer says so', async (nothingNew) => {
    const id = await gateway.schedule(await gateway.register(), { copy_to: ['IAD'] });
    expect(faultOf(await put(id, nothingNew))).toEqual([400, 'badRequest']);
    expect(await shown(id)).toMatchObject({ version: 1 });
  });

  it('is not changed at all when part of the change is wrong', async () => {
    const id = await gateway.schedule(await gateway.register());
    for (const wrong of [
      { hour: 3, minute: 60 },
      { hour: 3, copy_to: 'LON' },
      { hour: 3, source_id: nothing },
    ]) {
      expect(faultOf(await put(id, wrong))).toEqual([400, 'badRequest']);
    }
    expect(await shown(id)).toMatchObject({ hour: 14, version: 1 });
  });

  it('is gone when it is deleted, and another may take its place', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId);
    expect(await gateway.call(deleteSchedulesId, { id })).toMatchObject({ status: 202, body: undefined });
    for (const again of [
      await gateway.call(getSchedulesId, { id }),
      await gateway.call(deleteSchedulesId, { id }),
      await put(id, { hour: 3 }),
      await put(id, { run_now: true }),
    ]) {
      expect(faultOf(again)).toEqual([404, 'itemNotFound']);
    }
    expect((await listed({ instance_id: instanceId })).schedules).toEqual([]);
    expect(await gateway.schedule(instanceId)).not.toBe(id);
  });

  it('is shown with its instance', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId);
    expect((await gateway.call(getInstancesId, { id: instanceId })).body).toMatchObject({
      instance: { schedule: await shown(id) },
    });
  });
});

describe('a run now', () => {
  const ofSchedule = z.object({
    backups: z.array(z.looseObject({ id: z.string(), name: z.string(), schedule_id: z.string().nullable() })),
  });
  const backupsOf = async (instanceId: string) =>
    ofSchedule.parse((await gateway.call(getInstancesIdBackups, { id: instanceId })).body).backups;

  it.each([true, 'true'])('is a backup of the schedule, there as soon as it is answered: %j', async (runNow) => {
    const instanceId = await gateway.register('admin', { name: '🐘'.repeat(100) });
    const id = await gateway.schedule(instanceId, { copy_to: ['ORD', 'IAD'] });
    expect(await put(id, { run_now: runNow })).toMatchObject({ status: 202, body: undefined });
    const [backup] = await backupsOf(instanceId);
    expect(backup).toMatchObject({
      schedule_id: id,
      is_automated: 1,
      status: 'NEW',
      type: 'full',
      name: expect.stringMatching(/^🐘+-20201114T072817Z$/u),
      copies: [
        { region: 'IAD', status: 'PENDING' },
        { region: 'ORD', status: 'PENDING' },
      ],
    });
    expect(await shown(id)).toMatchObject({ running: 1, version: 1, last_scheduled: expect.stringMatching(/^\d/) });
  });

  it('is refused while a backup of the instance runs, and changes nothing then', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId);
    const running = await gateway.backup(instanceId);
    const refused = await put(id, { run_now: true, hour: 3 });
    expect(fullFaultOf(refused)).toEqual([422, 'unprocessableEntity', expect.stringContaining(running)]);
    expect(await shown(id)).toMatchObject({ hour: 14, version: 1, running: 0 });
    await gateway.run(running, instanceId, 'failed');
    expect((await put(id, { run_now: true, hour: 3 })).status).toBe(202);
    expect(await shown(id)).toMatchObject({ hour: 3, version: 2, running: 1 });
    expect(await backupsOf(instanceId)).toHaveLength(2);
  });

  it('never begins once its schedule was deleted', async () => {
    for (let round = 0; round < 10; round += 1) {
      const instanceId = await gateway.register();
      const id = await gateway.schedule(instanceId);
      const [run, removed] = await Promise.all([put(id, { run_now: true }), gateway.call(deleteSchedulesId, { id })]);
      expect([202, 404]).toContain(run.status);
      expect(removed.status).toBe(202);
      const events = (await gateway.events()).filter((event) => event.instanceId === instanceId);
      expect(events.map(({ type }) => type).slice(2)).toEqual(
        run.status === 202 ? ['BackupRequested', 'ScheduleDeleted'] : ['ScheduleDeleted'],
      );
    }
  });

  it('is of the schedule that was read, when it says which', async () => {
    for (let round = 0; round < 10; round += 1) {
      const instanceId = await gateway.register();
      const id = await gateway.schedule(instanceId);
      const [run] = await Promise.all([
        gateway.call(putSchedulesId, { id, body: { schedule: { run_now: true } }, ifMatch: '"1"' }),
        put(id, { hour: 3 }),
      ]);
      expect([202, 412]).toContain(run.status);
      const events = (await gateway.events()).filter((event) => event.instanceId === instanceId);
      expect(events.map(({ type }) => type).slice(2)).toEqual(
        run.status === 202 ? ['BackupRequested', 'ScheduleUpdated'] : ['ScheduleUpdated'],
      );
    }
  });

  it('goes where the same request has the copies go', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId, { copy_to: ['IAD'] });
    await put(id, { run_now: true, copy_to: ['ORD'] });
    expect(await backupsOf(instanceId)).toMatchObject([{ copies: [{ region: 'ORD' }] }]);
  });

  it('is done by a paused schedule too', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId);
    await put(id, { paused: true, run_now: true });
    expect(await backupsOf(instanceId)).toHaveLength(1);
    expect(await shown(id)).toMatchObject({ paused: true, running: 1 });
  });
});

describe('the list of schedules', () => {
  const path = pathOf(getSchedules, { accountId });

  it('comes in pages in order of id, whose links lead to all of them once', async () => {
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.push(await gateway.schedule(await gateway.register()));
    const all = (await listed()).schedules.map(({ id }) => id);
    expect(all).toEqual([...all].sort());
    expect(all).toEqual(expect.arrayContaining(made));

    const seen: string[] = [];
    let next: string | undefined = `${gateway.url}${path}?limit=2&marker=0`;
    while (next !== undefined) {
      const { pathname, search } = new URL(next);
      const page = schedules.parse((await gateway.request('GET', `${pathname}${search}`)).body);
      expect(page.schedules.length).toBeLessThanOrEqual(2);
      seen.push(...page.schedules.map(({ id }) => id));
      expect(page.links.every(({ rel }) => rel === 'next')).toBe(true);
      next = page.links[0]?.href;
    }
    expect(seen).toEqual(all);
  });

  it('keeps its filters in its links', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId);
    expect(await listed({ instance_id: instanceId })).toMatchObject({ schedules: [{ id }], links: [] });
    for (const other of [nothing, 'orders', '', "'"]) {
      expect(await listed({ instance_id: other })).toEqual({ schedules: [], links: [] });
    }
    const query = 'limit=1&unknown=a%26b&limit=1';
    const { links } = schedules.parse((await gateway.request('GET', `${path}?${query}`)).body);
    const [href, marker] = links[0]?.href.split('&marker=') ?? [];
    expect(href).toBe(`${gateway.url}${path}?${query}`);
    expect(marker).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has no next link when it ends just where the page does', async () => {
    const { schedules: all } = await listed();
    expect((await listed({ limit: all.length })).links).toEqual([]);
    expect(schedules.parse((await gateway.request('GET', `${path}?`)).body).schedules).toHaveLength(all.length);
    expect((await listed({ limit: '9'.repeat(30) })).schedules).toHaveLength(all.length);
  });

  it.each([
    'limit=0',
    'limit=',
    'limit=-1',
    'limit=1.5',
    'limit=x',
    'limit=1e2',
    'marker=',
    'marker=x',
    `marker=${nothing}`,
  ])('takes no %s', async (query) => {
    const fault = fullFaultOf(
      await gateway.call(getSchedules, { query: Object.fromEntries(new URLSearchParams(query)) }),
    );
    expect(fault).toEqual([400, 'badRequest', expect.stringContaining(query.split('=')[0] ?? '')]);
  });
});

/** The first time after another one at which the clock shows this hour and minute, each in UTC and without its zone. */
function nextAt(hour: number, minute: number, after: string): string {
  const next = new Date(`${after}Z`);
  next.setUTCHours(hour, minute, 0, 0);
  if (next <= new Date(`${after}Z`)) next.setUTCDate(next.getUTCDate() + 1);
  return next.toISOString().slice(0, 19);
}
