import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type NewEvent, type StreamName, streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { Backups, Instances, Views, viewTables } from './index.js';

const ids = new RandomIds();
const [accountId, instanceId, backupId] = ['acme', ids.next(), ids.next()];
const context = { requestId: 'request', correlationId: 'request', causationId: null, actor: 'spec' };
const declared = { type: 'postgresql' as const, version: '18' };
const told = { type: 'postgresql' as const, version: '17.6' };
const plain = { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' as const };
const secured = { ...plain, host: 'moved', tls: 'verify-full' as const, caCertificate: 'CA', clientCertificate: null };

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'told-spec', entities: viewTables }));
  ledger = new Ledger(dataSource);
  views = new Views(dataSource, ledger);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function record(stream: StreamName, events: NewEvent[]): Promise<void> {
  const { length: expectedVersion } = await ledger.readStream(stream);
  const numbered = events.map((event) => ({ ...event, id: ids.next() }));
  const request = { stream, expectedVersion, accountId, instanceId, context, events: numbered };
  await ledger.append({ ...request, claims: [], releases: [] });
  await views.catchUp(accountId);
}
const instance = () => new Instances(dataSource).find(accountId, instanceId);
const backup = () => new Backups(dataSource).find(accountId, backupId);

describe('the views', () => {
  it('show the version that was declared until the server has told one, and what an instance was changed to', async () => {
    const stream = streamOf('instance', instanceId);
    const name = 'orders';
    await record(stream, [
      { type: 'InstanceRegistered', data: { instanceId, name, datastore: declared, endpoint: plain } },
    ]);
    expect(await instance()).toMatchObject({ name, endpoint: plain, datastoreVersion: '18', version: 1 });
    await record(stream, [
      { type: 'InstanceChanged', data: { instanceId, name: 'bills', endpoint: secured, credentialId: ids.next() } },
      { type: 'InstanceVersionFound', data: { instanceId, datastore: told } },
    ]);
    expect(await instance()).toMatchObject({ name: 'bills', endpoint: secured, datastoreVersion: '17.6', version: 3 });
  });

  it('show each backup with the version that its server was', async () => {
    const of = { backupId, instanceId, scheduleId: null };
    const asked = { slotAt: null, trigger: 'request' as const, type: 'full' as const, parentId: null };
    const text = { name: 'by hand', description: null, copyTo: [] };
    await record(streamOf('backup', backupId), [
      { type: 'BackupRequested', data: { ...of, ...asked, ...text, datastore: declared } },
    ]);
    expect(await backup()).toMatchObject({ datastoreVersion: '18' });
    await record(streamOf('backup', backupId), [{ type: 'BackupVersionFound', data: { ...of, datastore: told } }]);
    expect(await backup()).toMatchObject({ datastoreVersion: '17.6' });
  });

  it('are the same when they are folded anew', async () => {
    const before = [await instance(), await backup()];
    await views.rebuild();
    expect([await instance(), await backup()]).toEqual(before);
  });
});
