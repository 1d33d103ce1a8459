import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  deleteInstancesId,
  deleteSchedulesId,
  getBackups,
  getBackupsId,
  getBackupsIdCopies,
  getInstancesId,
  getInstancesIdBackups,
  getSchedulesId,
  postBackups,
  postBackupsIdAction,
} from '@strongroom/contracts';
import { copyDecider, copyId, copyRequest } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import { allOf } from '../../../../test/services/all-of.js';
import { faultIn, faultOf } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

async function completed(fields: Record<string, unknown> = {}): Promise<{ instance: string; backup: string }> {
  const instance = await gateway.register();
  const backup = await gateway.backup(instance, fields);
  await gateway.run(backup, instance, 'completed');
  return { instance, backup };
}

/** Makes a region hold a copy of the backup. */
async function copyThere(backupId: string, instanceId: string, region: string): Promise<void> {
  const completed = (await gateway.ledger.readStream(`backup-${backupId}`)).at(-1);
  if (completed?.type !== 'BackupCompleted') throw new Error('the backup has not completed');
  const request = copyRequest(completed.data, region);
  const id = copyId(backupId, region);
  const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
  const result = { location: 'there', sizeBytes: 1, sha256: request.sha256, startedAt: completed.at };
  for (const command of [
    { type: 'RequestCopy', request },
    { type: 'StartCopy', copyId: id, attempt: 1, replicator: 'spec' },
    { type: 'CompleteCopy', copyId: id, attempt: 1, ...result },
  ] as const) {
    const target = { id, accountId, instanceId, context };
    await execute({ ledger: gateway.ledger, ids: new RandomIds() }, copyDecider, target, command);
  }
}

describe('deleting a backup', () => {
  it('takes it out of sight at once, in every list', async () => {
    const { instance, backup } = await completed();
    expect(await gateway.call(deleteBackupsId, { id: backup })).toMatchObject({ status: 202, body: undefined });
    expect(faultOf(await gateway.call(getBackupsId, { id: backup }))).toEqual([404, 'itemNotFound']);
    expect((await gateway.call(getInstancesIdBackups, { id: instance })).body).toMatchObject({ backups: [] });
    expect(JSON.stringify((await gateway.call(getBackups)).body)).not.toContain(backup);
    expect(faultOf(await gateway.call(deleteBackupsId, { id: backup }))).toEqual([404, 'itemNotFound']);
  });

  it('is for one that has ended, also when it failed', async () => {
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    expect(faultOf(await gateway.call(deleteBackupsId, { id: backup }))).toEqual([422, 'unprocessableEntity']);
    await gateway.run(backup, instance, 'failed');
    expect((await gateway.call(deleteBackupsId, { id: backup })).status).toBe(202);
  });

  it('shows it again, with the reason, when it failed; and can be asked for again', async () => {
    const { instance, backup } = await completed({ copy_to: ['IAD'] });
    await gateway.call(deleteBackupsId, { id: backup });
    await gateway.onBackup(backup, instance, {
      type: 'FailDeletion',
      backupId: backup,
      code: 'vault-unavailable',
      reason: 'The vault of DFW is away.',
    });
    expect((await gateway.call(getBackupsId, { id: backup })).body).toMatchObject({
      backup: {
        status: 'DELETE_FAILED',
        fault: { code: 'vault-unavailable', message: 'The vault of DFW is away.' },
        // A backup that is being deleted is owed to no region.
        copies: [],
      },
    });
    expect((await gateway.call(getBackups, { query: { status: 'DELETE_FAILED' } })).body).toMatchObject({
      backups: [{ id: backup }],
    });
    expect((await gateway.call(deleteBackupsId, { id: backup })).status).toBe(202);
    await gateway.onBackup(backup, instance, { type: 'ConfirmDeletion', backupId: backup });
    expect(faultOf(await gateway.call(getBackupsId, { id: backup }))).toEqual([404, 'itemNotFound']);
  });

  it('that retention puts off says why, in every list and in the ledger, until it is called off or asked for', async () => {
    const { instance, backup } = await completed();
    const shown = async () => {
      const one = await gateway.client().backups.get(backup);
      const [listed] = await allOf(gateway.client().instances.backups(instance));
      expect(listed?.not_deleted_because).toEqual(one.not_deleted_because);
      return one.not_deleted_because;
    };
    expect(await shown()).toBeNull();
    const newer = new RandomIds().next();
    const why = { ground: 'copies-missing', reason: 'It has had its time.', waitsFor: [newer] };
    await gateway.onBackup(backup, instance, { type: 'PutOffDeletion', backupId: backup, ...why });
    expect(await shown()).toEqual({
      ground: 'copies-missing',
      reason: 'It has had its time.',
      waits_for: [newer],
      since: expect.stringMatching(/Z$/),
    });
    expect((await gateway.ledger.readStream(`backup-${backup}`)).at(-1)).toMatchObject({
      type: 'BackupDeletionPutOff',
      data: { backupId: backup, instanceId: instance, ...why },
    });
    await gateway.onBackup(backup, instance, { type: 'CallOffDeletion', backupId: backup });
    expect(await shown()).toBeNull();
    await gateway.onBackup(backup, instance, { type: 'PutOffDeletion', backupId: backup, ...why });
    await gateway.call(deleteBackupsId, { id: backup });
    await gateway.onBackup(backup, instance, {
      type: 'FailDeletion',
      backupId: backup,
      code: 'vault-unavailable',
      reason: 'The vault of DFW is away.',
      waitsFor: [newer],
    });
    expect(await shown()).toMatchObject({
      ground: 'vault-unavailable',
      reason: 'The vault of DFW is away.',
      waits_for: [newer],
    });
  });

  it('is refused with the backup that is in the way, and what it does, when one that is built on it has not ended', async () => {
    const { instance, backup } = await completed();
    const child = await gateway.backup(instance, { parent_id: backup });
    const answer = await gateway.call(deleteBackupsId, { id: backup });
    expect(answer.status).toBe(422);
    expect(faultIn(answer.body).message).toBe(
      `Backup ${child} is still running. It is built on the backup that is to be deleted. Wait until it has ended, then delete that backup again.`,
    );
  });

  it('is not for a creator, nor for another account', async () => {
    const { backup } = await completed();
    expect(faultOf(await gateway.call(deleteBackupsId, { id: backup, as: 'creator' }))).toEqual([403, 'forbidden']);
    expect(faultOf(await gateway.call(deleteBackupsId, { id: backup, as: 'other' }))).toEqual([404, 'itemNotFound']);
    expect((await gateway.call(getBackupsId, { id: backup })).status).toBe(200);
  });
});

describe('copying a backup', () => {
  const copy = (backup: string, body: object) => gateway.call(postBackupsIdAction, { id: backup, body });
  const to = (region: unknown, more: object = {}) => ({ 'copy-backup': { target_backup_region: region, ...more } });

  it('owes the region a copy, once, and says so at once', async () => {
    const { backup } = await completed();
    expect(await copy(backup, to('IAD', { name: null }))).toMatchObject({ status: 202, body: undefined });
    expect(await copy(backup, to('IAD'))).toMatchObject({ status: 202 });
    expect((await gateway.call(getBackupsIdCopies, { id: backup })).body).toMatchObject({
      copies: [{ region: 'IAD', status: 'PENDING' }],
    });
  });

  it('does nothing where the region holds it', async () => {
    const { instance, backup } = await completed();
    await copyThere(backup, instance, 'ORD');
    expect((await copy(backup, to('ORD'))).status).toBe(202);
    expect((await gateway.call(getBackupsIdCopies, { id: backup })).body).toMatchObject({
      copies: [{ status: 'COMPLETED' }],
    });
  });

  it.each([
    ['LON', to('LON'), 'DFW, IAD, ORD'],
    ['an unknown region', to('HKG'), 'copy-backup.target_backup_region: "HKG" is no region'],
    ['no region', { 'copy-backup': {} }, 'copy-backup.target_backup_region: is required'],
    ['a number', to(5), 'must be the name of a region'],
    ['an unknown field', to('IAD', { region: 'IAD' }), 'copy-backup.region: there is no such field'],
    ['another action', { resize: {} }, 'copy-backup'],
  ])('to %s is a 400 that names the field', async (_, body, named) => {
    const { backup } = await completed();
    const answer = await copy(backup, body);
    expect(answer.status).toBe(400);
    expect(faultIn(answer.body).message).toContain(named);
  });

  it('needs one that has completed, and is there', async () => {
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    expect(faultOf(await copy(backup, to('IAD')))).toEqual([422, 'unprocessableEntity']);
    expect(faultOf(await copy('nothing', to('IAD')))).toEqual([404, 'itemNotFound']);
  });
});

describe('forgetting an instance', () => {
  it('takes its schedule with it, and leaves its backups', async () => {
    const { instance, backup } = await completed();
    const schedule = await gateway.schedule(instance);
    expect(await gateway.call(deleteInstancesId, { id: instance })).toMatchObject({ status: 202, body: undefined });
    expect(faultOf(await gateway.call(getInstancesId, { id: instance }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await gateway.call(getSchedulesId, { id: schedule }))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await gateway.call(deleteInstancesId, { id: instance }))).toEqual([404, 'itemNotFound']);
    expect((await gateway.call(getBackupsId, { id: backup })).body).toMatchObject({
      backup: { instance_id: instance },
    });
    expect((await gateway.call(getBackups, { query: { instance_id: instance } })).body).toMatchObject({
      backups: [{ id: backup }],
    });
  });

  it('waits for the end of its backup, and lets nothing begin afterwards', async () => {
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    const schedule = await gateway.schedule(instance);
    expect(faultOf(await gateway.call(deleteInstancesId, { id: instance }))).toEqual([422, 'unprocessableEntity']);
    expect((await gateway.call(getSchedulesId, { id: schedule })).body).toMatchObject({ schedule: { version: 1 } });
    await gateway.run(backup, instance, 'failed');
    expect((await gateway.call(deleteInstancesId, { id: instance })).status).toBe(202);
    expect((await gateway.call(getSchedulesId, { id: schedule })).status).toBe(404);
    const again = { backup: { name: 'again', instance } };
    expect(faultOf(await gateway.call(postBackups, { body: again }))).toEqual([404, 'itemNotFound']);
  });

  it('is done once, though others delete its schedule meanwhile', async () => {
    for (let round = 0; round < 5; round += 1) {
      const instance = await gateway.register();
      const schedule = await gateway.schedule(instance);
      const [, ...forgets] = await Promise.all([
        gateway.call(deleteSchedulesId, { id: schedule }),
        gateway.call(deleteInstancesId, { id: instance }),
        gateway.call(deleteInstancesId, { id: instance }),
      ]);
      expect(forgets.map(({ status }) => status).sort()).toEqual([202, 404]);
      expect((await gateway.ledger.readStream(`schedule-${schedule}`)).map(({ type }) => type)).toEqual([
        'ScheduleCreated',
        'ScheduleDeleted',
      ]);
    }
  });
});
