import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type NewEvent, streamOf } from '@strongroom/contracts';
import { Ledger } from '@strongroom/ledger';
import { RandomIds } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { connectTestDatabase, type TestDatabase } from '../../../test/services/database.js';
import { Backups, RestoreTests, Views, viewTables } from './index.js';

const ids = new RandomIds();
const [accountId, instanceId] = ['acme', ids.next()];
const startedAt = '2026-11-23T14:30:00.000Z';
const purgeAt = '2026-12-01T00:00:00.000Z';

let database: TestDatabase;
let dataSource: DataSource;
let ledger: Ledger;
let views: Views;
let backups: Backups;
beforeAll(async () => {
  ({ database, dataSource } = await connectTestDatabase({ applicationName: 'deleted-spec', entities: viewTables }));
  ledger = new Ledger(dataSource);
  views = new Views(dataSource, ledger);
  backups = new Backups(dataSource);
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
/** A full backup and an incremental that is built on it. */
let full: string;
let child: string;
beforeEach(async () => {
  [full, child] = [ids.next(), ids.next()];
  await made(full, null);
  await made(child, full);
});

async function record(backupId: string, actor: string, ...events: NewEvent[]): Promise<void> {
  const stream = streamOf('backup', backupId);
  const { length: expectedVersion } = await ledger.readStream(stream);
  const numbered = events.map((event) => ({ ...event, id: ids.next() }));
  const context = { requestId: 'request', correlationId: 'request', causationId: null, actor };
  const request = { stream, expectedVersion, accountId, instanceId, context, events: numbered };
  await ledger.append({ ...request, claims: [], releases: [] });
  await views.catchUp(accountId);
}

async function made(backupId: string, parentId: string | null): Promise<void> {
  const of = { backupId, instanceId, scheduleId: null, parentId, copyTo: [] };
  const type = parentId === null ? ('full' as const) : ('incremental' as const);
  const datastore = { type: 'postgresql' as const, version: '18' };
  const result = { attempt: 1, region: 'DFW', location: 'there', sizeBytes: 1, rawBytes: 1, sha256: 'a'.repeat(64) };
  await record(
    backupId,
    'spec',
    {
      type: 'BackupRequested',
      data: { ...of, type, slotAt: null, trigger: 'request', name: 'orders', description: null, datastore },
    },
    { type: 'BackupCompleted', data: { ...of, type, ...result, startedAt } },
  );
}

const of = (backupId: string) => ({ backupId, instanceId, scheduleId: null });
const mark = (backupId: string, rootId: string, trigger: 'request' | 'retention' = 'request') =>
  record(backupId, 'one', { type: 'BackupDeletionMarked', data: { ...of(backupId), trigger, rootId, purgeAt } });
const revert = (backupId: string) =>
  record(backupId, 'one', { type: 'BackupDeletionReverted', data: { ...of(backupId), rootId: backupId } });

describe('a deleted backup', () => {
  it('is found by whoever asks for what is deleted, and by nobody else, until it is brought back', async () => {
    await mark(full, full);
    expect(await backups.find(accountId, full)).toBeUndefined();
    const page = async (isDeleted: boolean) => {
      const found = await backups.page(accountId, { limit: 100, instanceId, isDeleted });
      return found?.items.map(({ id }) => id).filter((id) => [full, child].includes(id));
    };
    expect(await page(false)).toEqual([child]);
    expect(await page(true)).toEqual([full]);
    expect(await backups.page('other', { limit: 5, isDeleted: true })).toEqual({ items: [], more: false });
    expect((await backups.heldOf(instanceId)).map(({ id }) => id)).not.toContain(full);
    const shown = { trigger: 'request', rootId: full, purgeAt, by: 'one', approvedBy: null, before: 'COMPLETED' };
    expect(await backups.findDeleted(accountId, full)).toMatchObject({ status: 'MARKED', mark: shown, version: 3 });
    await revert(full);
    expect(await backups.findDeleted(accountId, full)).toBeUndefined();
    expect(await backups.find(accountId, full)).toMatchObject({ status: 'COMPLETED', mark: null, isKeptByHand: false });
  });

  it('is nothing to build on', async () => {
    await mark(full, full);
    await mark(child, full);
    expect((await backups.newestCompleted(instanceId))?.id).not.toBe(child);
    await revert(full);
    await revert(child);
    expect(await backups.newestCompleted(instanceId)).toEqual({ id: child, isWhole: true });
  });

  it('is found with its whole chain from anywhere in it', async () => {
    await mark(child, child);
    const rows = [await backups.findDeleted(accountId, child), await backups.find(accountId, full)];
    for (const row of rows) {
      expect(row && (await backups.chainOf(row)).map(({ id }) => id)).toEqual([full, child]);
    }
  });

  it('counts as kept by hand when it was retention that had deleted it', async () => {
    await mark(full, full, 'retention');
    await revert(full);
    expect(await backups.find(accountId, full)).toMatchObject({ isKeptByHand: true });
    await mark(full, full);
    await revert(full);
    expect(await backups.find(accountId, full)).toMatchObject({ isKeptByHand: true });
  });

  it('counts among the deleted until a second person approves it, when somebody deleted it', async () => {
    const before = await backups.deletedByHand(accountId);
    await mark(full, full);
    await mark(child, child, 'retention');
    expect(await backups.deletedByHand(accountId)).toBe(before + 1);
    await record(full, 'two', { type: 'BackupDeletionApproved', data: { ...of(full), rootId: full } });
    expect(await backups.deletedByHand(accountId)).toBe(before);
    expect(await backups.findDeleted(accountId, full)).toMatchObject({ mark: { by: 'one', approvedBy: 'two' } });
  });

  it('has its hold, and is the same after the views were built anew', async () => {
    await record(full, 'two', { type: 'BackupHeld', data: { ...of(full), reason: 'case 4711' } });
    await mark(full, full);
    const held = await backups.findDeleted(accountId, full);
    expect(held).toMatchObject({ hold: { reason: 'case 4711', by: 'two' } });
    await views.rebuild();
    await views.catchUp(accountId);
    expect(await backups.findDeleted(accountId, full)).toEqual(held);
    await record(full, 'two', { type: 'BackupHoldLifted', data: of(full) });
    expect(await backups.findDeleted(accountId, full)).toMatchObject({ hold: null, status: 'MARKED' });
  });

  it('leaves its tested restores when it is gone, also when the views were built anew', async () => {
    const test = { region: 'DFW', seconds: 240, proof: 'tables-read' } as const;
    await record(full, 'anna', { type: 'RestoreTested', data: { ...of(full), ...test } });
    await record(full, 'spec', { type: 'BackupDeletionRequested', data: { ...of(full), trigger: 'request' } });
    await record(full, 'spec', { type: 'BackupDeleted', data: of(full) });
    const tests = async () => (await new RestoreTests(dataSource).ofBackups([full, child])).get(full);
    const before = await tests();
    expect(before).toEqual([{ backupId: full, test: { ...test, at: expect.any(String), by: 'anna', fault: null } }]);
    await views.rebuild();
    await views.catchUp(accountId);
    expect(await tests()).toEqual(before);
  });

  it('is not found any more when its removal was asked for', async () => {
    await mark(full, full);
    await record(full, 'spec', { type: 'BackupDeletionRequested', data: { ...of(full), trigger: 'request' } });
    expect(await backups.findDeleted(accountId, full)).toBeUndefined();
    expect(await backups.find(accountId, full)).toBeUndefined();
  });
});
