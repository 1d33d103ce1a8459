import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getBackupsId } from '@strongroom/contracts';
import { z } from 'zod';
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
