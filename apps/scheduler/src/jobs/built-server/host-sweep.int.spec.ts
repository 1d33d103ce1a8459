import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { streamOf } from '@strongroom/contracts';
import { type InstanceCommand, instanceDecider } from '@strongroom/domain';
import { engineFor, type ServerHost } from '@strongroom/engines';
import { execute } from '@strongroom/ledger';
import { Jobs } from '@strongroom/runtime';
import { builtServersIn } from '../../../../../test/services/built-servers.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { sweepHost } from './host-sweep.js';

const datastore = { type: 'postgresql', version: '18' } as const;
const { signal } = new AbortController();
/** Only root gives users. Without them, folders are all that an attempt leaves. */
const [first, last] = (builtServersIn('').STRONGROOM_BUILT_SERVERS_UIDS ?? '').split('-').map(Number);
const guests = first && last ? { users: { first, last } } : {};

let world: RunnerWorld;
let jobs: Jobs;
let folder: string;
let host: ServerHost;
let instanceId: string;
beforeAll(async () => {
  world = await RunnerWorld.create();
  jobs = new Jobs(world.dataSource);
}, 120_000);
afterAll(() => world.remove());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-swept-'));
  await chmod(folder, 0o711);
  host = engineFor('postgresql').serve(folder, guests);
  instanceId = await asked();
});
afterEach(async () => {
  await world.dataSource.query('delete from job');
  await rm(folder, { recursive: true, force: true });
});

/** @returns the id of an instance that is to be built */
async function asked(): Promise<string> {
  const id = world.ids.next();
  const data = { instanceId: id, name: 'restored', datastore, backupId: world.ids.next() };
  await world.record(streamOf('instance', id), id, { type: 'InstanceBuildRequested', data });
  return id;
}
/** Another host has taken the job so often, and has it now. */
async function leased(times: number): Promise<void> {
  await world.dataSource.query('delete from job');
  await world.dataSource.transaction((manager) =>
    jobs.add(manager, [{ kind: 'instance', id: instanceId, accountId: 'acme' }]),
  );
  for (let time = 1; time <= times; time += 1) {
    const [job] = await jobs.lease('instance', '', 'elsewhere', 1, 60_000);
    if (job && time < times) await jobs.retryIn(job, 0);
  }
}
const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
const decide = (command: InstanceCommand) =>
  execute(world, instanceDecider, { id: instanceId, accountId: 'acme', instanceId, context }, command);
const sweep = () => sweepHost({ ...world, jobs, engineFor, folder, guests }, signal);
const names = async (at = folder) => (await readdir(at).catch(() => [])).filter((name) => name !== '.users').sort();

it('what a lost attempt has left goes, its user too, when another host has the job', async () => {
  await leased(2);
  await host.build(instanceId, 1);
  expect(await names()).toEqual([`${instanceId}.1`]);
  await sweep();
  expect(await names()).toEqual([]);
  expect(await names(join(folder, '.users'))).toEqual([]);
});

it('the attempt that has the job keeps what it has, and so does one whose job nobody has taken over', async () => {
  await leased(2);
  const build = await host.build(instanceId, 2);
  await sweep();
  expect([await names(), build?.isCurrent]).toEqual([[`${instanceId}.2`], true]);
  await world.dataSource.query('delete from job');
  await sweep();
  expect(build?.isCurrent).toBe(true);
});

it('an attempt that is swept can not finish, however late it wakes up', async () => {
  await leased(1);
  const late = await host.build(instanceId, 1);
  await mkdir(join(late?.directory ?? '', 'pg_tblspc'), { recursive: true });
  await leased(2);
  await sweep();
  expect(late?.isCurrent).toBe(false);
  await expect(late?.finish('DFW')).rejects.toThrow();
  expect(await names()).toEqual([]);
});

it('every attempt goes when the build has ended', async () => {
  await host.build(instanceId, 7);
  await decide({ type: 'FailBuild', code: 'runner-lost', reason: 'It was lost.' });
  await sweep();
  expect([await names(), await names(join(folder, '.users'))]).toEqual([[], []]);
});

it('nothing is left of an ended build where PostgreSQL’s user can not reach the folder, and its data lie elsewhere', async () => {
  await chmod(folder, 0o700);
  await host.build(instanceId, 1);
  await leased(2);
  await sweep();
  expect((await host.held()).filter(({ attempt }) => attempt !== undefined)).toEqual([]);
  await world.dataSource.query('delete from job');
  await decide({ type: 'FailBuild', code: 'runner-lost', reason: 'It was lost.' });
  await sweep();
  expect(await names()).toEqual([]);
});

it('a server goes that was forgotten while its host was away, and one that is wanted stays', async () => {
  const wanted = await asked();
  for (const id of [instanceId, wanted]) await mkdir(join(folder, id));
  const endpoint = { host: '127.0.0.1', port: 5, user: 'postgres', database: 'postgres', tls: 'disable' } as const;
  await decide({ type: 'CompleteBuild', endpoint, region: 'DFW' });
  await sweep();
  expect(await names()).toEqual([instanceId, wanted].sort());
  await decide({ type: 'ForgetInstance', accountId: 'acme', instanceId });
  await leased(1);
  await sweep();
  expect(await names()).toEqual([instanceId, wanted].sort());
  await world.dataSource.query('delete from job');
  await sweep();
  expect(await names()).toEqual([wanted]);
});

it('what the ledger does not know stays', async () => {
  const unknown = world.ids.next();
  await host.build(unknown, 1);
  await mkdir(join(folder, world.ids.next()));
  const before = await names();
  await sweep();
  expect(await names()).toEqual(before);
});
