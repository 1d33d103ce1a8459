import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppProcess } from './app-process.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';

let strongroom: Deployment;
let api: AppProcess;
let instanceId: string;

const server = { host: '127.0.0.1', port: 1, user: 'backup', password: 'never to be seen' };
const ask = (fields: Record<string, unknown>) => ({
  schedule: { action: 'backup', day_of_week: 0, hour: 14, minute: 30, copy_to: ['IAD', 'ORD'], ...fields },
});

beforeAll(async () => {
  strongroom = await Deployment.create({ feed: { kind: 'embedded' } });
  api = await strongroom.start('api');
  instanceId = await strongroom.register(api, server);
});
afterAll(() => strongroom.remove());

describe('a schedule', () => {
  it('is answered with just the fields of the reference page, and ours beside them', async () => {
    const { status, body } = await strongroom.call(api, 'POST', '/schedules', ask({ instance_id: instanceId }));
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
      version: 1,
    };
    expect(body).toEqual({ schedule });
    const { id } = (body as { schedule: { id: string } }).schedule;
    expect((await strongroom.call(api, 'GET', `/schedules/${id}`)).body).toEqual({ schedule });
    expect((await strongroom.call(api, 'GET', `/schedules?instance_id=${instanceId}`)).body).toEqual({
      schedules: [schedule],
      links: [],
    });

    const second = await strongroom.call(api, 'POST', '/schedules', ask({ instance_id: instanceId }));
    expect(second).toMatchObject({
      status: 422,
      body: { unprocessableEntity: { code: 422, message: expect.stringContaining(id) } },
    });
  });

  it('reflects a change at once through another API process, and is gone when it was deleted', async () => {
    const another = await strongroom.start('api');
    const id = await strongroom.schedule(api, await strongroom.register(api, server));
    const change = { schedule: { hour: 5, copy_to: 'ORD,IAD', paused: true, run_now: null } };
    expect((await strongroom.call(api, 'PUT', `/schedules/${id}`, change)).status).toBe(202);
    expect((await strongroom.call(another, 'GET', `/schedules/${id}`)).body).toMatchObject({
      schedule: { hour: 5, copy_to: ['ORD', 'IAD'], paused: true, version: 2 },
    });
    expect((await strongroom.call(api, 'PUT', `/schedules/${id}`, change)).status).toBe(400);
    expect((await strongroom.call(another, 'DELETE', `/schedules/${id}`)).status).toBe(202);
    for (const process of [api, another])
      expect((await strongroom.call(process, 'GET', `/schedules/${id}`)).status).toBe(404);
    await another.stop();
  });

  it('is not run while a backup of its instance runs', async () => {
    const id = await strongroom.schedule(api, await strongroom.register(api, server));
    await strongroom.runNow(api, id);
    const again = await strongroom.call(api, 'PUT', `/schedules/${id}`, { schedule: { run_now: 'true' } });
    expect(again).toMatchObject({
      status: 422,
      body: { unprocessableEntity: { message: expect.stringContaining('still running') } },
    });
    expect((await strongroom.call(api, 'GET', `/schedules/${id}`)).body).toMatchObject({ schedule: { running: 1 } });
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
    ['ids that do not agree', { source_id: '00000000-0000-4000-8000-000000000000' }, 'schedule.source_id'],
    ['a retention of none', { full_backup_retention: 0 }, 'schedule.full_backup_retention'],
    ['a malformed id', { instance_id: 'x' }, 'schedule.instance_id'],
  ];
  it.each(wrong)('with %s is a 400 that names it', async (_, fields, named) => {
    const { status, body } = await strongroom.call(
      api,
      'POST',
      '/schedules',
      ask({ instance_id: instanceId, ...fields }),
    );
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { badRequest: { code: 400, message: expect.stringContaining(named) } },
    });
  });

  it('for an instance that is not there is a 404, and for an HA group a 501', async () => {
    const unknown = '00000000-0000-4000-8000-000000000000';
    expect((await strongroom.call(api, 'POST', '/schedules', ask({ instance_id: unknown }))).status).toBe(404);
    expect(
      (await strongroom.call(api, 'POST', '/schedules', ask({ instance_id: instanceId, source_type: 'ha' }))).status,
    ).toBe(501);
  });

  it('that is no JSON, too large, of another type or of another method is the fault that says so', async () => {
    const raw = (init: RequestInit) =>
      fetch(`${api.url}/v1.0/${strongroom.accountId}/schedules`, {
        ...init,
        headers: { ...strongroom.token(), ...init.headers },
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
    const call = (account: string, method: string, headers: Record<string, string>) =>
      fetch(`${api.url}/v1.0/${account}/schedules/00000000-0000-4000-8000-000000000000`, { method, headers });
    expect((await call('acme', 'GET', {})).status).toBe(401);
    expect((await call('acme', 'GET', { 'x-auth-token': 'guessed' })).status).toBe(401);
    expect((await call('other', 'GET', strongroom.token())).status).toBe(403);
    expect((await call('acme', 'GET', strongroom.token('observer'))).status).toBe(404);
    expect((await call('acme', 'DELETE', strongroom.token('observer'))).status).toBe(403);
  });

  it('is told the request’s id, which is in every event that follows', async () => {
    const answer = await fetch(`${api.url}/v1.0/${strongroom.accountId}/backups`, {
      method: 'POST',
      headers: { ...strongroom.token(), 'content-type': 'application/json', 'x-request-id': 'from-the-client-1' },
      body: JSON.stringify({ backup: { name: 'one', instance: await strongroom.register(api, server) } }),
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('x-request-id')).toBe('from-the-client-1');
    const { backup } = (await answer.json()) as { backup: { id: string } };
    const scheduler = await strongroom.start('scheduler');
    await strongroom.until(api, backup.id, ({ status }) => status === 'FAILED');
    await eventually(async () => expect(await strongroom.requestIdsOf(backup.id)).toEqual(['from-the-client-1']), {
      withinMs: 5_000,
    });
    await scheduler.stop();
  });

  it('never sees a password', async () => {
    const { body } = await strongroom.call(api, 'GET', `/instances/${instanceId}`);
    expect(JSON.stringify(body)).not.toContain(server.password);
    expect(await strongroom.everythingStored()).not.toContain(server.password);
  });
});

describe('the document of the API', () => {
  it('tells every operation that is there, with its schemas', async () => {
    const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, object>;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toContain('/v1.0/{accountId}/schedules/{id}');
    expect(document.paths['/v1.0/{accountId}/schedules']).toMatchObject({ post: { requestBody: { required: true } } });
  });
});
