import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventData, streamOf } from '@strongroom/contracts';
import { fold, instanceDecider } from '@strongroom/domain';
import { Backups, Instances } from '@strongroom/read-model';
import { freePort, PostgresServer } from '@strongroom/server-processes';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { type PostgresVersion, postgresOfVersion } from '../../../../../test/services/postgres-versions.js';
import { rowsOf } from '../../../../../test/services/tables.js';
import { EventfulVault } from '../../../fixtures/eventful-vault.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { BackupAttempt } from './backup-attempt.js';

let world: RunnerWorld;
beforeAll(async () => {
  world = await RunnerWorld.create();
}, 120_000);
afterAll(() => world.remove());

async function backUp(instanceId: string, vault = world.vault) {
  const instance = fold(instanceDecider, await world.ledger.readStream(streamOf('instance', instanceId)));
  if (instance.is !== 'registered') throw new Error('the instance is not there');
  const backupId = await world.request(instanceId, { datastore: instance.datastore });
  const parts = { ...world, vault, vaults: { regions: ['DFW'] } };
  await new BackupAttempt(parts, world.job('backup', backupId), world.hold()).perform();
  return backupId;
}
async function rowOf(backupId: string) {
  await world.views.catchUp('acme');
  return new Backups(world.dataSource).find('acme', backupId);
}
async function instanceRow(instanceId: string) {
  await world.views.catchUp('acme');
  return new Instances(world.dataSource).find('acme', instanceId);
}

describe('the backups of an instance that is changed', () => {
  let customer: CustomerDatabase;
  let instanceId: string;
  beforeAll(async () => {
    customer = await CustomerDatabase.start({ megabytes: 1 });
    instanceId = await world.register(customer.server);
  }, 120_000);
  afterAll(() => customer.stop());

  const alter = (password: string) => customer.query(`alter role backup password '${password}'`);
  const change = (credentialId: string | null, fields: Partial<EventData<'InstanceChanged'>['endpoint']> = {}) => {
    const { host, port, user } = customer.server;
    const certificates = { caCertificate: null, clientCertificate: null };
    const endpoint = { host, port, user, database: 'postgres', tls: 'disable' as const, ...certificates, ...fields };
    return world.record(streamOf('instance', instanceId), instanceId, {
      type: 'InstanceChanged',
      data: { instanceId, name: 'orders', endpoint, credentialId },
    });
  };

  it('are taken with the credential that an event names, and not with one that is only stored', async () => {
    const [credentialId, password] = [world.ids.next(), randomBytes(8).toString('hex')];
    // As a process leaves it that dies before the event.
    const { host, port, user } = customer.server;
    const endpoint = { host, port, user, tls: 'disable' } as const;
    await world.credentials.add({ accountId: 'acme', instanceId, credentialId, endpoint }, { password });
    expect(await rowOf(await backUp(instanceId))).toMatchObject({ status: 'COMPLETED' });
    await alter(password);
    await change(credentialId);
    expect(await rowOf(await backUp(instanceId))).toMatchObject({ status: 'COMPLETED' });
  }, 60_000);

  it('go on with the connection that they have begun with', async () => {
    let isChanged = false;
    const vault = new EventfulVault(world.vault, async () => {
      if (isChanged) return;
      isChanged = true;
      await change(null, { port: 1 });
    });
    expect(await rowOf(await backUp(instanceId, vault))).toMatchObject({ status: 'COMPLETED' });
    expect(isChanged).toBe(true);
    // What the former server has told says nothing of the one that the instance has now.
    expect(await instanceRow(instanceId)).toMatchObject({ endpoint: { port: 1 } });
  }, 60_000);
});

describe('the version of a backup', () => {
  const password = randomBytes(8).toString('hex');
  let folder: string;
  let port: number;
  let running: PostgresServer | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-versions-'));
    await chmod(folder, 0o711);
    port = await freePort();
  });
  afterAll(async () => {
    await running?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  /** Has a server of that version on the port, in place of the one before. @returns what it calls itself */
  async function serve(version?: PostgresVersion): Promise<string | undefined> {
    const programs = version && (await postgresOfVersion(version));
    if (version && !programs) return undefined;
    await running?.kill();
    const settings = { fsync: 'off' };
    const logFile = join(folder, 'server.log');
    const directory = join(folder, `data-${version ?? 'newest'}`);
    running = await PostgresServer.start({
      directory,
      port,
      password,
      settings,
      logFile,
      ...(programs && { programs }),
    });
    const [told] = await rowsOf(running.url(), "select current_setting('server_version') as version");
    return String(told?.version);
  }

  it('is what its server was, whatever was declared and whatever comes later', async () => {
    const instanceId = await world.register({ host: '127.0.0.1', port, user: 'postgres', password }, '16');
    expect(await instanceRow(instanceId)).toMatchObject({ datastoreVersion: '16' });
    const older = await serve('17');
    if (older === undefined) return;
    const first = await backUp(instanceId);
    expect(await rowOf(first)).toMatchObject({ status: 'COMPLETED', datastoreVersion: older });
    expect(await instanceRow(instanceId)).toMatchObject({ datastoreVersion: older });
    const newer = await serve();
    const second = await backUp(instanceId);
    expect(await rowOf(second)).toMatchObject({ datastoreVersion: newer });
    expect(await rowOf(first)).toMatchObject({ datastoreVersion: older });
    expect(await instanceRow(instanceId)).toMatchObject({ datastoreVersion: newer });
    expect((await world.vault.manifest(second))?.manifest.datastore).toMatchObject({ version: newer });
    const events = await world.eventTypesOf(await backUp(instanceId));
    expect(events).not.toContain('BackupVersionFound');
  }, 120_000);
});
