import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  deleteInstancesId,
  deleteSchedulesId,
  deleteWebhooksId,
  exampleId,
  getAudit,
  getBackups,
  getDatastores,
  getEvents,
  getExplainId,
  getInstances,
  getInstancesId,
  getRegions,
  getRestorable,
  getSchedules,
  getWebhooks,
  type Operation,
  patchInstancesId,
  patchWebhooksId,
  postBackups,
  postBackupsIdAction,
  postInstances,
  postInstancesIdAction,
  postSchedules,
  postSchedulesIdPreview,
  postWebhooks,
  putSchedulesId,
  type Right,
  rights,
} from '@strongroom/contracts';
import { FixedClock } from '@strongroom/runtime';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

const restore = { instance: { name: 'again', restorePoint: { backupRef: exampleId } } };
const registration = {
  instance: {
    name: 'orders',
    datastore: { type: 'postgresql', version: '18' },
    connection: { host: 'db', port: 5432, user: 'backup', password: 'secret' },
  },
};
const webhook = { webhook: { name: 'on call', url: 'https://hooks.example.com/', enabled: false } };
const timing = { action: 'backup', day_of_week: 0, hour: 14, minute: 30 };

let gateway: Gateway;
let clock: FixedClock;
beforeAll(async () => {
  clock = new FixedClock(new Date());
  gateway = await Gateway.open({
    clock,
    env: { STRONGROOM_ROLES: 'creator=creator !restore, restorer=observer restore', STRONGROOM_RATE_LIMITS: 'off' },
    tokens: Object.fromEntries([
      ...rights.map((right) => [
        `all but ${right}`,
        { name: right, roles: [], rights: rights.filter((each) => each !== right) },
      ]),
      ...rights.map((right) => [`only ${right}`, { name: right, roles: [], rights: [right] }]),
      ['restorer', { name: 'restorer', roles: ['restorer'] }],
      ['soon over', { name: 'soon over', roles: ['admin'], expiresAt: new Date(Date.now() + 3_600_000).toISOString() }],
    ]),
  });
}, 60_000);
afterAll(() => gateway.close());

const by = (token: string) => ({ as: 'nobody', account: accountId, headers: { 'x-auth-token': token } }) as const;

describe('what is asked', () => {
  const schedule = (fields: object) => ({ schedule: fields });
  const asked: [string, Right, Operation, (ids: { schedule: string; instance: string }) => Call][] = [
    ['to restore a backup', 'restore', postInstances, () => ({ body: restore })],
    ['to register a server', 'instance.register', postInstances, () => ({ body: registration })],
    [
      'to rename an instance',
      'instance.update',
      patchInstancesId,
      ({ instance: id }) => ({ id, body: { instance: { name: 'b' } } }),
    ],
    [
      'to try a connection',
      'instance.test',
      postInstancesIdAction,
      ({ instance: id }) => ({ id, body: { 'test-connection': {} } }),
    ],
    ['to forget an instance', 'instance.forget', deleteInstancesId, () => ({ id: nothing })],
    [
      'to take a backup',
      'backup.create',
      postBackups,
      ({ instance }) => ({ body: { backup: { name: 'b', instance } } }),
    ],
    [
      'to copy a backup',
      'backup.copy',
      postBackupsIdAction,
      () => ({ id: nothing, body: { 'copy-backup': { target_backup_region: 'IAD' } } }),
    ],
    ['to hold a backup', 'backup.hold', postBackupsIdAction, () => ({ id: nothing, body: { hold: { reason: 'x' } } })],
    [
      'to bring a backup back',
      'backup.restore-deleted',
      postBackupsIdAction,
      () => ({ id: nothing, body: { 'restore-deleted': {} } }),
    ],
    [
      'to approve',
      'backup.approve-deletion',
      postBackupsIdAction,
      () => ({ id: nothing, body: { 'approve-deletion': {} } }),
    ],
    [
      'to tell of a tested restore',
      'backup.restore-test',
      postBackupsIdAction,
      () => ({ id: nothing, body: { 'restore-tested': { region: 'IAD', seconds: 1, proof: 'tables-read' } } }),
    ],
    ['to delete a backup', 'backup.delete', deleteBackupsId, () => ({ id: nothing })],
    [
      'to make a schedule',
      'schedule.create',
      postSchedules,
      () => ({ body: schedule({ ...timing, instance_id: nothing }) }),
    ],
    [
      'to move a schedule',
      'schedule.update',
      putSchedulesId,
      ({ schedule: id }) => ({ id, body: schedule({ hour: 3 }) }),
    ],
    [
      'to run a schedule',
      'schedule.run',
      putSchedulesId,
      ({ schedule: id }) => ({ id, body: schedule({ run_now: true }) }),
    ],
    [
      'to keep less',
      'schedule.retention',
      putSchedulesId,
      ({ schedule: id }) => ({ id, body: schedule({ full_backup_retention: 1 }) }),
    ],
    ['to delete a schedule', 'schedule.delete', deleteSchedulesId, () => ({ id: nothing })],
    ['to list schedules', 'schedule.read', getSchedules, () => ({})],
    [
      'to preview a change',
      'schedule.read',
      postSchedulesIdPreview,
      ({ schedule: id }) => ({ id, body: schedule({ hour: 3 }) }),
    ],
    ['to list backups', 'backup.read', getBackups, () => ({})],
    ['to list what is restorable', 'backup.read', getRestorable, () => ({})],
    ['to list instances', 'instance.read', getInstances, () => ({})],
    ['to list regions', 'region.read', getRegions, () => ({})],
    ['to list datastores', 'datastore.read', getDatastores, () => ({})],
    ['to list events', 'event.read', getEvents, () => ({})],
    ['to explain a schedule', 'event.read', getExplainId, ({ schedule }) => ({ id: schedule })],
    ['to read the audit', 'audit.read', getAudit, () => ({})],
    ['to list webhooks', 'webhook.read', getWebhooks, () => ({})],
    ['to make a webhook', 'webhook.create', postWebhooks, () => ({ body: webhook })],
    ['to change a webhook', 'webhook.update', patchWebhooksId, () => ({ id: nothing, body: webhook })],
    ['to delete a webhook', 'webhook.delete', deleteWebhooksId, () => ({ id: nothing })],
  ];

  it.each(asked)('%s needs the right %s, and a 403 names it', async (_, right, operation, callOf) => {
    const instance = await gateway.register();
    const parts = callOf({ instance, schedule: await gateway.schedule(instance) });
    const refused = await gateway.call(operation, { ...parts, ...by(`all but ${right}`) });
    expect(faultOf(refused)).toEqual([403, 'forbidden']);
    expect(faultIn(refused.body).message).toContain(right);
    // A schedule that is to keep less is changed as well.
    const enough = right === 'schedule.retention' ? {} : by(`only ${right}`);
    expect((await gateway.call(operation, { ...parts, ...enough })).status).not.toBe(403);
  });

  /** The answer to a changed schedule is empty, so that there is nothing to read. */
  const isEmpty = (right: Right) => right === 'schedule.update' || right === 'schedule.retention';
  const answered = asked.filter(([, right, { method, onlyAsks }]) => method !== 'GET' && !onlyAsks && !isEmpty(right));
  it.each(answered)('%s is answered again by its key only to who has %s', async (_, right, operation, callOf) => {
    const instance = await gateway.register();
    const parts = callOf({ instance, schedule: await gateway.schedule(instance) });
    const key = { 'idempotency-key': `again-${right}` };
    const first = await gateway.call(operation, { ...parts, headers: key });
    expect(first.status).not.toBe(403);
    const { headers, ...nobody } = by(`all but ${right}`);
    const refused = await gateway.call(operation, { ...parts, ...nobody, headers: { ...headers, ...key } });
    expect(faultOf(refused)).toEqual([403, 'forbidden']);
    expect(faultIn(refused.body).message).toContain(right);
    const { headers: own, ...only } = by(`only ${right}`);
    const again = await gateway.call(operation, { ...parts, ...only, headers: { ...own, ...key } });
    expect([again.status, again.body]).toEqual([first.status, first.body]);
  });

  it('is allowed to the roles of the deployment as it says', async () => {
    expect(faultOf(await gateway.call(postInstances, { as: 'creator', body: restore }))).toEqual([403, 'forbidden']);
    expect((await gateway.call(postInstances, { as: 'creator', body: registration })).status).toBe(200);
    expect(faultOf(await gateway.call(postInstances, { ...by('restorer'), body: restore }))).toEqual([
      404,
      'itemNotFound',
    ]);
    expect(faultOf(await gateway.call(postInstances, { ...by('restorer'), body: registration }))).toEqual([
      403,
      'forbidden',
    ]);
    expect((await gateway.call(getBackups, by('restorer'))).status).toBe(200);
  });
});

describe('a token that reaches one instance', () => {
  let own: string;
  let other: string;
  beforeAll(async () => {
    [own, other] = [await gateway.register(), await gateway.register()];
    for (const instance of [own, other]) {
      await gateway.schedule(instance);
      await gateway.run(await gateway.backup(instance), instance, 'completed');
    }
    await gateway.admit('scoped', { name: 'scoped', roles: ['admin'], instances: [own] });
    clock.advance(1_000);
    await eventually(async () => expect((await gateway.call(getInstances, by('scoped'))).status).toBe(200), {
      withinMs: 20_000,
    });
  });

  it('sees its instance, and what belongs to it, and nothing else', async () => {
    for (const [operation, field] of [
      [getInstances, 'id'],
      [getSchedules, 'instance_id'],
      [getRestorable, 'instance_id'],
      [getBackups, 'instance_id'],
      [getEvents, 'instance_id'],
    ] as const) {
      const { body } = await gateway.call(operation, by('scoped'));
      const { name } = operation;
      const [list = []] = Object.values(z.record(z.string(), z.array(z.record(z.string(), z.unknown()))).parse(body));
      expect([name, list.length > 0, new Set(list.map((each) => each[field]))]).toEqual([name, true, new Set([own])]);
    }
    expect((await gateway.call(getInstancesId, { id: own, ...by('scoped') })).status).toBe(200);
    expect(faultOf(await gateway.call(getInstancesId, { id: other, ...by('scoped') }))).toEqual([404, 'itemNotFound']);
  });

  it('changes what belongs to its instance', async () => {
    const hour = { schedule: { hour: 5 } };
    const { body } = await gateway.call(getSchedules, by('scoped'));
    const { schedules } = z.object({ schedules: z.array(z.object({ id: z.string() })) }).parse(body);
    expect(
      (await gateway.call(putSchedulesId, { id: schedules[0]?.id ?? '', body: hour, ...by('scoped') })).status,
    ).toBe(202);
    const backup = { backup: { name: 'by hand', instance: own } };
    expect((await gateway.call(postBackups, { body: backup, ...by('scoped') })).status).toBe(202);
    const elsewhere = { backup: { name: 'by hand', instance: other } };
    expect(faultOf(await gateway.call(postBackups, { body: elsewhere, ...by('scoped') }))).toEqual([
      404,
      'itemNotFound',
    ]);
  });

  it('adds no instance, and reads no audit', async () => {
    for (const [operation, body] of [
      [postInstances, registration],
      [postInstances, restore],
      [getAudit, undefined],
    ] as const) {
      const answer = await gateway.call(operation, { ...(body && { body }), ...by('scoped') });
      expect(faultOf(answer)).toEqual([403, 'forbidden']);
      expect(faultIn(answer.body).message).toContain('only some instances');
    }
  });

  it('does not get the answer to a key of a token with another reach', async () => {
    const body = { backup: { name: 'keyed', instance: other } };
    const key = { 'idempotency-key': 'of-the-whole-account' };
    expect((await gateway.call(postBackups, { body, headers: key })).status).toBe(202);
    const { headers, ...scoped } = by('scoped');
    const answer = await gateway.call(postBackups, { body, ...scoped, headers: { ...headers, ...key } });
    expect(faultOf(answer)).toEqual([422, 'unprocessableEntity']);
  });
});

describe('a token with an end', () => {
  it('is a 401 from the time on when it expires', async () => {
    expect((await gateway.call(getBackups, by('soon over'))).status).toBe(200);
    clock.advance(3_599_000);
    expect((await gateway.call(getBackups, { as: 'admin' })).status).toBe(200);
    clock.advance(2_000);
    expect(faultOf(await gateway.call(getBackups, by('soon over')))).toEqual([401, 'unauthorized']);
  });
});
