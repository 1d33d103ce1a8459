/** What the replicator does about events that name things of another account, backup or region. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type EventData, streamOf } from '@strongroom/contracts';
import { copyDecider, copyId, copyRequest } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import { forgeEvent } from '../../../test/services/forged-event.js';
import { accountId, CopyingWorld } from '../fixtures/copying-world.js';
import { planBackup } from './jobs/plan/copy-planning.js';

let world: CopyingWorld;
beforeAll(async () => {
  world = await CopyingWorld.create();
});
afterAll(() => world.remove());

const forger = 'forger';
const requestOf = (backup: EventData<'BackupCompleted'>, region: string, forged: Partial<EventData<'CopyRequested'>>) =>
  forgeEvent(world.dataSource, {
    stream: streamOf('copy', copyId(backup.backupId, region)),
    accountId,
    instanceId: backup.instanceId,
    event: { type: 'CopyRequested', data: { ...copyRequest(backup, region), ...forged } },
  });
const holds = async (region: string, backupId: string) =>
  (await world.vaults().of(region).manifest(backupId)) !== undefined;

it.each([
  ['of another instance', { instanceId: randomUUID() }],
  ['of other bytes', { sha256: 'f'.repeat(64) }],
  ['of another size', { sizeBytes: 1 }],
  ['on another parent', { parentId: randomUUID() }],
])('fails a copy that was asked for as one %s, and brings nothing', async (_, forged) => {
  const backup = await world.backUp('DFW');
  await requestOf(backup, 'IAD', forged);
  expect(await world.attempt(backup, 'IAD')).toBe('finished');
  const failed = { type: 'CopyFailed', data: { code: 'belongs-elsewhere' } };
  expect((await world.eventsOf(backup, 'IAD')).at(-1)).toMatchObject(failed);
  expect(await holds('IAD', backup.backupId)).toBe(false);
});

it('fails a copy that another account has asked for, and brings nothing', async () => {
  const backup = await world.backUp('DFW');
  const target = { id: copyId(backup.backupId, 'IAD'), accountId: forger, instanceId: backup.instanceId };
  const context = { requestId: 'forged', correlationId: 'forged', causationId: null, actor: forger };
  const request = copyRequest(backup, 'IAD');
  await execute(world, copyDecider, { ...target, context }, { type: 'RequestCopy', request });
  expect(await world.attempt(backup, 'IAD')).toBe('finished');
  expect(await world.typesOf(backup, 'IAD')).toEqual(['CopyRequested', 'CopyStarted', 'CopyFailed']);
  expect(await holds('IAD', backup.backupId)).toBe(false);
});

it.each([
  ['another region', { region: 'ORD' }],
  ['another backup', { backupId: randomUUID() }],
])('does nothing about a copy whose request names %s than its id', async (_, forged) => {
  const backup = await world.backUp('DFW');
  await requestOf(backup, 'IAD', forged);
  await expect(world.attempt(backup, 'IAD')).rejects.toMatchObject({ code: 'belongs-elsewhere' });
  expect(await world.typesOf(backup, 'IAD')).toEqual(['CopyRequested']);
  for (const region of ['IAD', 'ORD']) expect(await holds(region, backup.backupId)).toBe(false);
});

it('empties no region for a deletion that another account has asked for', async () => {
  const backup = await world.backUp('IAD');
  const { backupId, instanceId } = backup;
  const stream = streamOf('copy', copyId(backupId, 'IAD'));
  const of = { stream, accountId: forger, instanceId };
  await forgeEvent(world.dataSource, { ...of, event: { type: 'CopyRequested', data: copyRequest(backup, 'IAD') } });
  const named = { copyId: copyId(backupId, 'IAD'), backupId, region: 'IAD', instanceId };
  await forgeEvent(world.dataSource, { ...of, event: { type: 'CopyDeletionRequested', data: named } });
  await expect(world.attempt(backup, 'IAD')).rejects.toMatchObject({ code: 'belongs-elsewhere' });
  expect(await world.isWhole(backup, 'IAD')).toBe(true);
});

it.each([
  ['more regions than its request', { copyTo: ['IAD', 'ORD'] }, {}],
  ['another backup', { backupId: randomUUID() }, {}],
  ['another account', {}, { accountId: forger }],
])('plans no copy for a completion that names %s', async (_, forged, by) => {
  const { backupId, ...made } = await world.backUp('DFW', { copyTo: ['IAD'] });
  await forgeEvent(world.dataSource, {
    ...{ stream: streamOf('backup', backupId), accountId, instanceId: made.instanceId, ...by },
    event: { type: 'BackupCompleted', data: { ...made, backupId, ...forged } },
  });
  await expect(planBackup(world, backupId)).rejects.toMatchObject({ code: 'belongs-elsewhere' });
  for (const region of ['IAD', 'ORD']) expect(await world.typesOf({ backupId }, region)).toEqual([]);
});
