import { afterEach, describe, expect, it } from '@jest/globals';
import {
  deleteInstancesId,
  getInstances,
  getLimits,
  getSchedules,
  postBackups,
  postBackupsIdAction,
  postInstances,
} from '@strongroom/contracts';
import { instanceDecider } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import { faultIn, faultOf, fullFaultOf } from '../../fixtures/answers.js';
import { accountId, Gateway, otherAccountId } from '../../fixtures/gateway.js';

let gateway: Gateway;
const open = async (quotas: string, env: Record<string, string> = {}) => {
  gateway = await Gateway.open({ env: { STRONGROOM_QUOTAS: quotas, ...env } });
};
afterEach(() => gateway.close());

const connection = { host: '127.0.0.1', port: 1, user: 'backup', password: 'open sesame' };
const server = { name: 'orders', datastore: { type: 'postgresql', version: '18' }, connection };
const register = (as: 'admin' | 'other' = 'admin') => gateway.call(postInstances, { as, body: { instance: server } });

describe('a quota', () => {
  it('of instances is never exceeded, however many ask at once, and has room again when one is forgotten', async () => {
    await open(`instances=3,${otherAccountId}:instances=1`);
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => register()))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 200, 200, ...Array<number>(7).fill(413)]);
    expect(fullFaultOf(await register())).toEqual([413, 'overLimit', expect.stringContaining('has 3 instances')]);
    expect((await register('other')).status).toBe(200);
    expect(faultOf(await register('other'))).toEqual([413, 'overLimit']);

    const [one] = await gateway.ids(getInstances);
    await gateway.call(deleteInstancesId, { id: one });
    expect((await register()).status).toBe(200);
    expect((await register()).status).toBe(413);
  });

  it('of built servers counts what is built and what is to be, and not what could not be built', async () => {
    await open('built-servers=1', { STRONGROOM_INSTANCES_DIR: '/srv/built', STRONGROOM_BUILT_SERVERS: 'on' });
    const instance = await gateway.register();
    const backup = await gateway.backup(instance);
    await gateway.run(backup, instance, 'completed');
    const build = () =>
      gateway.call(postInstances, { body: { instance: { name: 'copy', restorePoint: { backupRef: backup } } } });
    expect((await build()).status).toBe(200);
    expect(fullFaultOf(await build())).toEqual([
      413,
      'overLimit',
      expect.stringContaining('1 servers that were built'),
    ]);
    const [built = ''] = (await gateway.ids(getInstances)).filter((id) => id !== instance);
    const context = { requestId: 'spec', correlationId: 'spec', causationId: null, actor: 'spec' };
    const failed = { type: 'FailBuild', code: 'server-did-not-start', reason: 'It did not start.' } as const;
    const target = { id: built, accountId, instanceId: built, context };
    await execute({ ledger: gateway.ledger, ids: new RandomIds() }, instanceDecider, target, failed);
    expect((await build()).status).toBe(200);
    expect((await gateway.call(deleteInstancesId, { id: built })).status).toBe(202);
    expect((await build()).status).toBe(413);
  });

  it('of stored bytes lets nothing new begin: a backup and a copy are refused, and say why', async () => {
    await open('stored-gib=9');
    const instance = await gateway.register();
    const first = await gateway.backup(instance);
    await gateway.run(first, instance, 'completed');
    const more = await gateway.backup(instance);
    await gateway.run(more, instance, 'completed');
    const body = { backup: { name: 'one more', instance } };
    const refused = await gateway.call(postBackups, { body });
    expect(faultOf(refused)).toEqual([413, 'overLimit']);
    expect(faultIn(refused.body).message).toBe(
      "The account's backups and copies take 9.3 GiB, and may take 9. Delete some that are not needed, or ask the operator for more.",
    );
    const copy = { 'copy-backup': { target_backup_region: 'IAD' } };
    expect(faultOf(await gateway.call(postBackupsIdAction, { id: more, body: copy }))).toEqual([413, 'overLimit']);
  });

  it('is shown to the account, and -1 is none', async () => {
    await open(`instances=3,copies=0,${accountId}:streams=7`, { STRONGROOM_MAX_SCHEDULES: '5' });
    const { limits } = (await gateway.client().call(getLimits)).body;
    expect(limits).toMatchObject([
      {
        ...{ verb: 'ABSOLUTE', max_instances: 3, max_schedules: 5, max_streams: 7 },
        ...{ max_concurrent_copies: -1, max_stored_gib: -1, max_backups: -1 },
      },
    ]);
    const [ofOther] = (await gateway.client('other').call(getLimits)).body.limits;
    expect(ofOther?.max_streams).toBe(20);
  });
});

describe('tokens', () => {
  it('that are wrong are refused with 413 when an address sends too many, and a right one is let in', async () => {
    await open('instances=10', { STRONGROOM_WRONG_TOKENS_PER_MINUTE: '20' });
    const guess = (n: number) =>
      gateway.call(getSchedules, { as: 'nobody', headers: { 'x-auth-token': `guess ${n}` } });
    const statuses: number[] = [];
    for (let n = 0; n < 25; n += 1) statuses.push((await guess(n)).status);
    expect(statuses).toEqual([...Array<number>(20).fill(401), ...Array<number>(5).fill(413)]);
    expect(Number((await guess(99)).headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await gateway.call(getSchedules)).status).toBe(200);
    expect((await gateway.call(getSchedules, { as: 'nobody' })).status).toBe(401);
  });
});
