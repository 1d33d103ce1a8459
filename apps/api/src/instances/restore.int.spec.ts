import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deleteInstancesId, getInstancesId, postBackups, postInstances, postSchedules } from '@strongroom/contracts';
import { instanceDecider } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import { faultIn, faultOf, nothing } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ env: { STRONGROOM_BUILT_SERVERS: 'on' } });
});
afterAll(() => gateway.close());

const restore = (backupRef: unknown, more: object = {}, where = gateway) =>
  where.call(postInstances, { body: { instance: { name: 'again', restorePoint: { backupRef }, ...more } } });
const idIn = (body: unknown) => /"id":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? '';
async function completed(): Promise<string> {
  const instance = await gateway.register();
  const backup = await gateway.backup(instance);
  await gateway.run(backup, instance, 'completed');
  return backup;
}

describe('an instance that is to be built from a backup', () => {
  it('is there at once, in BUILD, with what known clients send taken and not obeyed', async () => {
    const answer = await restore(await completed(), {
      flavorRef: '7',
      volume: { size: 5 },
      datastore: { type: 'mysql' },
    });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        instance: {
          name: 'again',
          status: 'BUILD',
          hostname: null,
          port: null,
          datastore: { type: 'postgresql', version: '18' },
        },
      },
    });
    const id = idIn(answer.body);
    expect((await gateway.call(getInstancesId, { id })).body).toEqual(answer.body);
    const timing = { action: 'backup', day_of_week: 0, hour: 1, minute: 1 };
    for (const [operation, body] of [
      [postSchedules, { schedule: { ...timing, instance_id: id } }],
      [postBackups, { backup: { name: 'too soon', instance: id } }],
    ] as const) {
      expect(faultOf(await gateway.call(operation, { body }))).toEqual([422, 'unprocessableEntity']);
    }
    expect(faultOf(await gateway.call(deleteInstancesId, { id }))).toEqual([422, 'unprocessableEntity']);
  });

  it('or registered: of the two fields that say which, the one that is null counts as absent', async () => {
    const connection = { host: 'db', port: 5432, user: 'backup', password: 'secret' };
    const datastore = { type: 'postgresql', version: '18' };
    const ask = (instance: object) =>
      gateway.call(postInstances, { body: { instance: { name: 'either', datastore, ...instance } } });
    const backupRef = await completed();
    expect((await ask({ connection, restorePoint: null })).body).toMatchObject({ instance: { status: 'ACTIVE' } });
    expect((await ask({ connection: null, restorePoint: { backupRef } })).body).toMatchObject({
      instance: { status: 'BUILD' },
    });
    const both = await ask({ connection, restorePoint: { backupRef } });
    expect(faultOf(both)).toEqual([400, 'badRequest']);
    expect(faultIn(both.body).message).toBe('instance.connection: can only be null beside restorePoint.');
    const neither = faultIn((await ask({ connection: null, restorePoint: null })).body);
    expect(neither.message).toMatch(/^instance\.connection: must be an object/);
  });

  it('that could not be built says why, and can be forgotten', async () => {
    const id = idIn((await restore(await completed())).body);
    const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
    const target = { id, accountId, instanceId: id, context };
    await execute({ ledger: gateway.ledger, ids: new RandomIds() }, instanceDecider, target, {
      type: 'FailBuild',
      code: 'object-missing',
      reason: 'No region holds the backup.',
    });
    expect((await gateway.call(getInstancesId, { id })).body).toMatchObject({
      instance: { status: 'ERROR', fault: { code: 'object-missing', message: 'No region holds the backup.' } },
    });
    expect((await gateway.call(deleteInstancesId, { id })).status).toBe(202);
  });

  it('needs a backup of the account that has completed', async () => {
    const instance = await gateway.register();
    const running = await gateway.backup(instance);
    expect(faultOf(await restore(running))).toEqual([409, 'conflict']);
    await gateway.run(running, instance, 'failed');
    expect(faultOf(await restore(running))).toEqual([409, 'conflict']);
    expect(faultOf(await restore(nothing))).toEqual([404, 'itemNotFound']);
    const ofOther = await gateway.register('other');
    expect(faultOf(await restore(await gateway.backup(ofOther, {}, 'other')))).toEqual([404, 'itemNotFound']);
    for (const wrong of [null, 5, 'x', '', {}]) expect(faultOf(await restore(wrong))).toEqual([400, 'badRequest']);
    expect(faultOf(await restore(running, { size: 5 }))).toEqual([400, 'badRequest']);
  });

  it('is a 501 where the deployment builds none, and first a 404 or a 409 for its backup', async () => {
    const plain = await Gateway.open({ database: gateway.database });
    const running = await gateway.backup(await gateway.register());
    try {
      expect(faultOf(await restore(nothing, {}, plain))).toEqual([404, 'itemNotFound']);
      expect(faultOf(await restore(running, {}, plain))).toEqual([409, 'conflict']);
      expect(faultOf(await restore(await completed(), {}, plain))).toEqual([501, 'notImplemented']);
    } finally {
      await plain.end();
    }
  });
});
