import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  getBackupsId,
  getInstances,
  getInstancesId,
  postInstancesIdAction,
} from '@strongroom/contracts';
import { z } from 'zod';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { type As, Gateway } from '../../fixtures/gateway.js';

const reason = 'It is of the server with another system id.';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const shownInstance = async (id: string) =>
  z.object({ instance: z.looseObject({}) }).parse((await gateway.call(getInstancesId, { id })).body).instance;
const accept = (instance: string, lineage: unknown, as: As = 'admin', headers: Record<string, string> = {}) =>
  gateway.call(postInstancesIdAction, { id: instance, as, headers, body: { 'accept-lineage': { lineage } } });

async function completed(
  instance: string,
  lineage?: string,
  another?: { formerLineage: string; formerBackupId: string },
) {
  const backup = await gateway.backup(instance);
  const identity = { lineage: lineage ?? backup, facts: null, ...(another && { another: { ...another, reason } }) };
  await gateway.run(backup, instance, 'completed', identity);
  return backup;
}

/** An instance with two backups of its server, and one of another server that is behind its address now. */
async function switched() {
  const instance = await gateway.register();
  const former = await completed(instance);
  const second = await completed(instance, former);
  const now = await completed(instance, undefined, { formerLineage: former, formerBackupId: second });
  return { instance, former, second, now };
}

describe('another server behind the address of an instance', () => {
  it('is told on the backup and on the instance, with what to do', async () => {
    const { instance, former, second, now } = await switched();
    const another_server = { backup_id: now, former_lineage: former, former_backup_id: second, reason };
    expect((await gateway.call(getBackupsId, { id: now })).body).toMatchObject({
      backup: { lineage: now, another_server },
    });
    expect((await gateway.call(getBackupsId, { id: second })).body).toMatchObject({
      backup: { lineage: former, another_server: null },
    });
    const time = expect.stringMatching(/Z$/);
    const of = { first_completed: time, last_completed: time, in_place_of: [] };
    expect(await shownInstance(instance)).toMatchObject({
      lineages: [
        { ...of, id: now, backups: 1, newest_backup_id: now, current: true, another_server },
        { ...of, id: former, backups: 2, newest_backup_id: second, current: false, another_server: null },
      ],
      warning: expect.stringMatching(`lineage ${former}.*${now}.*accept-lineage`),
    });
    expect((await gateway.call(getInstances)).body).toMatchObject({
      instances: expect.arrayContaining([expect.objectContaining({ id: instance, warning: expect.any(String) })]),
    });
  });

  it('is nothing to warn of where there never was another, nor when all of it is deleted', async () => {
    const instance = await gateway.register();
    expect(await shownInstance(instance)).toMatchObject({ lineages: [], warning: null });
    const backup = await completed(instance);
    expect(await shownInstance(instance)).toMatchObject({ lineages: [{ id: backup }], warning: null });
    const one = await switched();
    await gateway.call(deleteBackupsId, { id: one.now });
    expect(await shownInstance(one.instance)).toMatchObject({ lineages: [{ id: one.former }], warning: null });
  });

  it('is accepted once, however often it is asked for, and then it is as said', async () => {
    const { instance, former, now } = await switched();
    expect(await accept(instance, now)).toMatchObject({ status: 202, body: undefined });
    expect((await accept(instance, now.toUpperCase())).status).toBe(202);
    const told = (await gateway.events()).filter(
      ({ type, instanceId }) => type === 'LineageAccepted' && instanceId === instance,
    );
    expect(told).toMatchObject([{ data: { instanceId: instance, lineage: now, inPlaceOf: [former] } }]);
    expect(await shownInstance(instance)).toMatchObject({
      lineages: [
        { id: now, in_place_of: [former] },
        { id: former, in_place_of: [] },
      ],
      warning: null,
    });
  });

  it('is accepted once by a key', async () => {
    const { instance, now } = await switched();
    const headers = { 'idempotency-key': randomUUID() };
    expect((await accept(instance, now, 'admin', headers)).status).toBe(202);
    const again = await accept(instance, now, 'admin', headers);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
  });

  it('is not for a creator to accept, who may not delete either', async () => {
    const { instance, now } = await switched();
    expect(faultOf(await accept(instance, now, 'creator'))).toEqual([403, 'forbidden']);
    expect(faultOf(await accept(instance, now, 'observer'))).toEqual([403, 'forbidden']);
    expect(await shownInstance(instance)).toMatchObject({ warning: expect.any(String) });
  });

  it('is one that there are backups of, of an instance of this account', async () => {
    const { instance, now } = await switched();
    expect(faultOf(await accept(instance, nothing))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await accept(nothing, now))).toEqual([404, 'itemNotFound']);
    expect(faultOf(await accept(instance, now, 'other'))).toEqual([404, 'itemNotFound']);
    for (const wrong of ['all', 1, null, undefined]) {
      expect(faultOf(await accept(instance, wrong))).toEqual([400, 'badRequest']);
    }
  });
});
