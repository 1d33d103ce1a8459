import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiFault, Client } from '@strongroom/client';
import {
  apiVersion,
  deleteConsoleSession,
  getAudit,
  getConsole,
  getConsoleAssetsFile,
  getConsoleSession,
  getDatastores,
  getDatastoresId,
  getDatastoresIdVersions,
  getDatastoresIdVersionsVersion,
  getDatastoresVersionsId,
  getDocs,
  getDocsReferenceJs,
  getHealthLive,
  getHealthReady,
  getLimits,
  getOpenapiJson,
  getRegions,
  getSchedules,
  getSchedulesId,
  getV10,
  getVersions,
  operations,
  operationsOn,
  postConsoleSession,
  putInstancesId,
} from '@strongroom/contracts';
import { allOf } from '../../../../test/services/all-of.js';
import { nothing } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

const server = {
  name: 'orders',
  datastore: { type: 'postgresql', version: '18' },
  connection: { host: 'db.example.com', port: 5432, user: 'backup', password: 'secret' },
} as const;
const slot = { action: 'backup', day_of_week: 0, hour: 14, minute: 30 } as const;

let gateway: Gateway;
let client: Client;
/** The names of the operations that the client has called. */
const called = new Set<string>();

beforeAll(async () => {
  gateway = await Gateway.open({ env: { STRONGROOM_BUILT_SERVERS: 'on' } });
  client = new Client({
    baseUrl: gateway.url,
    accountId,
    token: gateway.tokenOf('admin'),
    fetch: (url, init) => {
      const here = operationsOn(new URL(String(url)).pathname);
      for (const { name } of here.filter(({ method }) => method === init?.method)) called.add(name);
      return fetch(url, init);
    },
  });
});
afterAll(() => gateway.close());

/** A backup that has completed, the first of a lineage of its own. */
async function completedBackup(instance: string): Promise<string> {
  const { id } = await client.backups.create({ name: 'by hand', instance });
  await gateway.run(id, instance, 'completed', { lineage: id, facts: null });
  return id;
}

describe('the client', () => {
  it('creates, reads, changes, runs and deletes a schedule', async () => {
    const { id: instance_id } = await client.instances.register(server);
    const created = await client.schedules.create({ ...slot, instance_id, copy_to: ['IAD'] });
    expect(await client.schedules.get(created.id)).toEqual(created);
    await client.schedules.update(created.id, { hour: 3 });
    expect(await allOf(client.schedules.list({ instance_id }))).toMatchObject([{ id: created.id, hour: 3 }]);
    await client.schedules.runNow(created.id);
    expect(await allOf(client.instances.backups(instance_id))).toMatchObject([{ schedule_id: created.id }]);
    expect(await allOf(client.schedules.runs(created.id))).toMatchObject([{ outcome: 'coming' }]);
    await client.schedules.delete(created.id);
    await expect(client.schedules.get(created.id)).rejects.toMatchObject({ code: 'itemNotFound' });
  });

  it('takes, reads, copies and deletes a backup', async () => {
    const { id: instance } = await client.instances.register(server);
    const id = await completedBackup(instance);
    expect(await client.backups.get(id)).toMatchObject({ status: 'COMPLETED', copies: [] });
    await client.backups.copy(id, 'ORD');
    expect(await client.backups.copies(id)).toMatchObject([{ region: 'ORD', status: 'PENDING' }]);
    expect(await allOf(client.backups.list({ instance_id: instance }))).toMatchObject([{ id }]);
    await client.backups.delete(id);
    expect(await allOf(client.backups.list({ instance_id: instance }))).toEqual([]);
  });

  it('changes an instance, and tests the connection to it', async () => {
    const { id } = await client.instances.register({
      ...server,
      connection: { ...server.connection, host: '127.0.0.1', port: 1 },
    });
    await client.instances.change(id, { name: 'bills' });
    await client.call(putInstancesId, { id, body: { instance: { connection: { user: 'other' }, verify: false } } });
    expect(await client.instances.get(id)).toMatchObject({ name: 'bills', connection: { user: 'other' } });
    expect(await client.instances.testConnection(id)).toMatchObject({ server: null, full: { possible: false } });
    await expect(client.instances.testConnection(nothing)).rejects.toMatchObject({ code: 'itemNotFound' });
  });

  it('registers, restores, lists and forgets instances, and accepts another server', async () => {
    const { id } = await client.instances.register(server);
    const first = await completedBackup(id);
    const second = await completedBackup(id);
    expect((await client.instances.get(id)).lineages.map((lineage) => lineage.id)).toEqual([second, first]);
    await client.instances.acceptLineage(id, second);
    expect((await client.instances.get(id)).lineages[0]).toMatchObject({ id: second, in_place_of: [first] });
    expect(await client.instances.restore('orders-restored', second)).toMatchObject({ status: 'BUILD' });
    await client.instances.delete(id);
    expect((await allOf(client.instances.list())).map((instance) => instance.id)).not.toContain(id);
  });

  it('reads the kinds of database servers and their versions', async () => {
    const { datastores } = (await client.call(getDatastores)).body;
    const [{ id, default_version: version } = { id: '', default_version: '' }] = datastores;
    expect((await client.call(getDatastoresId, { id })).body).toEqual({ datastore: datastores[0] });
    const { versions } = (await client.call(getDatastoresIdVersions, { id })).body;
    expect((await client.call(getDatastoresIdVersionsVersion, { id, version })).body).toEqual({ version: versions[0] });
    expect((await client.call(getDatastoresVersionsId, { id: version })).body).toEqual({ version: versions[0] });
  });

  it('reads the events page by page, and follows them as they happen', async () => {
    const before = await allOf(client.events.list({ limit: 2 }));
    expect(before.map((event) => event.id)).toEqual((await gateway.events()).map((event) => event.id));
    const stop = new AbortController();
    const followed = client.events.follow({ after: before.at(-1)?.id, signal: stop.signal });
    const next = followed.next();
    const { id } = await client.instances.register(server);
    expect((await next).value).toMatchObject({ type: 'InstanceRegistered', subject: { id } });
    stop.abort();
    expect(await followed.next()).toEqual({ done: true, value: undefined });
    // A place that the ledger does not have begins the stream anew, and the client is told.
    let resets = 0;
    const again = new AbortController();
    const onReset = () => {
      resets += 1;
    };
    const lost = client.events.follow({ after: nothing, onReset, signal: again.signal });
    expect((await lost.next()).value).toMatchObject({ id: before[0]?.id });
    expect(resets).toBe(1);
    again.abort();
  });

  it('lists what is restorable', async () => {
    const { id: instance_id } = await client.instances.register(server);
    const { id } = await client.schedules.create({ ...slot, instance_id });
    expect(await allOf(client.schedules.restorable({ instance_id }))).toMatchObject([
      { id, instance_id, outcomes: [] },
    ]);
  });

  it('previews a change of a schedule', async () => {
    const { id: instance_id } = await client.instances.register(server);
    const { id } = await client.schedules.create({ ...slot, instance_id });
    expect(await client.schedules.preview(id, { paused: true })).toMatchObject({ runs: { length: 14 }, backups: [] });
    expect(await allOf(client.schedules.previewedBackups(id, { paused: true }))).toEqual([]);
  });

  it('makes, changes, tries and deletes a webhook', async () => {
    const types = ['InstanceRegistered' as const];
    const { id, secret } = await client.webhooks.create({ name: 'on call', url: 'http://127.0.0.1:1/', types });
    expect(secret).toMatch(/^whsec_/);
    await client.webhooks.update(id, { name: 'nobody', enabled: false });
    expect(await client.webhooks.get(id)).toMatchObject({ name: 'nobody', url_origin: 'http://127.0.0.1:1' });
    expect((await client.webhooks.rotate(id)).secret).not.toBe(secret);
    expect(await client.webhooks.test(id)).toMatchObject({ delivered: false, fault: { code: 'unreachable' } });
    await client.instances.register(server);
    const [event] = (await allOf(client.events.list())).filter(({ type }) => type === 'InstanceRegistered');
    expect(await client.webhooks.replay(id, event?.id ?? '')).toMatchObject({ delivered: false });
    expect(await allOf(client.webhooks.deliveries(id))).toMatchObject([{ id: event?.id, state: 'failed' }]);
    expect(await allOf(client.webhooks.list())).toMatchObject([{ id }]);
    await client.webhooks.delete(id);
    expect(await allOf(client.webhooks.list())).toEqual([]);
  });

  it('asks why a schedule is as it is', async () => {
    const { id: instance_id } = await client.instances.register(server);
    const { id } = await client.schedules.create({ ...slot, instance_id });
    expect(await client.explanations.get(id)).toMatchObject({ kind: 'schedule', definition: { hour: 14 } });
    expect(await allOf(client.explanations.sentences(id))).toMatchObject([{ reason: 'schedule-created' }]);
  });

  it('reads what the service says of itself, without a token', async () => {
    const { regions } = (await client.call(getRegions)).body;
    expect((await client.call(getLimits)).body.limits).toMatchObject([{ verb: 'ABSOLUTE', max_instances: 10_000 }]);
    expect((await client.call(getAudit)).body.audit).not.toEqual([]);
    expect(regions.find(({ home }) => home)).toMatchObject({ name: 'DFW' });
    const ofNoAccount = [
      getVersions,
      getV10,
      getOpenapiJson,
      getDocs,
      getDocsReferenceJs,
      getHealthLive,
      getHealthReady,
    ];
    for (const operation of ofNoAccount) expect((await client.call(operation)).body).toBeTruthy();
    const own = { headers: { origin: gateway.url } };
    const { session } = (await client.call(postConsoleSession, own)).body;
    expect(session).toMatchObject({ account_id: accountId, name: 'admin' });
    await client.call(deleteConsoleSession, own);
    // A session is a cookie, which this client does not keep.
    await expect(client.call(getConsoleSession)).rejects.toMatchObject({ code: 'unauthorized' });
    const page = String((await client.call(getConsole)).body);
    const [, file = ''] = /assets\/([\w.-]+\.js)/.exec(page) ?? [];
    expect((await client.call(getConsoleAssetsFile, { file })).body).toBeTruthy();
    const { versions } = (await new Client({ baseUrl: gateway.url, accountId }).call(getVersions)).body;
    expect(versions).toMatchObject([{ id: apiVersion }]);
  });

  it('has called every operation that there is', () => {
    expect([...called].sort()).toEqual(operations.map(({ name }) => name).sort());
  });
});

describe('a call of the client', () => {
  it('with a key is done once, and with an ETag only while nothing has changed', async () => {
    const { id: instance_id } = await client.instances.register(server);
    const create = () => client.schedules.create({ ...slot, instance_id }, { idempotencyKey: 'once' });
    const { id } = await create();
    expect((await create()).id).toBe(id);
    const ifMatch = (await client.call(getSchedulesId, { id })).headers.get('etag') ?? '';
    await client.schedules.update(id, { hour: 4 }, { ifMatch });
    await expect(client.schedules.delete(id, { ifMatch })).rejects.toMatchObject({ code: 'preconditionFailed' });
  });

  it('that is refused throws the fault, its status and the id of the request', async () => {
    const refused = client.schedules.get(nothing, { requestId: 'req-of-the-client' });
    await expect(refused).rejects.toBeInstanceOf(ApiFault);
    await expect(refused).rejects.toMatchObject({
      code: 'itemNotFound',
      status: 404,
      retryable: false,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      message: expect.stringContaining(nothing),
    });
  });

  it('ends when its signal is aborted', async () => {
    await expect(client.call(getSchedules, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });
});
