import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  apiVersion,
  deleteSchedulesId,
  getAudit,
  getBackups,
  getBackupsId,
  getBackupsIdCopies,
  getConsoleAssetsFile,
  getConsoleSession,
  getInstances,
  getInstancesId,
  getInstancesIdBackups,
  getOpenapiJson,
  getRegions,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  getV10,
  getVersions,
  isOfAccount,
  type Operation,
  operations,
  pathOf,
  postBackups,
  postInstancesIdAction,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { type As, accountId, type Call, Gateway, otherAccountId } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const concrete = (operation: Operation) =>
  pathOf(operation, { accountId, id: nothing, version: nothing, file: nothing });
const ofAccount = operations.filter(isOfAccount);
const schedules = pathOf(getSchedules, { accountId });

/** The last response on a wire: status, headers as one text, and the fault in its body. */
function answered(wire: string) {
  const [head = '', body = ''] = wire.split('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
    head: head.toLowerCase(),
    fault: faultIn(JSON.parse(body)),
  };
}

describe('who calls', () => {
  it.each(ofAccount)('$method $path is for nobody without a token, or with a wrong one', async (operation) => {
    expect(faultOf(await gateway.call(operation, { id: nothing, version: nothing, as: 'nobody' }))).toEqual([
      401,
      'unauthorized',
    ]);
    for (const token of ['', 'x', `${gateway.tokenOf('admin')}x`, `${gateway.tokenOf('admin')}, x`]) {
      const headers = { 'x-auth-token': token };
      expect(faultOf(await gateway.call(operation, { id: nothing, version: nothing, as: 'nobody', headers }))).toEqual([
        401,
        'unauthorized',
      ]);
    }
  });

  it.each(ofAccount)('$method $path is not for a token of another account', async (operation) => {
    expect(
      faultOf(await gateway.call(operation, { id: nothing, version: nothing, as: 'other', account: accountId })),
    ).toEqual([403, 'forbidden']);
  });

  it('an observer may look, a creator may do all but delete, another role nothing', async () => {
    const refusedTo = async (as: 'creator' | 'observer' | 'roleless') => {
      const refused = new Set<string>();
      // The audit is for an admin alone.
      for (const operation of ofAccount.filter(({ name }) => name !== getAudit.name)) {
        const { status } = await gateway.call(operation, { id: nothing, version: nothing, as });
        if (status === 403) refused.add(operation.method);
        else expect(status).not.toBe(401);
      }
      return [...refused].sort();
    };
    expect(await refusedTo('creator')).toEqual(['DELETE']);
    expect(await refusedTo('observer')).toEqual(['DELETE', 'PATCH', 'POST', 'PUT']);
    expect(await refusedTo('roleless')).toEqual(['DELETE', 'GET', 'PATCH', 'POST', 'PUT']);
  });

  it('is asked before a word of the body is read', async () => {
    const bytes = '{"schedule": '.repeat(10_000);
    expect(faultOf(await gateway.call(postSchedules, { as: 'nobody', bytes }))).toEqual([401, 'unauthorized']);
    expect(faultOf(await gateway.call(postSchedules, { as: 'observer', bytes }))).toEqual([403, 'forbidden']);
  });

  it('need not be said for what tells of nobody', async () => {
    // A session is somebody's, and a file of the console has a name that its page tells.
    const others = new Set<string>([getConsoleSession.path, getConsoleAssetsFile.path]);
    for (const operation of operations.filter((each) => !isOfAccount(each) && !others.has(each.path))) {
      expect([operation.path, (await gateway.call(operation, { as: 'nobody' })).status]).toEqual([operation.path, 200]);
    }
    expect((await gateway.request('GET', `${getV10.path}/`, { as: 'nobody' })).status).toBe(200);
  });

  it('never comes to light: no token and no password is in the log', () => {
    const log = gateway.lines.join('\n');
    expect(log).toContain('answered');
    for (const as of ['admin', 'creator', 'observer', 'other'] as const) expect(log).not.toContain(gateway.tokenOf(as));
  });
});

describe('two accounts', () => {
  it('never see, change or use what is the other’s', async () => {
    const instanceId = await gateway.register();
    const scheduleId = await gateway.schedule(instanceId);
    const backupId = await gateway.backup(instanceId, { copy_to: ['IAD'] });
    const asOther = (operation: Operation, call: Call = {}) => gateway.call(operation, { ...call, as: 'other' });
    const put = { schedule: { hour: 1 } };
    const hidden = await Promise.all([
      asOther(getInstancesId, { id: instanceId }),
      asOther(getInstancesIdBackups, { id: instanceId }),
      asOther(postInstancesIdAction, { id: instanceId, body: { resize: {} } }),
      asOther(getSchedulesId, { id: scheduleId }),
      asOther(getSchedulesIdRuns, { id: scheduleId }),
      asOther(putSchedulesId, { id: scheduleId, body: put }),
      asOther(deleteSchedulesId, { id: scheduleId }),
      asOther(getBackupsId, { id: backupId }),
      asOther(getBackupsIdCopies, { id: backupId }),
      asOther(postBackups, { body: { backup: { name: 'mine', instance: instanceId } } }),
      asOther(postSchedules, {
        body: {
          schedule: { action: 'backup', instance_id: instanceId, day_of_week: 1, hour: 1, minute: 1 },
        },
      }),
    ]);
    expect(hidden.map(faultOf)).toEqual(hidden.map(() => [404, 'itemNotFound']));
    expect((await asOther(getInstances)).body).toEqual({ instances: [], links: [], instances_links: [] });
    expect((await asOther(getSchedules, { query: { instance_id: instanceId } })).body).toEqual({
      schedules: [],
      links: [],
    });
    expect((await asOther(getBackups, { query: { instance_id: instanceId } })).body).toEqual({
      backups: [],
      links: [],
    });
    // An id of the other account is no marker.
    for (const [list, marker] of [
      [getInstances, instanceId],
      [getSchedules, scheduleId],
      [getBackups, backupId],
    ] as const) {
      expect(faultOf(await asOther(list, { query: { marker } }))).toEqual([400, 'badRequest']);
    }
    expect((await gateway.call(getSchedulesId, { id: scheduleId })).body).toMatchObject({
      schedule: { hour: 14, version: 1 },
    });
    expect((await gateway.call(getInstances, { as: 'admin', account: otherAccountId })).status).toBe(403);
  });
});

describe('what there is not', () => {
  it.each(['/nothing', '/v1.0/1234', '/v1.0/1234/nothing', '/v1.0/1234/schedules/x/y', '/v2.0/1234/schedules'])(
    'is a 404: %s',
    async (path) => {
      expect(faultOf(await gateway.request('GET', path))).toEqual([404, 'itemNotFound']);
      expect(faultOf(await gateway.request('POST', path, { bytes: '{}' }))).toEqual([404, 'itemNotFound']);
    },
  );

  it.each([getInstancesId, getSchedulesId, getBackupsId])(
    'is a 404 also where an id is none: $path',
    async (operation) => {
      for (const id of [
        nothing,
        'nightly',
        'NIGHTLY backup',
        '\0',
        '🐘',
        "' or true--",
        'x'.repeat(90),
        'x'.repeat(2_000),
      ]) {
        expect(faultOf(await gateway.call(operation, { id }))).toEqual([404, 'itemNotFound']);
      }
    },
  );

  it('is a 400 where a path is no text', async () => {
    for (const id of ['%ff', '%c3%28', '%', '%zz', '%ed%a0%80']) {
      expect(faultOf(await gateway.request('GET', `${schedules}/${id}`))).toEqual([400, 'badRequest']);
    }
  });

  it.each(operations)('is every other method on $path: a 405 that says which there are', async (operation) => {
    const here = operations.filter(({ path }) => path === operation.path).map(({ method }) => method);
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      if (here.some((each) => each === method)) continue;
      const answer = await gateway.request(method, concrete(operation));
      expect([method, ...faultOf(answer)]).toEqual([method, 405, 'badMethod']);
      expect(answer.headers.get('allow')).toBe(here.join(', '));
    }
  });

  it('is told apart from what there is, however its path is spelled', async () => {
    for (const path of [schedules.replace('/s', '/%73'), `${schedules}/`, `${schedules}?x`]) {
      const answer = await gateway.request('PATCH', path);
      expect([path, ...faultOf(answer)]).toEqual([path, 405, 'badMethod']);
      expect(answer.headers.get('allow')).toBe('POST, GET');
    }
  });

  it.each(operations.filter(({ path }) => path.includes('{')))(
    "is a 400 where its path can't be read: $method $path",
    async ({ method, path }) => {
      const unreadable = path.replaceAll(/\{\w+\}/g, '%ff');
      expect(faultOf(await gateway.request(method, unreadable))).toEqual([400, 'badRequest']);
    },
  );

  it('is asked for by HEAD as by GET, and answered without a body', async () => {
    const head = (path: string, as: As = 'admin') => gateway.request('HEAD', path, { as });
    expect(await head(schedules)).toMatchObject({ status: 200, body: undefined });
    expect(await head('/nothing')).toMatchObject({ status: 404, body: undefined });
    expect(await head(schedules, 'nobody')).toMatchObject({ status: 401, body: undefined });
  });
});

describe('a body', () => {
  const send = (bytes: string | Uint8Array, type = 'application/json', more: Record<string, string> = {}) =>
    gateway.call(postSchedules, { bytes, headers: { 'content-type': type, ...more } });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/json+x',
    'application/problem+json',
    'application/json; charset=latin1',
    'json',
    ' ',
  ])('of another type is a 415: %s', async (type) => {
    expect(faultOf(await send('{"schedule": {}}', type))).toEqual([415, 'badMediaType']);
  });

  it('without a type, or packed, is a 415', async () => {
    const head = `POST ${schedules} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: ${gateway.tokenOf('admin')}\r\n`;
    const { status, fault } = answered(await gateway.wire(`${head}Content-Length: 2\r\n\r\n{}`));
    expect([status, fault.type]).toEqual([415, 'badMediaType']);
    expect(faultOf(await send('{}', 'application/json', { 'content-encoding': 'gzip' }))).toEqual([
      415,
      'badMediaType',
    ]);
  });

  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ])('of %s is read', async (type) => {
    expect(faultIn((await send('{"schedule": {}}', type)).body).message).toMatch(/^schedule\.action: is required/);
  });

  it('may be named and not be there, where none is needed', async () => {
    const headers = { 'content-type': 'application/json' };
    expect((await gateway.call(getSchedules, { headers })).status).toBe(200);
    expect(faultOf(await gateway.call(deleteSchedulesId, { id: nothing, headers }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await gateway.call(postSchedules, { headers }))).toEqual([400, 'badRequest']);
    expect(faultOf(await gateway.call(postSchedules))).toEqual([400, 'badRequest']);
  });

  it('of more than 64 KiB is a 413, said or found out', async () => {
    const large = JSON.stringify({ schedule: { action: 'x'.repeat(65_536) } });
    expect(faultOf(await send(large))).toEqual([413, 'overLimit']);
    const head = `POST ${schedules} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nX-Auth-Token: ${gateway.tokenOf('admin')}\r\n`;
    const chunk = 'x'.repeat(65_535);
    const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`;
    const { status, fault } = answered(await gateway.wire(chunked));
    expect([status, fault.type]).toEqual([413, 'overLimit']);
  });

  it('that is no JSON, no UTF-8, ambiguous or endless is a 400', async () => {
    const bodies = [
      '{',
      'null',
      '[]',
      '"x"',
      '{"schedule": 1, "schedule": 2}',
      '['.repeat(60_000),
      `{"schedule": ${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      Uint8Array.of(0x22, 0xff, 0x22),
    ];
    for (const bytes of bodies) {
      expect(faultOf(await send(bytes))).toEqual([400, 'badRequest']);
      const keyed = await send(bytes, 'application/json', { 'idempotency-key': randomUUID() });
      expect(faultOf(keyed)).toEqual([400, 'badRequest']);
    }
  });

  it('is as long as it says, or a 400', async () => {
    const head = `POST ${schedules} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nX-Auth-Token: ${gateway.tokenOf('admin')}\r\n`;
    for (const length of ['-1', '1e3', 'x', '5\r\nContent-Length: 6']) {
      const { status, fault } = answered(await gateway.wire(`${head}Content-Length: ${length}\r\n\r\n{}`));
      expect([length, status, fault.type]).toEqual([length, 400, 'badRequest']);
    }
  });
});

describe('what is hardly HTTP', () => {
  it.each([
    ['hello\r\n\r\n', 400, 'badRequest'],
    ['GET /v1.0/a b HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'badRequest'],
    ['GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n', 400, 'badRequest'],
    [`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 413, 'overLimit'],
    ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'badRequest'],
    ['GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nConnection: close\r\n\r\n', 400, 'badRequest'],
    ['OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404, 'itemNotFound'],
    [`TRACE ${schedules} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 405, 'badMethod'],
  ])('is answered by a fault with a request id too: %j', async (bytes, expected, type) => {
    const { status, head, fault } = answered(await gateway.wire(bytes));
    expect([status, fault.type]).toEqual([expected, type]);
    expect(head).toMatch(/\r\nx-request-id: [\w-]+/);
    expect(head).toMatch(/\r\ncontent-type: application\/json/);
  });

  it('may wait for a 100 before its body, and for nothing else', async () => {
    const head = `POST ${schedules} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nX-Auth-Token: ${gateway.tokenOf('admin')}\r\nContent-Length: 2\r\n`;
    const wire = await gateway.wire(`${head}Expect: 100-continue\r\n\r\n{}`);
    expect(wire).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 .*schedule: is required/s);
    const { fault } = answered(await gateway.wire(`${head}Expect: 200-ok\r\n\r\n{}`));
    expect(fault.message).toContain('"200-ok"');
  });

  it('gets links to where it came, however it names the host', async () => {
    for (const host of ['', 'Host: a b"<script>\r\n']) {
      const wire = await gateway.wire(`GET / HTTP/1.0\r\n${host}\r\n`);
      expect(wire).toMatch(`"href":"${gateway.url}${getV10.path}"`);
    }
    expect(await gateway.wire('GET / HTTP/1.0\r\nHost: strongroom.example.com:80\r\n\r\n')).toMatch(
      '"href":"http://strongroom.example.com:80/v1.0"',
    );
  });
});

describe('the service', () => {
  it('tells its versions as OpenStack clients look for them', async () => {
    const version = {
      id: apiVersion,
      status: 'CURRENT',
      updated: expect.stringMatching(/Z$/),
      links: [{ rel: 'self', href: `${gateway.url}${getV10.path}` }],
    };
    expect((await gateway.call(getVersions, { as: 'nobody' })).body).toEqual({ versions: [version] });
    expect((await gateway.call(getV10, { as: 'nobody' })).body).toEqual({ version });
  });

  it('tells its regions, to which of them copies may go, and which are away', async () => {
    const since = new Date('2026-11-24T00:00:00.000Z');
    await gateway.dataSource.query(
      `insert into region_outage (region, seen_by, since, code, reason) values ('ORD', 'spec', $1, 'vault-unavailable', 'It is away.')`,
      [since],
    );
    const outage = { code: 'vault-unavailable', message: 'It is away.', since: since.toISOString() };
    const idle = { copying: { copies: 0, bytes_per_second: 0 }, limits: null };
    expect((await gateway.call(getRegions, { as: 'observer' })).body).toEqual({
      regions: [
        { name: 'DFW', home: true, copies: false, outage: null, ...idle },
        { name: 'IAD', home: false, copies: true, outage: null, ...idle },
        { name: 'ORD', home: false, copies: true, outage, ...idle },
      ],
    });
    await gateway.dataSource.query('delete from region_outage');
  });

  it('tells its document', async () => {
    expect((await gateway.call(getOpenapiJson, { as: 'nobody' })).body).toMatchObject({ openapi: '3.1.0' });
  });
});
