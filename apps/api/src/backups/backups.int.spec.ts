import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  deleteSchedulesId,
  getBackups,
  getBackupsId,
  getBackupsIdCopies,
  getInstancesId,
  postBackups,
  postBackupsIdAction,
  putSchedulesId,
} from '@strongroom/contracts';
import { copyId } from '@strongroom/domain';
import { z } from 'zod';
import { CustomerDatabase } from '../../../../test/customer-database.js';
import { faultOf, fullFaultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);

let gateway: Gateway;
let customer: CustomerDatabase | undefined;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(async () => {
  await customer?.stop();
  await gateway.close();
});

const backups = z.object({
  backups: z.array(z.looseObject({ id: z.string() })),
  links: z.array(z.object({ rel: z.string(), href: z.string() })),
});
const create = (backup: object) => gateway.call(postBackups, { body: { backup } });
const shown = async (id: string) =>
  z.object({ backup: z.looseObject({}) }).parse((await gateway.call(getBackupsId, { id })).body).backup;
const listed = async (query: Call['query'] = {}) => backups.parse((await gateway.call(getBackups, { query })).body);

describe('a new backup', () => {
  it('is answered whole, with nothing that a client would stumble over', async () => {
    const instanceId = await gateway.register();
    const answer = await create({ name: 'before the migration', instance: instanceId, copy_to: ['ORD', 'IAD'] });
    expect(answer.status).toBe(202);
    const { backup } = z.object({ backup: z.looseObject({ id: z.string(), created: z.string() }) }).parse(answer.body);
    const pending = (region: string) => ({
      id: copyId(backup.id, region),
      region,
      source_region: null,
      status: 'PENDING',
      progress: 0,
      attempt: 0,
      size_bytes: null,
      checksum: null,
      verified: false,
      verified_at: null,
      verified_by: null,
      state: 'OWED',
      locationRef: null,
      fault: null,
      retry_at: null,
      waits_for: null,
      created: time,
      updated: time,
      started: null,
      completed: null,
    });
    expect(backup).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'before the migration',
      description: null,
      status: 'NEW',
      created: time,
      updated: time,
      instance_id: instanceId,
      source: { id: instanceId, type: 'instance' },
      parent_id: null,
      size: null,
      size_bytes: null,
      locationRef: null,
      whole_in: [],
      verified_at: null,
      verified_by: null,
      restore_tests: [],
      datastore: { type: 'postgresql', version: '18', version_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      is_automated: 0,
      type: 'full',
      schedule_id: null,
      checksum: null,
      made_full: null,
      full_because: { ground: 'asked-for', reason: 'A full backup was asked for.' },
      attempt: 0,
      retry_at: null,
      retry_until: null,
      failed_attempts: [],
      delays: [],
      not_deleted_because: null,
      deleted: null,
      hold: null,
      keep_until: null,
      lineage: null,
      another_server: null,
      encrypted_for: null,
      warnings: [],
      progress: 0,
      fault: null,
      started: null,
      completed: null,
      copies: [pending('IAD'), pending('ORD')],
    });
    expect(await shown(backup.id)).toEqual(backup);
    expect((await gateway.call(getBackupsIdCopies, { id: backup.id })).body).toEqual({
      copies: backup.copies,
      links: [],
    });
  });

  it('takes what known clients send and does not obey all of it', async () => {
    const answer = await create({
      name: 'x',
      instance: (await gateway.register()).toUpperCase(),
      description: 'two\nlines',
      incremental: 0,
      parent_id: null,
      is_automated: 1,
      backup_type: 'snapshot',
      swift_container: 'mine',
      source: { id: nothing, type: 'replica' },
    });
    expect(answer).toMatchObject({
      status: 202,
      body: { backup: { description: 'two\nlines', is_automated: 0, type: 'full', copies: [] } },
    });
  });

  it('is the only one that runs of its instance, though many ask at once', async () => {
    const instanceId = await gateway.register();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create({ name: 'x', instance: instanceId })));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 422, 422, 422, 422, 422, 422, 422]);
    const [running] = (await listed({ instance_id: instanceId })).backups;
    expect(fullFaultOf(await create({ name: 'x', instance: instanceId }))).toEqual([
      422,
      'unprocessableEntity',
      expect.stringContaining(running?.id ?? 'none'),
    ]);
    await gateway.run(running?.id ?? '', instanceId, 'completed');
    expect((await create({ name: 'x', instance: instanceId })).status).toBe(202);
  });

  it('needs an instance of this account and regions that there are', async () => {
    const instance = await gateway.register();
    const text = expect.any(String);
    expect(fullFaultOf(await create({ name: 'x', instance: nothing }))).toEqual([
      404,
      'itemNotFound',
      expect.stringContaining(nothing),
    ]);
    expect(fullFaultOf(await create({ name: 'x', instance: await gateway.register('other') }))).toEqual([
      404,
      'itemNotFound',
      text,
    ]);
    for (const region of ['DFW', 'LON', 'x']) {
      expect(fullFaultOf(await create({ name: 'x', instance, copy_to: [region] }))).toEqual([
        400,
        'badRequest',
        expect.stringMatching(`^backup\\.copy_to: "${region}" .* Allowed: IAD, ORD\\.$`),
      ]);
    }
    expect((await listed({ instance_id: instance })).backups).toEqual([]);
  });
});

describe('an incremental backup', () => {
  const completed = async (instance: string) => {
    const id = await gateway.backup(instance);
    await gateway.run(id, instance, 'completed');
    return id;
  };

  it('is built on the parent that is named, or on the newest that has completed; on nothing, it is full and says why', async () => {
    const instance = await gateway.register();
    const first = await gateway.backup(instance, { incremental: 1 });
    expect(await shown(first)).toMatchObject({
      type: 'full',
      parent_id: null,
      made_full: { planned_parent_id: null, ground: 'nothing-to-build-on', reason: expect.any(String) },
    });
    await gateway.run(first, instance, 'completed');
    const second = await gateway.backup(instance, { incremental: true });
    expect(await shown(second)).toMatchObject({ type: 'incremental', parent_id: first, made_full: null });
    await gateway.run(second, instance, 'completed');
    const third = await gateway.backup(instance, { parent_id: second });
    expect(await shown(third)).toMatchObject({ type: 'incremental', parent_id: second });
    await gateway.run(third, instance, 'failed');
    const fourth = await gateway.backup(instance, { incremental: 0 });
    expect(await shown(fourth)).toMatchObject({ type: 'full', parent_id: null, made_full: null });
  });

  it('needs a parent of the instance that has completed', async () => {
    const instance = await gateway.register();
    const running = await gateway.backup(instance);
    expect(faultOf(await create({ name: 'x', instance, parent_id: running }))[0]).toBe(422);
    await gateway.run(running, instance, 'failed');
    expect(faultOf(await create({ name: 'x', instance, parent_id: running }))[0]).toBe(422);
    expect(faultOf(await create({ name: 'x', instance, parent_id: nothing }))[0]).toBe(404);
    const ofOther = await completed(await gateway.register());
    expect(fullFaultOf(await create({ name: 'x', instance, parent_id: ofOther }))).toEqual([
      422,
      'unprocessableEntity',
      expect.stringContaining('another instance'),
    ]);
  });

  it('is built on the newest only: another parent is a 422 that names the newest', async () => {
    const instance = await gateway.register();
    const [first, second] = [await completed(instance), await completed(instance)];
    expect(fullFaultOf(await create({ name: 'x', instance, parent_id: first }))).toEqual([
      422,
      'unprocessableEntity',
      expect.stringMatching(`^backup\\.parent_id: Backup ${first} is not the newest .*${second}.* take a full backup`),
    ]);
    expect((await create({ name: 'x', instance, parent_id: second })).status).toBe(202);
  });

  it('is a 422 with the reason where the server can take none', async () => {
    const old = await gateway.register('admin', { datastore: { type: 'postgresql', version: '16.4' } });
    expect(fullFaultOf(await create({ name: 'x', instance: old, parent_id: await completed(old) }))).toEqual([
      422,
      'unprocessableEntity',
      expect.stringMatching(/^backup\.parent_id: The server is PostgreSQL 16\.4/),
    ]);
    customer = await CustomerDatabase.start({ megabytes: 1, settings: { summarize_wal: 'off' } });
    const connection = customer.server;
    const withoutSummaries = await gateway.register('admin', { connection });
    await completed(withoutSummaries);
    expect(fullFaultOf(await create({ name: 'x', instance: withoutSummaries, incremental: 1 }))).toEqual([
      422,
      'unprocessableEntity',
      expect.stringMatching(/^backup\.incremental: .*summarize_wal = on/),
    ]);
    // The version that the server tells counts, and not the one that was declared.
    const datastore = { type: 'postgresql', version: '16.4' };
    const declaredOld = await gateway.register('admin', { connection, datastore });
    await completed(declaredOld);
    expect(fullFaultOf(await create({ name: 'x', instance: declaredOld, incremental: 1 }))).toEqual([
      422,
      'unprocessableEntity',
      expect.stringMatching(/^backup\.incremental: .*summarize_wal = on/),
    ]);
  });

  it('is copied to no region that does not hold its parent', async () => {
    const instance = await gateway.register();
    const parent = await completed(instance);
    expect(fullFaultOf(await create({ name: 'x', instance, parent_id: parent, copy_to: ['IAD'] }))).toEqual([
      400,
      'badRequest',
      expect.stringMatching(`^backup\\.copy_to: IAD does not hold backup ${parent}`),
    ]);
    const child = await gateway.backup(instance, { parent_id: parent });
    await gateway.run(child, instance, 'completed');
    const body = { 'copy-backup': { target_backup_region: 'IAD' } };
    expect(faultOf(await gateway.call(postBackupsIdAction, { id: child, body }))[0]).toBe(400);
  });

  it('goes when what it was built on is deleted, and so does what was built on it', async () => {
    const instance = await gateway.register();
    const root = await completed(instance);
    const child = await gateway.backup(instance, { parent_id: root });
    await gateway.run(child, instance, 'completed');
    const grandchild = await gateway.backup(instance, { parent_id: child });
    expect(faultOf(await gateway.call(deleteBackupsId, { id: root }))[0]).toBe(422);
    expect(await shown(root)).toMatchObject({ status: 'COMPLETED' });
    await gateway.run(grandchild, instance, 'completed');
    expect((await gateway.call(deleteBackupsId, { id: child })).status).toBe(202);
    expect((await listed({ instance_id: instance })).backups.map(({ id }) => id)).toEqual([root]);
  });
});

describe('a backup', () => {
  it('is shown as it goes: building, completed, and where it is', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.backup(instanceId, { copy_to: ['IAD'] });
    await gateway.run(id, instanceId, 'started');
    expect(await shown(id)).toMatchObject({ status: 'BUILDING', started: time, completed: null, size: null });
    const instance = () => gateway.call(getInstancesId, { id: instanceId });
    expect((await instance()).body).toMatchObject({ instance: { status: 'BACKUP' } });

    const other = await gateway.register();
    const done = await gateway.backup(other, { copy_to: ['IAD'] });
    await gateway.run(done, other, 'completed');
    expect(await shown(done)).toMatchObject({
      status: 'COMPLETED',
      size: 5,
      size_bytes: 5_000_000_000,
      checksum: 'a'.repeat(64),
      locationRef: `strongroom://DFW/backups/${done}`,
      progress: 100,
      completed: time,
      fault: null,
      // The copies are not planned yet, but they are shown. A client that waits for all copies must not take an empty
      // list for all of them.
      copies: [{ region: 'IAD', status: 'PENDING', verified: false }],
    });
  });

  it('that failed says why, and owes no copies', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.backup(instanceId, { copy_to: ['IAD'] });
    await gateway.run(id, instanceId, 'failed');
    expect(await shown(id)).toMatchObject({
      status: 'FAILED',
      fault: { code: 'server-unreachable', message: 'The server does not answer.' },
      size: null,
      checksum: null,
      copies: [],
    });
    expect((await gateway.call(getInstancesId, { id: instanceId })).body).toMatchObject({
      instance: { status: 'ACTIVE' },
    });
  });

  it('stays when its schedule goes', async () => {
    const instanceId = await gateway.register();
    const scheduleId = await gateway.schedule(instanceId);
    await gateway.call(putSchedulesId, { id: scheduleId, body: { schedule: { run_now: true } } });
    await gateway.call(deleteSchedulesId, { id: scheduleId });
    expect((await listed({ instance_id: instanceId })).backups).toMatchObject([{ schedule_id: scheduleId }]);
  });
});
