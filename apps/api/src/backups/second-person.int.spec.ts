import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deleteBackupsId, postBackupsIdAction } from '@strongroom/contracts';
import { allOf } from '../../../../test/services/all-of.js';
import { faultOf } from '../../fixtures/answers.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({
    env: { STRONGROOM_DELETION_DELAY_SECONDS: '0', STRONGROOM_BULK_DELETION_LIMIT: '1' },
    tokens: {
      'the same person': { name: 'another name', id: 'admin', roles: ['admin'] },
      second: { name: 'admin', id: 'somebody else', roles: ['admin'] },
      third: { name: 'third', roles: ['admin'] },
    },
  });
});
afterAll(() => gateway.close());

const by = (token: string) => ({ as: 'nobody' as const, account: accountId, headers: { 'x-auth-token': token } });
const typesOf = async (id: string) => (await gateway.ledger.readStream(`backup-${id}`)).map(({ type }) => type);

async function deleted(): Promise<string> {
  const instance = await gateway.register();
  const backup = await gateway.backup(instance);
  await gateway.run(backup, instance, 'completed');
  expect((await gateway.call(deleteBackupsId, { id: backup })).status).toBe(202);
  return backup;
}
const approve = (id: string, token: string) =>
  gateway.call(postBackupsIdAction, { id, body: { 'approve-deletion': {} }, ...by(token) });

describe('many deletions without any delay', () => {
  it('wait for a second person too, and begin nothing before', async () => {
    const backups = [await deleted(), await deleted()];
    for (const id of backups) expect(await typesOf(id)).not.toContain('BackupDeletionRequested');
    const shown = await allOf(gateway.client().backups.list({ deleted: 'true' }));
    expect(shown.map(({ deleted: told }) => told?.approval)).toEqual(['needed', 'needed']);
  });

  it('are approved by nobody under another token of the same id, and once by two who come together', async () => {
    const id = await deleted();
    expect(faultOf(await approve(id, 'the same person'))).toEqual([403, 'forbidden']);
    expect(await typesOf(id)).not.toContain('BackupDeletionApproved');
    const both = await Promise.all([approve(id, 'second'), approve(id, 'third')]);
    expect(both.map(({ status }) => status)).toEqual([202, 202]);
    expect((await typesOf(id)).filter((type) => type === 'BackupDeletionApproved')).toHaveLength(1);
  });

  it('are approved anew when the backup was brought back and deleted again', async () => {
    const id = await deleted();
    expect((await approve(id, 'second')).status).toBe(202);
    await gateway.client().backups.restoreDeleted(id);
    await gateway.client().backups.delete(id);
    const shown = await allOf(gateway.client().backups.list({ deleted: 'true' }));
    expect(shown.find((backup) => backup.id === id)).toMatchObject({
      deleted: { approval: 'needed', approved_by: null },
    });
  });
});
