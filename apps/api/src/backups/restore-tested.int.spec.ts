import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type BackupResource,
  backupsResponse,
  deleteBackupsId,
  getBackups,
  getRestorable,
  postBackupsIdAction,
  restorableResponse,
} from '@strongroom/contracts';
import { faultIn, faultOf } from '../../fixtures/answers.js';
import { copied, lostCopy } from '../../fixtures/copies.js';
import { type As, type Call, Gateway } from '../../fixtures/gateway.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

const passed = { region: 'IAD', seconds: 240, proof: 'tables-read' } as const;
const failed = { region: 'IAD', seconds: 12, fault: { code: 'object-altered', message: 'An object is altered.' } };
const tell = (id: string, test: object, call: Call = {}) =>
  gateway.call(postBackupsIdAction, { id, body: { 'restore-tested': test }, ...call });
const told = async (id: string, test: object, as: As = 'creator') =>
  expect(await tell(id, test, { as })).toMatchObject({ status: 202, body: undefined });
const typesOf = async (id: string) => (await gateway.ledger.readStream(`backup-${id}`)).map(({ type }) => type);
const shortly = ({ restore_tests }: Pick<BackupResource, 'restore_tests'>) =>
  restore_tests.map(({ region, outcome, seconds }) => `${region} ${outcome} ${seconds}`);

/** A completed backup of a new server, with its copy in IAD, and a schedule. */
async function copiedBackup() {
  const instanceId = await gateway.register();
  await gateway.schedule(instanceId, { copy_to: ['IAD'] });
  return { instanceId, backupId: await oneMore(instanceId) };
}
async function oneMore(instanceId: string) {
  const backupId = await gateway.backup(instanceId, { copy_to: ['IAD'] });
  await gateway.run(backupId, instanceId, 'completed');
  await copied(gateway, { backupId, instanceId, region: 'IAD' }, 'completed');
  return backupId;
}
const inMatrix = async (instanceId: string, region: string) => {
  const { body } = await gateway.call(getRestorable, { query: { instance_id: instanceId } });
  const found = restorableResponse.parse(body).restorable[0]?.regions.find((each) => each.region === region);
  return found?.restore_tests ?? [];
};

describe('a restore that was tested', () => {
  it('is shown with the backup and in what is restorable: from where, when, how long, what it has shown, and who says so', async () => {
    const { instanceId, backupId } = await copiedBackup();
    const before = await gateway.client().backups.get(backupId);
    expect(before.restore_tests).toEqual([]);
    await gateway.client('creator').backups.tellRestoreTest(backupId, passed);
    const shown = await gateway.client().backups.get(backupId);
    const test = { backup_id: backupId, outcome: 'passed', ...passed, fault: null, by: 'creator' };
    expect(shown.restore_tests).toEqual([{ ...test, at: shown.updated }]);
    expect(await inMatrix(instanceId, 'IAD')).toEqual(shown.restore_tests);
    expect(await inMatrix(instanceId, 'DFW')).toEqual([]);
    const { body } = await gateway.call(getBackups, { query: { instance_id: instanceId } });
    expect(backupsResponse.parse(body).backups).toEqual([shown]);
  });

  it('that failed is told before the one that passed, and both are kept until a newer one ends alike', async () => {
    const { instanceId, backupId } = await copiedBackup();
    await told(backupId, passed);
    await told(backupId, failed);
    await told(backupId, { region: 'DFW', seconds: 0, proof: 'files-compared' });
    const shown = await gateway.client().backups.get(backupId);
    expect(shortly(shown)).toEqual(['DFW passed 0', 'IAD failed 12', 'IAD passed 240']);
    expect(shown.restore_tests[1]).toMatchObject({ proof: null, fault: failed.fault, by: 'creator' });
    await told(backupId, { ...passed, seconds: 200 });
    expect(shortly(await gateway.client().backups.get(backupId))).toEqual([
      ...['IAD passed 200', 'DFW passed 0', 'IAD failed 12'],
    ]);
    expect(shortly({ restore_tests: await inMatrix(instanceId, 'IAD') })).toEqual(['IAD passed 200', 'IAD failed 12']);
  });

  it('of any backup of the instance counts for the region, also when the backup is deleted', async () => {
    const { instanceId, backupId: first } = await copiedBackup();
    const second = await oneMore(instanceId);
    await told(first, passed);
    await told(second, { ...passed, seconds: 100 });
    await told(first, failed);
    const matrix = async () => (await inMatrix(instanceId, 'IAD')).map((test) => [test.backup_id, test.outcome]);
    expect(await matrix()).toEqual([
      [first, 'failed'],
      [second, 'passed'],
    ]);
    expect((await gateway.call(deleteBackupsId, { id: second })).status).toBe(202);
    expect(await matrix()).toEqual([
      [first, 'failed'],
      [second, 'passed'],
    ]);
    expect(faultOf(await tell(second, passed))).toEqual([404, 'itemNotFound']);
  });

  it('was from a region that holds the backup: any other is a 422 that names it', async () => {
    const { instanceId, backupId } = await copiedBackup();
    for (const region of ['ORD', 'NOWHERE']) {
      const answer = await tell(backupId, { ...passed, region });
      expect(faultOf(answer)).toEqual([422, 'unprocessableEntity']);
      expect(faultIn(answer.body).message).toContain(`is not in ${region}`);
    }
    await lostCopy(gateway, { backupId, instanceId, region: 'IAD' });
    expect(faultOf(await tell(backupId, passed))).toEqual([422, 'unprocessableEntity']);
    const running = await gateway.backup(instanceId);
    expect(faultOf(await tell(running, { ...passed, region: 'DFW' }))).toEqual([422, 'unprocessableEntity']);
    expect(await typesOf(backupId)).not.toContain('RestoreTested');
  });

  it('is told by whoever may make backups, and by no observer and no other account', async () => {
    const { backupId } = await copiedBackup();
    expect(faultOf(await tell(backupId, passed, { as: 'observer' }))).toEqual([403, 'forbidden']);
    expect(faultOf(await tell(backupId, passed, { as: 'other' }))).toEqual([404, 'itemNotFound']);
    await told(backupId, passed, 'creator');
    await told(backupId, passed, 'admin');
  });

  it('is told once for one Idempotency-Key', async () => {
    const { backupId } = await copiedBackup();
    const call = { headers: { 'idempotency-key': `test-${backupId}` } };
    for (let time = 0; time < 2; time += 1) expect((await tell(backupId, passed, call)).status).toBe(202);
    expect((await typesOf(backupId)).filter((type) => type === 'RestoreTested')).toHaveLength(1);
    expect(faultOf(await tell(backupId, failed, call))).toEqual([422, 'unprocessableEntity']);
  });

  it.each([
    ['neither a proof nor a fault', { proof: undefined }, 'must have a proof'],
    ['both of them', { fault: failed.fault }, 'must have a proof'],
    ['an unknown proof', { proof: 'looked-at' }, 'restore-tested.proof'],
    ['no region', { region: undefined }, 'restore-tested.region: is required'],
    ['a name that no region has', { region: 'iad' }, 'restore-tested.region: must be the name of a region'],
    ['no seconds', { seconds: undefined }, 'restore-tested.seconds: is required'],
    ['seconds before none', { seconds: -1 }, 'restore-tested.seconds: must be an integer'],
    ['a fraction of a second', { seconds: 0.5 }, 'restore-tested.seconds: must be an integer'],
    ['a field that there is not', { at: '2026-11-28T00:00:00Z' }, 'restore-tested.at: there is no such field'],
  ])('with %s is a 400 that names it', async (_, changes, named) => {
    const { backupId } = await copiedBackup();
    const answer = await tell(backupId, { ...passed, ...changes });
    expect(answer.status).toBe(400);
    expect(faultIn(answer.body).message).toContain(named);
  });
});
