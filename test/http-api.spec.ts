import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from '@strongroom/client';
import {
  getInstancesId,
  getOpenapiJson,
  getSchedules,
  getSchedulesId,
  pathOf,
  postBackups,
  postSchedules,
  scheduleResponse,
} from '@strongroom/contracts';
import { z } from 'zod';
import type { AppProcess } from './app-process.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let strongroom: Deployment;
let api: AppProcess;
let instanceId: string;

const nothing = '00000000-0000-4000-8000-000000000000';
const server = { host: '127.0.0.1', port: 1, user: 'backup', password: 'never to be seen' };
const asked = { action: 'backup', day_of_week: 0, hour: 14, minute: 30, copy_to: ['IAD', 'ORD'] } as const;
/** Sends fields that the types of the client would not allow. */
const create = (fields: Record<string, unknown>) =>
  strongroom.client(api).send(postSchedules, { body: { schedule: { ...asked, ...fields } } });

beforeAll(async () => {
  strongroom = await Deployment.create({ feed: { kind: 'embedded' } });
  api = await strongroom.start('api');
  instanceId = await strongroom.register(api, server);
});
afterAll(() => strongroom.remove());

describe('a schedule', () => {
  it('is answered with just the fields of the reference page, and ours beside them', async () => {
    const { status, body } = await create({ instance_id: instanceId });
    expect(status).toBe(202);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
    const schedule = {
      action: 'backup',
      created: time,
      day_of_month: null,
      day_of_week: 0,
      full_backup_retention: 2,
      hour: 14,
      id: expect.any(String),
      instance_id: instanceId,
      last_scheduled: null,
      minute: 30,
      month: null,
      next_run: expect.stringMatching(/T14:30:00$/),
      running: 0,
      source: { id: instanceId, type: 'instance' },
      updated: time,
      copy_to: ['IAD', 'ORD'],
      paused: false,
      pause_reason: null,
      version: 1,
    };
    expect(body).toEqual({ schedule });
    const { id } = scheduleResponse.parse(body).schedule;
    expect((await strongroom.client(api).send(getSchedulesId, { id })).body).toEqual({ schedule });
    const query = { instance_id: instanceId };
    expect((await strongroom.client(api).send(getSchedules, { query })).body).toEqual({
      schedules: [schedule],
      links: [],
    });

    const second = await create({ instance_id: instanceId });
    expect(second).toMatchObject({
      status: 422,
      body: { unprocessableEntity: { code: 422, message: expect.stringContaining(id) } },
    });
  });

  it('reflects a change at once through another API process, and is gone when it was deleted', async () => {
    const another = await strongroom.start('api');
    const id = await strongroom.schedule(api, await strongroom.register(api, server));
    const [here, there] = [strongroom.client(api).schedules, strongroom.client(another).schedules];
    const change = { hour: 5, copy_to: 'ORD,IAD', paused: true, run_now: null };
    await here.update(id, change);
    expect(await there.get(id)).toMatchObject({ hour: 5, copy_to: ['ORD', 'IAD'], paused: true, version: 2 });
    await expect(here.update(id, change)).rejects.toMatchObject({ status: 400 });
    await there.delete(id);
    for (const schedules of [here, there]) await expect(schedules.get(id)).rejects.toMatchObject({ status: 404 });
    await another.stop();
  });

  it('is not run while a backup of its instance runs', async () => {
    const id = await strongroom.schedule(api, await strongroom.register(api, server));
    await strongroom.runNow(api, id);
    const { schedules } = strongroom.client(api);
    await expect(schedules.update(id, { run_now: 'true' })).rejects.toMatchObject({
      status: 422,
      code: 'unprocessableEntity',
      message: expect.stringContaining('still running'),
    });
    expect(await schedules.get(id)).toMatchObject({ running: 1 });
  });
});

describe('a request that is wrong', () => {
  const wrong: [string, Record<string, unknown>, string][] = [
    ['a string for a number', { hour: '14' }, 'schedule.hour'],
    ['a fraction', { minute: 1.5 }, 'schedule.minute'],
    ['a boolean for a number', { day_of_week: true }, 'schedule.day_of_week'],
    ['an hour out of range', { hour: 24 }, 'schedule.hour'],
    ['a required field that is null', { minute: null }, 'schedule.minute'],
    ['another action', { action: 'restore' }, 'schedule.action'],
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['the home region', { copy_to: ['DFW'] }, 'DFW'],
    ['LON', { copy_to: ['LON'] }, 'LON'],
    ['a region twice', { copy_to: ['IAD', 'IAD'] }, 'schedule.copy_to'],
    ['ids that do not agree', { source_id: nothing }, 'schedule.source_id'],
    ['a retention of none', { full_backup_retention: 0 }, 'schedule.full_backup_retention'],
    ['a malformed id', { instance_id: 'x' }, 'schedule.instance_id'],
  ];
  it.each(wrong)('with %s is a 400 that names it', async (_, fields, named) => {
    const { status, body } = await create({ instance_id: instanceId, ...fields });
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { badRequest: { code: 400, message: expect.stringContaining(named) } },
    });
  });

  it('for an instance that is not there is a 404, and for an HA group a 501', async () => {
    expect((await create({ instance_id: nothing })).status).toBe(404);
    expect((await create({ instance_id: instanceId, source_type: 'ha' })).status).toBe(501);
  });

  it('that is no JSON, too large, of another type or of another method is the fault that says so', async () => {
    const raw = (init: RequestInit) =>
      fetch(new URL(pathOf(postSchedules, { accountId: strongroom.accountId }), api.url), {
        ...init,
        headers: { 'x-auth-token': strongroom.token(), ...init.headers },
      });
    const json = { 'content-type': 'application/json' };
    const answers = [
      await raw({ method: 'POST', headers: json, body: '{"schedule": ' }),
      await raw({ method: 'POST', headers: json, body: `{"schedule": {"x": "${'x'.repeat(100_000)}"}}` }),
      await raw({ method: 'POST', headers: { 'content-type': 'text/xml' }, body: '<schedule/>' }),
      await raw({ method: 'PATCH' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 413, 415, 405]);
    expect(answers[3]?.headers.get('allow')).toBe('POST, GET');
    for (const answer of answers) {
      expect(answer.headers.get('content-type')).toContain('application/json');
      expect(Object.values((await answer.json()) as object)[0]).toMatchObject({
        code: answer.status,
        message: expect.any(String),
      });
    }
  });
});

describe('who calls', () => {
  it('needs a token of the account, with a role that allows it', async () => {
    const as = (accountId: string, token?: string) => new Client({ baseUrl: api.url, accountId, token }).schedules;
    const { accountId } = strongroom;
    const observer = as(accountId, strongroom.token('observer'));
    await expect(as(accountId).get(nothing)).rejects.toMatchObject({ status: 401 });
    await expect(as(accountId, 'guessed').get(nothing)).rejects.toMatchObject({ status: 401 });
    await expect(as('other', strongroom.token()).get(nothing)).rejects.toMatchObject({ status: 403 });
    await expect(observer.get(nothing)).rejects.toMatchObject({ status: 404 });
    await expect(observer.delete(nothing)).rejects.toMatchObject({ status: 403 });
  });

  it('is told the request’s id, which is in every event that follows', async () => {
    const body = { backup: { name: 'one', instance: await strongroom.register(api, server) } };
    const answer = await strongroom.client(api).call(postBackups, { requestId: 'from-the-client-1', body });
    expect(answer.headers.get('x-client-request-id')).toBe('from-the-client-1');
    const requestId = answer.headers.get('x-request-id');
    expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    const { backup } = answer.body;
    const scheduler = await strongroom.start('scheduler', { STRONGROOM_CATCH_UP_MINUTES: '0' });
    await strongroom.until(api, backup.id, ({ status }) => status === 'FAILED');
    await eventually(async () => expect(await strongroom.requestIdsOf(backup.id)).toEqual([requestId]), {
      withinMs: 5_000,
    });
    await scheduler.stop();
  });

  it('never sees a password', async () => {
    const { body } = await strongroom.client(api).send(getInstancesId, { id: instanceId });
    expect(JSON.stringify(body)).not.toContain(server.password);
    expect(await strongroom.everythingStored()).not.toContain(server.password);
  });
});

describe('the document of the API', () => {
  it('tells every operation that is there, with its schemas', async () => {
    const { body } = await strongroom.client(api).call(getOpenapiJson);
    const document = z.object({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) }).parse(body);
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toContain(getSchedulesId.path);
    expect(document.paths[postSchedules.path]).toMatchObject({ post: { requestBody: { required: true } } });
  });
});
