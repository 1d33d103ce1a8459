/** What clients that are in use send, as they send it: the contract's "What known clients do". */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  getBackupsId,
  getInstances,
  getInstancesId,
  getInstancesIdBackups,
  getSchedulesId,
  type Operation,
  postBackups,
  postBackupsIdAction,
  postSchedules,
  putSchedulesId,
} from '@strongroom/contracts';
import { backupDecider, type InstanceCommand, instanceDecider } from '@strongroom/domain';
import { execute, stateOf } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import { z } from 'zod';
import { faultOf } from '../../fixtures/answers.js';
import { accountId, type Call, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  // The servers of clients are on networks of their own.
  const networks = '127.0.0.0/8,10.1.0.0/16,100.64.0.0/10,fd00::5,fe80::/10';
  gateway = await Gateway.open({ env: { STRONGROOM_CUSTOMER_NETWORKS: networks } });
});
afterAll(() => gateway.close());

const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
const withoutZone = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
const shownInstance = async (id: string) =>
  z.object({ instance: z.looseObject({}) }).parse(await get(getInstancesId, { id }));

/** An instance that was to be built from a backup, which was damaged. */
async function buildThatFails(): Promise<string> {
  const source = await gateway.register();
  const backupId = await gateway.backup(source);
  await gateway.run(backupId, source, 'completed');
  const instanceId = randomUUID();
  const { ledger } = gateway;
  const target = { accountId, id: instanceId, instanceId, context };
  const backup = await stateOf(ledger, backupDecider, backupId);
  const commands: InstanceCommand[] = [
    { type: 'BuildInstance', accountId, instanceId, name: 'built', backupId, backup },
    { type: 'FailBuild', code: 'object-altered', reason: 'It is damaged.' },
  ];
  for (const command of commands) {
    expect(await execute({ ledger, ids: new RandomIds() }, instanceDecider, target, command)).not.toHaveProperty(
      'refused',
    );
  }
  return instanceId;
}

const get = async (operation: Operation, call?: Call) => (await gateway.call(operation, call)).body;

describe('cdbclient', () => {
  it('creates a schedule with explicit nulls', async () => {
    const instance = await gateway.register();
    const schedule = {
      action: 'backup',
      day_of_week: 0,
      hour: 14,
      minute: 30,
      instance_id: instance,
      source_id: null,
      source_type: null,
      full_backup_retention: null,
      copy_to: null,
    };
    const answer = await gateway.call(postSchedules, { body: { schedule } });
    expect(answer).toMatchObject({ status: 202, body: { schedule: { copy_to: [], full_backup_retention: 2 } } });
  });

  it('sends run_now with every update, and regions as one text', async () => {
    const instance = await gateway.register();
    const id = await gateway.schedule(instance, { copy_to: [] });
    const change = { day_of_week: null, hour: 3, minute: null, full_backup_retention: null, run_now: false };
    const answer = await gateway.call(putSchedulesId, { id, body: { schedule: { ...change, copy_to: 'ORD,IAD' } } });
    expect(answer).toMatchObject({ status: 202, body: undefined });
    expect(await get(getSchedulesId, { id })).toMatchObject({
      schedule: { hour: 3, minute: 30, copy_to: ['ORD', 'IAD'] },
    });

    const run = { ...change, hour: null, copy_to: null, run_now: 'true' };
    expect((await gateway.call(putSchedulesId, { id, body: { schedule: run } })).status).toBe(202);
    expect(await get(getInstancesIdBackups, { id: instance })).toMatchObject({
      backups: [{ schedule_id: id, status: 'NEW' }],
    });
  });

  it('copies a backup without a name', async () => {
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    await gateway.run(backup, instance, 'completed');
    const body = { 'copy-backup': { target_backup_region: 'IAD', name: null, description: null } };
    expect((await gateway.call(postBackupsIdAction, { id: backup, body })).status).toBe(202);
  });
});

describe('troveclient', () => {
  it('creates a backup with all that it knows, looks it up by name first, and reads it again at once', async () => {
    const instance = await gateway.register();
    const missing = await gateway.call(getBackupsId, { id: 'nightly one' });
    expect(faultOf(missing)).toEqual([404, 'itemNotFound']);
    const backup = { name: 'nightly one', instance, incremental: 0, description: 'by hand', backup_type: 'full' };
    const answer = await gateway.call(postBackups, { body: { backup: { ...backup, swift_container: null } } });
    const { id } = z.object({ backup: z.looseObject({ id: z.string() }) }).parse(answer.body).backup;
    expect(await get(getBackupsId, { id })).toEqual(answer.body);
  });

  it('lists instances with a filter of its own, and reads their flavor, volume and datastore', async () => {
    const instance = await gateway.register('admin', { name: 'for trove' });
    const { instances } = z
      .object({ instances: z.array(z.looseObject({ id: z.string() })) })
      .parse(await get(getInstances, { query: { include_clustered: 'False' } }));
    expect(instances.find(({ id }) => id === instance)).toMatchObject({
      flavor: { id: '0' },
      volume: { size: expect.any(Number) },
      datastore: { type: 'postgresql', version: '18' },
    });
  });

  it('takes a fault for one wherever the field is, so that an instance without a fault has no such field', async () => {
    const id = await gateway.register();
    expect((await shownInstance(id)).instance).not.toHaveProperty('fault');
    const failed = await buildThatFails();
    expect(await shownInstance(failed)).toMatchObject({
      instance: {
        status: 'ERROR',
        operating_status: 'FAILED',
        fault: { code: 'object-altered', message: 'It is damaged.', created: expect.stringMatching(withoutZone) },
      },
    });
  });

  it.each([
    ['10.1.2.3', 'private'],
    ['100.64.0.1', 'private'],
    ['fe80::1%eth0', 'private'],
    ['fd00::5', 'private'],
    ['192.0.2.7', 'public'],
    ['2001:db8::1', 'public'],
  ])('reads the address %s of an instance as a %s one', async (host, type) => {
    const id = await gateway.register('admin', { connection: { host, port: 5432, user: 'b', password: 'p' } });
    expect(await shownInstance(id)).toMatchObject({
      instance: { hostname: host, ip: [host], addresses: [{ type, address: host }] },
    });
  });

  it('reads whether the server answered its newest backup', async () => {
    const id = await gateway.register();
    const status = async () => (await shownInstance(id)).instance.operating_status;
    expect(await status()).toBe('UNKNOWN');
    const outcomes = [];
    for (const outcome of ['completed', 'failed'] as const) {
      const backup = await gateway.backup(id);
      outcomes.push(await status());
      await gateway.run(backup, id, outcome);
      outcomes.push(await status());
    }
    expect(outcomes).toEqual(['UNKNOWN', 'HEALTHY', 'HEALTHY', 'UNKNOWN']);
  });
});

describe('gophercloud', () => {
  it('finds times that it can read, and 202 for what it creates and deletes', async () => {
    const instance = await gateway.register();
    const id = await gateway.backup(instance);
    await gateway.run(id, instance, 'completed');
    const { backup } = z
      .object({ backup: z.looseObject({ created: z.iso.datetime(), updated: z.iso.datetime() }) })
      .parse(await get(getBackupsId, { id }));
    expect(backup).toMatchObject({ id, size: expect.any(Number), datastore: { version_id: expect.any(String) } });
    expect((await gateway.call(deleteBackupsId, { id })).status).toBe(202);
  });
});
