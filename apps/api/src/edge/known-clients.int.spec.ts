/** What clients that are in use send, as they send it: the contract's "What known clients do". */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { faultIn, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const get = async (path: string) => (await gateway.call('GET', path)).body;

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
    const answer = await gateway.call('POST', '/schedules', { body: { schedule } });
    expect(answer).toMatchObject({ status: 202, body: { schedule: { copy_to: [], full_backup_retention: 2 } } });
  });

  it('sends run_now with every update, and regions as one text', async () => {
    const instance = await gateway.register();
    const id = await gateway.schedule(instance, { copy_to: [] });
    const change = { day_of_week: null, hour: 3, minute: null, full_backup_retention: null, run_now: false };
    const answer = await gateway.call('PUT', `/schedules/${id}`, {
      body: { schedule: { ...change, copy_to: 'ORD,IAD' } },
    });
    expect(answer).toMatchObject({ status: 202, body: '' });
    expect(await get(`/schedules/${id}`)).toMatchObject({ schedule: { hour: 3, minute: 30, copy_to: ['ORD', 'IAD'] } });

    const run = { ...change, hour: null, copy_to: null, run_now: 'true' };
    expect((await gateway.call('PUT', `/schedules/${id}`, { body: { schedule: run } })).status).toBe(202);
    expect(await get(`/instances/${instance}/backups`)).toMatchObject({
      backups: [{ schedule_id: id, status: 'NEW' }],
    });
  });

  it('copies a backup without a name', async () => {
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    await gateway.run(backup, instance, 'completed');
    const body = { 'copy-backup': { target_backup_region: 'IAD', name: null, description: null } };
    expect((await gateway.call('POST', `/backups/${backup}/action`, { body })).status).toBe(202);
  });
});

describe('troveclient', () => {
  it('creates a backup with all that it knows, looks it up by name first, and reads it again at once', async () => {
    const instance = await gateway.register();
    const missing = await gateway.call('GET', '/backups/nightly%20one');
    expect([missing.status, faultIn(missing.body).type]).toEqual([404, 'itemNotFound']);
    const backup = { name: 'nightly one', instance, incremental: 0, description: 'by hand', backup_type: 'full' };
    const answer = await gateway.call('POST', '/backups', { body: { backup: { ...backup, swift_container: null } } });
    const { id } = z.object({ backup: z.looseObject({ id: z.string() }) }).parse(answer.body).backup;
    expect(await get(`/backups/${id}`)).toEqual(answer.body);
  });

  it('lists instances with a filter of its own, and reads their flavor, volume and datastore', async () => {
    const instance = await gateway.register('admin', { name: 'for trove' });
    const { instances } = z
      .object({ instances: z.array(z.looseObject({ id: z.string() })) })
      .parse(await get('/instances?include_clustered=False'));
    expect(instances.find(({ id }) => id === instance)).toMatchObject({
      flavor: { id: '0' },
      volume: { size: expect.any(Number) },
      datastore: { type: 'postgresql', version: '18' },
    });
  });
});

describe('gophercloud', () => {
  it('finds times that it can read, and 202 for what it creates and deletes', async () => {
    const instance = await gateway.register();
    const id = await gateway.backup(instance);
    await gateway.run(id, instance, 'completed');
    const { backup } = z
      .object({ backup: z.looseObject({ created: z.iso.datetime(), updated: z.iso.datetime() }) })
      .parse(await get(`/backups/${id}`));
    expect(backup).toMatchObject({ id, size: expect.any(Number), datastore: { version_id: expect.any(String) } });
    expect((await gateway.call('DELETE', `/backups/${id}`)).status).toBe(202);
  });
});
