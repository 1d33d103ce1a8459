import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deleteBackupsId, deleteInstancesId, getBackupsId, postBackups, putSchedulesId } from '@strongroom/contracts';
import { z } from 'zod';
import { faultOf, fullFaultOf } from '../../fixtures/answers.js';
import { Gateway } from '../../fixtures/gateway.js';

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const shown = async (id: string) =>
  z.object({ backup: z.looseObject({}) }).parse((await gateway.call(getBackupsId, { id })).body).backup;

describe('a backup', () => {
  it('that is tried again shows its last fault, every failed attempt and the next one, and is BUILDING meanwhile', async () => {
    const instanceId = await gateway.register();
    const id = await gateway.backup(instanceId);
    await gateway.run(id, instanceId, 'started');
    const [retryAt, retryUntil] = ['2026-11-24T00:00:05.000Z', '2026-11-24T00:15:00.000Z'];
    const fault = { code: 'server-unreachable', reason: 'The server does not answer.' };
    await gateway.onBackup(id, instanceId, {
      type: 'FailBackupAttempt',
      backupId: id,
      attempt: 1,
      ...fault,
      retryAt,
      retryUntil,
    });
    const told = { code: fault.code, message: fault.reason };
    const waiting = { status: 'BUILDING', attempt: 1, fault: told, retry_at: retryAt, retry_until: retryUntil };
    const failed_attempts = [{ attempt: 1, failed: time, ...told, retry_at: retryAt }];
    expect(await shown(id)).toMatchObject({ ...waiting, failed_attempts });
    const delay = { ground: 'no-runner-free', reason: 'All were busy.', delayMs: 61_000 };
    const begin = { type: 'StartBackup', backupId: id, attempt: 2, region: 'DFW', runner: 'spec', delay } as const;
    await gateway.onBackup(id, instanceId, begin);
    expect(await shown(id)).toMatchObject({
      status: 'BUILDING',
      attempt: 2,
      fault: told,
      retry_at: null,
      delays: [{ told: time, seconds: 61, ground: 'no-runner-free', reason: 'All were busy.' }],
    });
    const result = { region: 'DFW', location: 'x', sizeBytes: 1, rawBytes: 1, sha256: 'a'.repeat(64) };
    await gateway.onBackup(id, instanceId, {
      type: 'CompleteBackup',
      backupId: id,
      attempt: 2,
      result: { ...result, startedAt: retryAt },
    });
    expect(await shown(id)).toMatchObject({ status: 'COMPLETED', fault: null, retry_until: null, failed_attempts });
  });
});

describe('an instance whose backup waits for its next attempt', () => {
  const [retryAt, retryUntil] = ['2026-11-24T00:00:05.000Z', '2026-11-24T00:15:00.000Z'];
  async function waiting() {
    const instanceId = await gateway.register();
    const id = await gateway.backup(instanceId);
    await gateway.run(id, instanceId, 'started');
    const fault = { code: 'server-unreachable', reason: 'The server does not answer.' };
    const failed = { type: 'FailBackupAttempt', backupId: id, attempt: 1, ...fault, retryAt, retryUntil } as const;
    await gateway.onBackup(id, instanceId, failed);
    return { instanceId, id };
  }
  const words = (id: string) =>
    `Backup ${id} is tried again at 2026-11-24T00:00:05Z, and until 2026-11-24T00:15:00Z, because attempt 1 failed with server-unreachable: The server does not answer.`;

  it('gets no other backup, and the refusal says when that one is tried again and why', async () => {
    const { instanceId, id } = await waiting();
    const another = await gateway.call(postBackups, { body: { backup: { name: 'another', instance: instanceId } } });
    expect(fullFaultOf(another)).toEqual([
      422,
      'unprocessableEntity',
      expect.stringContaining(`${words(id)} Wait until it has ended, then ask again.`),
    ]);
    const scheduleId = await gateway.schedule(instanceId);
    const run = await gateway.call(putSchedulesId, { id: scheduleId, body: { schedule: { run_now: true } } });
    expect(fullFaultOf(run)).toEqual([422, 'unprocessableEntity', expect.stringContaining(words(id))]);
    const deletion = await gateway.call(deleteBackupsId, { id });
    expect(fullFaultOf(deletion)).toEqual([422, 'unprocessableEntity', expect.stringContaining(words(id))]);
  });

  it('can be deleted: the backup has failed then, and says so', async () => {
    const { instanceId, id } = await waiting();
    await gateway.schedule(instanceId);
    expect((await gateway.call(deleteInstancesId, { id: instanceId })).status).toBe(202);
    expect(await shown(id)).toMatchObject({
      status: 'FAILED',
      fault: { code: 'instance-forgotten', message: expect.stringContaining('The server does not answer.') },
    });
    expect((await gateway.call(deleteBackupsId, { id })).status).toBe(202);
  });

  it('can not be deleted while a runner is at the backup', async () => {
    const { instanceId, id } = await waiting();
    const begin = { type: 'StartBackup', backupId: id, attempt: 2, region: 'DFW', runner: 'spec' } as const;
    await gateway.onBackup(id, instanceId, begin);
    expect(faultOf(await gateway.call(deleteInstancesId, { id: instanceId }))).toEqual([422, 'unprocessableEntity']);
  });
});
