import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  getBackups,
  getBackupsId,
  getBackupsIdCopies,
  getInstancesIdBackups,
  postBackups,
  postBackupsIdAction,
  postInstances,
  putSchedulesId,
} from '@strongroom/contracts';
import { FixedClock } from '@strongroom/runtime';
import { allOf } from '../../../../test/services/all-of.js';
import { faultIn, faultOf } from '../../fixtures/answers.js';
import { type As, accountId, Gateway } from '../../fixtures/gateway.js';

const hour = 3_600_000;
const day = 24 * hour;
const clock = new FixedClock(new Date());
let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({
    clock,
    env: {
      STRONGROOM_DELETION_DELAY_SECONDS: '604800',
      STRONGROOM_MINIMUM_RETENTION_DAYS: `0,${accountId}=30`,
      STRONGROOM_BULK_DELETION_LIMIT: '4',
    },
  });
});
afterAll(() => gateway.close());

async function completed(instance?: string, fields: Record<string, unknown> = {}) {
  const of = instance ?? (await gateway.register());
  const backup = await gateway.backup(of, fields);
  await gateway.run(backup, of, 'completed');
  return { instance: of, backup };
}
async function chain() {
  const { instance, backup: full } = await completed();
  const { backup: monday } = await completed(instance, { parent_id: full });
  const { backup: tuesday } = await completed(instance, { parent_id: monday });
  return { instance, full, monday, tuesday };
}
const remove = (id: string, as: As = 'admin') => gateway.call(deleteBackupsId, { id, as });
const act = (id: string, body: object, as: As = 'admin') => gateway.call(postBackupsIdAction, { id, body, as });
const restore = (id: string, as?: As) => act(id, { 'restore-deleted': {} }, as);
const statusOf = async (id: string) => (await gateway.call(getBackupsId, { id })).status;
const deletedOf = (instance: string) =>
  allOf(gateway.client().backups.list({ instance_id: instance, deleted: 'true' }));
const typesOf = async (id: string) => (await gateway.ledger.readStream(`backup-${id}`)).map(({ type }) => type);

describe('a backup that was deleted', () => {
  it('is a 404, and is in the list of what is deleted alone, with who did it and when its bytes go', async () => {
    const { instance, backup } = await completed();
    expect(await remove(backup)).toMatchObject({ status: 202, body: undefined });
    expect(faultOf(await gateway.call(getBackupsId, { id: backup }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await gateway.call(getBackupsIdCopies, { id: backup }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await remove(backup))).toEqual([404, 'itemNotFound']);
    expect(await gateway.ids(getBackups, { query: { instance_id: instance } })).toEqual([]);
    expect(await gateway.ids(getInstancesIdBackups, { id: instance })).toEqual([]);
    expect(await gateway.ids(getInstancesIdBackups, { id: instance, query: { deleted: 'true' } })).toEqual([backup]);
    const [shown] = await deletedOf(instance);
    expect(shown).toMatchObject({
      id: backup,
      status: 'COMPLETED',
      deleted: { by: 'admin', trigger: 'request', with: backup, approval: 'not-needed', approved_by: null },
    });
    // The minimum retention of the account outlasts the delay.
    expect(shown?.deleted?.bytes_go_at).toBe(shown?.keep_until);
    expect(Date.parse(shown?.keep_until ?? '') - Date.parse(shown?.completed ?? '')).toBe(30 * day);
    expect(await typesOf(backup)).not.toContain('BackupDeletionRequested');
  });

  it('has a minimum retention only where its account has one', async () => {
    const instance = await gateway.register('other');
    const backup = await gateway.backup(instance, {}, 'other');
    expect((await gateway.client('other').backups.get(backup)).keep_until).toBeNull();
  });

  it('that failed is kept for the delay, and for no minimum', async () => {
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    await gateway.run(backup, instance, 'failed');
    await remove(backup);
    const [shown] = await deletedOf(instance);
    expect(shown).toMatchObject({ status: 'FAILED', keep_until: null });
    const kept = Date.parse(shown?.deleted?.bytes_go_at ?? '') - Date.parse(shown?.deleted?.at ?? '');
    expect(kept).toBeGreaterThan(7 * day - hour);
    expect(kept).toBeLessThan(7 * day + hour);
  });

  it('can not be built on, restored or copied, and is not the newest of its instance', async () => {
    const { instance, backup } = await completed();
    await remove(backup);
    const onIt = { backup: { name: 'on it', instance, parent_id: backup } };
    expect(faultOf(await gateway.call(postBackups, { body: onIt }))).toEqual([404, 'itemNotFound']);
    const build = { instance: { name: 'built', restorePoint: { backupRef: backup } } };
    expect(faultOf(await gateway.call(postInstances, { body: build }))).toEqual([404, 'itemNotFound']);
    const copy = { 'copy-backup': { target_backup_region: 'IAD' } };
    expect(faultOf(await act(backup, copy))).toEqual([404, 'itemNotFound']);
    const newest = await gateway.client().backups.create({ name: 'next', instance, incremental: 1 });
    expect(newest).toMatchObject({ type: 'full', parent_id: null });
  });

  it.each(['', 'yes', 'TRUE'])('is asked for by true or false: %j is a 400', async (deleted) => {
    expect(faultOf(await gateway.call(getBackups, { query: { deleted } }))).toEqual([400, 'badRequest']);
  });

  it('is asked for by the status that it had, and in pages', async () => {
    const instance = await gateway.register();
    const made: string[] = [];
    for (const outcome of ['completed', 'failed', 'completed'] as const) {
      const id = await gateway.backup(instance);
      await gateway.run(id, instance, outcome);
      await remove(id);
      made.unshift(id);
    }
    const query = { instance_id: instance, deleted: 'true' };
    expect(await gateway.ids(getBackups, { query: { ...query, status: 'FAILED' } })).toEqual([made[1]]);
    expect(await gateway.ids(getBackups, { query: { ...query, limit: 1, marker: made[0] ?? '' } })).toEqual([made[1]]);
    expect(await gateway.ids(getBackups, { query: { ...query, deleted: 'false' } })).toEqual([]);
  });
});

describe('restore-deleted', () => {
  it('brings the backup back as it was, and its whole chain that was deleted with it', async () => {
    const { instance, full, monday, tuesday } = await chain();
    const before = await gateway.client().backups.get(tuesday);
    await remove(full);
    expect(await gateway.ids(getBackups, { query: { instance_id: instance } })).toEqual([]);
    expect(await restore(tuesday)).toMatchObject({ status: 202, body: undefined });
    expect(await gateway.ids(getBackups, { query: { instance_id: instance } })).toEqual([tuesday, monday, full]);
    const { updated: _, ...rest } = before;
    expect(await gateway.client().backups.get(tuesday)).toMatchObject(rest);
    expect(await deletedOf(instance)).toEqual([]);
  });

  it('leaves deleted what was deleted apart from it', async () => {
    const { full, monday, tuesday } = await chain();
    await remove(tuesday);
    await remove(full);
    await restore(full);
    expect([await statusOf(full), await statusOf(monday), await statusOf(tuesday)]).toEqual([200, 200, 404]);
    await restore(tuesday);
    expect(await statusOf(tuesday)).toBe(200);
  });

  it('of what is there changes nothing, and of what is not is a 404', async () => {
    const { backup } = await completed();
    expect((await restore(backup)).status).toBe(202);
    expect((await typesOf(backup)).at(-1)).toBe('BackupCompleted');
    expect(faultOf(await restore('nothing'))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await restore(backup, 'other'))).toEqual([404, 'itemNotFound']);
  });

  it('comes too late when the removal has begun', async () => {
    const { instance, backup } = await completed();
    await remove(backup);
    await gateway.onBackup(backup, instance, {
      type: 'BeginRemoval',
      backupId: backup,
      trigger: 'request',
      now: new Date(Date.now() + 31 * day),
    });
    expect(faultOf(await restore(backup))).toEqual([404, 'itemNotFound']);
    expect(await deletedOf(instance)).toEqual([]);
  });

  it('happens once for one Idempotency-Key', async () => {
    const { instance, full, tuesday } = await chain();
    await remove(full);
    const headers = { 'idempotency-key': `restore-${tuesday}` };
    const again = () => gateway.call(postBackupsIdAction, { id: tuesday, body: { 'restore-deleted': {} }, headers });
    expect([(await again()).status, (await again()).status]).toEqual([202, 202]);
    const reverted = (await gateway.events()).filter(
      ({ type, instanceId }) => type === 'BackupDeletionReverted' && instanceId === instance,
    );
    expect(reverted).toHaveLength(3);
  });

  it('is not for a creator, who may not delete either', async () => {
    const { backup } = await completed();
    await remove(backup);
    expect(faultOf(await restore(backup, 'creator'))).toEqual([403, 'forbidden']);
    expect(faultOf(await restore(backup, 'observer'))).toEqual([403, 'forbidden']);
    expect(await statusOf(backup)).toBe(404);
  });
});

describe('a hold', () => {
  const hold = (id: string, as?: As) => act(id, { hold: { reason: 'Case 4711' } }, as);
  const lift = (id: string, as?: As) => act(id, { 'lift-hold': {} }, as);

  it('keeps a backup, and what it is built on, from being deleted until it is lifted', async () => {
    const { full, tuesday } = await chain();
    expect(await hold(tuesday)).toMatchObject({ status: 202, body: undefined });
    expect((await gateway.client().backups.get(tuesday)).hold).toMatchObject({ reason: 'Case 4711', by: 'admin' });
    const refused = await remove(full);
    expect(faultOf(refused)).toEqual([422, 'unprocessableEntity']);
    expect(faultIn(refused.body).message).toContain(`Backup ${tuesday}, which is built on the one`);
    expect(faultOf(await remove(tuesday))).toEqual([422, 'unprocessableEntity']);
    expect(await statusOf(full)).toBe(200);
    expect((await lift(tuesday)).status).toBe(202);
    expect((await remove(full)).status).toBe(202);
  });

  it('can be put on what is deleted already, and shows there', async () => {
    const { instance, backup } = await completed();
    await remove(backup);
    await hold(backup);
    expect(await deletedOf(instance)).toMatchObject([{ id: backup, hold: { reason: 'Case 4711' } }]);
  });

  it('is neither put nor lifted by a creator', async () => {
    const { backup } = await completed();
    expect(faultOf(await hold(backup, 'creator'))).toEqual([403, 'forbidden']);
    await hold(backup);
    expect(faultOf(await lift(backup, 'creator'))).toEqual([403, 'forbidden']);
    expect((await gateway.client().backups.get(backup)).hold).not.toBeNull();
  });

  it.each([
    ['no reason', { hold: {} }, 'hold.reason: is required'],
    ['an empty reason', { hold: { reason: '' } }, 'hold.reason: must be'],
    ['something else beside it', { hold: { reason: 'x' }, 'lift-hold': {} }, 'lift-hold: there is no such field'],
    ['a field of its own', { 'lift-hold': { now: true } }, 'lift-hold.now: there is no such field'],
  ])('with %s is a 400 that names it', async (_, body, named) => {
    const { backup } = await completed();
    const answer = await act(backup, body);
    expect(answer.status).toBe(400);
    expect(faultIn(answer.body).message).toContain(named);
  });
});

describe('the deletion of many backups', () => {
  const approve = (id: string, as?: As) => act(id, { 'approve-deletion': {} }, as);

  it('needs a second person, who is not the one that deleted', async () => {
    const { instance, full, monday, tuesday } = await chain();
    await remove(full);
    const others = [await completed(), await completed()];
    for (const { backup } of others) await remove(backup);
    const shown = await deletedOf(instance);
    expect(shown.map(({ deleted }) => deleted?.approval)).toEqual(['needed', 'needed', 'needed']);
    expect(faultOf(await approve(tuesday))).toEqual([403, 'forbidden']);
    expect(faultOf(await approve(tuesday, 'creator'))).toEqual([403, 'forbidden']);
    // Somebody else who may delete.
    for (const id of [full, monday, tuesday]) {
      const command = { type: 'ApproveDeletion' as const, backupId: id, accountId, by: 'second' };
      await gateway.onBackup(id, instance, command);
    }
    expect((await deletedOf(instance)).map(({ deleted }) => [deleted?.approval, deleted?.approved_by])).toEqual(
      Array.from({ length: 3 }, () => ['given', 'spec']),
    );
  });

  it('is approved where something is deleted: else it is a 404', async () => {
    const { backup } = await completed();
    expect(faultOf(await approve(backup))).toEqual([404, 'itemNotFound']);
  });
});

describe('a schedule that is to keep less', () => {
  const change = (id: string, schedule: object, as: As) => gateway.call(putSchedulesId, { id, body: { schedule }, as });
  const made = async () => {
    const instance = await gateway.register();
    return gateway.schedule(instance, { full_backup_retention: 3, copy_to: ['IAD', 'ORD'], day_of_week: 0 });
  };

  it.each([
    ['fewer full backups', { full_backup_retention: 1 }],
    ['copies in fewer regions', { copy_to: [] }],
    ['copies in other regions, and a run', { copy_to: ['IAD'], run_now: true }],
    ['a full backup every day', { day_of_week: 7 }],
  ])('is changed to %s only by whoever may delete', async (_, fields) => {
    const id = await made();
    const before = await gateway.client().schedules.get(id);
    const answer = await change(id, fields, 'creator');
    expect(faultOf(answer)).toEqual([403, 'forbidden']);
    expect(faultIn(answer.body).message).toContain('schedule.retention');
    expect(await gateway.client().schedules.get(id)).toEqual(before);
    expect((await change(id, fields, 'admin')).status).toBe(202);
  });

  it('may be changed by a creator to keep more, and to run at another time', async () => {
    const id = await made();
    for (const fields of [
      { full_backup_retention: 4 },
      { copy_to: ['ORD', 'IAD'] },
      { hour: 3, minute: 5, day_of_week: 2 },
      { full_backup_retention: 4, run_now: true },
    ]) {
      expect((await change(id, fields, 'creator')).status).toBe(202);
    }
  });
});
