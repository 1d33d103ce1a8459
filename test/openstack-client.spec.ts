/** The `openstack database` commands, of the versions that Debian 12 packages, against the API as they find it. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { accountPath } from '@strongroom/contracts';
import { z } from 'zod';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { type PythonPrograms, pythonPackages } from './services/python-packages.js';

const run = promisify(execFile);
let customer: CustomerDatabase;
let strongroom: Deployment;
let api: AppProcess;
let client: PythonPrograms | undefined;
let instanceId: string;

beforeAll(async () => {
  client = await pythonPackages({ name: 'openstack-client-6.0.0-8.0.0', part: 'openstack-client' });
  customer = await CustomerDatabase.start({ megabytes: 5 });
  strongroom = await Deployment.create();
  [api] = await strongroom.startAll();
  instanceId = await strongroom.register(api, customer.server);
}, 300_000);
afterAll(async () => {
  await strongroom.remove();
  await customer.stop();
});

/** One of the `openstack` commands. */
async function openstack(...command: string[]): Promise<string> {
  if (!client) return '';
  const how = [
    '--os-auth-type',
    'admin_token',
    '--os-token',
    strongroom.token(),
    '--os-endpoint',
    api.url + accountPath.replace('{accountId}', strongroom.accountId),
  ];
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONPATH: client.path };
  const { stdout } = await run('python3', [join(client.bin, 'openstack'), ...how, ...command], {
    env,
  });
  return stdout;
}
const backup = (...command: string[]) => openstack('database', 'backup', ...command);
const parsed = async (output: Promise<string>): Promise<unknown> => JSON.parse((await output) || 'null');
const json = (...command: string[]) => parsed(backup(...command, '-f', 'json'));

const shown = z.looseObject({ id: z.string(), name: z.string(), status: z.string() });
const listed = z.array(z.looseObject({ ID: z.string(), Name: z.string(), Status: z.string() }));

describe('openstack database backup', () => {
  it('creates, shows, lists and deletes a backup, by name and by id', async () => {
    if (!client) return;
    const created = shown.parse(
      await json('create', 'before the move', '--instance', instanceId, '--description', 'by hand'),
    );
    expect(created).toMatchObject({ name: 'before the move', status: 'NEW', instance_id: instanceId });
    await strongroom.until(api, created.id, ({ status }) => status === 'COMPLETED');

    expect(shown.parse(await json('show', created.id))).toMatchObject({ id: created.id, status: 'COMPLETED' });
    expect(shown.parse(await json('show', 'before the move'))).toMatchObject({ id: created.id });
    expect(listed.parse(await json('list'))).toMatchObject([{ ID: created.id, Name: 'before the move' }]);
    expect(listed.parse(await json('list', '--instance-id', instanceId))).toMatchObject([{ ID: created.id }]);
    expect(listed.parse(await json('list', '--limit', '1'))).toHaveLength(1);

    await backup('delete', created.id);
    await eventually(async () => expect(listed.parse(await json('list'))).toEqual([]), { withinMs: 30_000 });
  }, 180_000);

  it('tells what the API says is wrong', async () => {
    if (!client) return;
    const nobodys = '00000000-0000-4000-8000-000000000000';
    await expect(backup('create', 'x', '--instance', nobodys)).rejects.toMatchObject({
      stderr: expect.stringContaining('was not found'),
    });
    await expect(backup('show', 'no such name')).rejects.toMatchObject({ code: 1 });
  }, 60_000);
});

describe('openstack', () => {
  it('lists and shows instances, and reads their kinds and versions', async () => {
    if (!client) return;
    const list = await parsed(openstack('database', 'instance', 'list', '-f', 'json'));
    expect(list).toMatchObject([
      {
        ID: instanceId,
        Datastore: 'postgresql',
        Status: 'ACTIVE',
        'Operating Status': 'UNKNOWN',
        Addresses: [{ address: '127.0.0.1', type: 'private' }],
      },
    ]);
    const instance = await parsed(openstack('database', 'instance', 'show', instanceId, '-f', 'json'));
    expect(instance).toMatchObject({ id: instanceId, datastore: 'postgresql', ip: '127.0.0.1' });
    const [kind] = z
      .array(z.object({ ID: z.string(), Name: z.string() }))
      .parse(await parsed(openstack('datastore', 'list', '-f', 'json')));
    expect(kind?.Name).toBe('postgresql');
    for (const asked of ['postgresql', kind?.ID ?? '']) {
      expect(await parsed(openstack('datastore', 'show', asked, '-f', 'json'))).toMatchObject({ name: 'postgresql' });
    }
    const versions = z
      .array(z.object({ ID: z.string(), Name: z.string(), Version: z.string() }))
      .parse(await parsed(openstack('datastore', 'version', 'list', 'postgresql', '-f', 'json')));
    const newest = versions.find(({ Name }) => Name === '18');
    for (const how of [[newest?.ID ?? ''], ['18', '--datastore', 'postgresql']]) {
      const shown = await parsed(openstack('datastore', 'version', 'show', ...how, '-f', 'json'));
      expect(shown).toMatchObject({ id: newest?.ID, name: '18', datastore: kind?.ID });
    }
  }, 180_000);
});

describe('openstack database instance update', () => {
  it('renames an instance, and fails where nothing is to be changed', async () => {
    if (!client) return;
    await openstack('database', 'instance', 'update', instanceId, '--name', 'renamed by a client');
    const renamed = await parsed(openstack('database', 'instance', 'show', instanceId, '-f', 'json'));
    expect(renamed).toMatchObject({ id: instanceId, name: 'renamed by a client' });
    await expect(
      openstack('database', 'instance', 'update', instanceId, '--remove-configuration'),
    ).rejects.toMatchObject({
      code: 1,
    });
  }, 60_000);
});
