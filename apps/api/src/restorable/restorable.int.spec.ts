import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getRestorable, mostLookedThrough, restorableResponse } from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import { FixedClock } from '@strongroom/runtime';
import { faultOf } from '../../fixtures/answers.js';
import { copied, lostCopy } from '../../fixtures/copies.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

/** A slot of 14:30 is to come on that day. */
const clock = new FixedClock(new Date('2026-11-24T07:28:17Z'));
const slotOf = (daysAgo: number) => new Date(Date.UTC(2026, 10, 24 - daysAgo, 14, 30));

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ clock });
});
afterAll(() => gateway.close());

const asked = async (call: Call = {}) => restorableResponse.parse((await gateway.call(getRestorable, call)).body);
const of = async (instanceId: string) => (await asked({ query: { instance_id: instanceId } })).restorable[0];
const regionOf = async (instanceId: string, name: string) =>
  (await of(instanceId))?.regions.find(({ region }) => region === name);

/** A completed backup; with a parent, an incremental. */
async function completed(
  instanceId: string,
  { parent, copyTo = ['IAD'] }: { parent?: string; copyTo?: string[] } = {},
) {
  const more = parent === undefined ? {} : { parent_id: parent, incremental: 1 };
  const backupId = await gateway.backup(instanceId, { copy_to: copyTo, ...more });
  await gateway.run(backupId, instanceId, 'completed');
  return backupId;
}

async function server() {
  const instanceId = await gateway.register();
  const scheduleId = await gateway.schedule(instanceId, { copy_to: ['IAD'] });
  return { instanceId, scheduleId };
}

describe('what is restorable', () => {
  it('is nothing for a schedule that has no backup yet, which is told with all regions', async () => {
    const { instanceId, scheduleId } = await server();
    const nothing = { newest: null, owed: 0, lost: 0, failed: 0, restore_tests: [] };
    expect(await of(instanceId)).toEqual({
      id: scheduleId,
      instance_id: instanceId,
      instance_name: 'orders',
      paused: false,
      next_run: '2026-11-24T14:30:00',
      last_run: null,
      outcomes: [],
      has_older: false,
      regions: [
        { region: 'DFW', wanted: true, ...nothing },
        { region: 'IAD', wanted: true, ...nothing },
        { region: 'ORD', wanted: false, ...nothing },
      ],
    });
  });

  it('is the newest backup that a region holds, and what it is owed, has lost or was not given is counted', async () => {
    const { instanceId } = await server();
    const place = { instanceId, region: 'IAD' };
    const first = await completed(instanceId);
    expect(await regionOf(instanceId, 'DFW')).toMatchObject({ newest: { backup_id: first, type: 'full', slot: null } });
    expect(await regionOf(instanceId, 'IAD')).toMatchObject({ newest: null, owed: 1 });
    await copied(gateway, { ...place, backupId: first }, 'completed');
    expect(await regionOf(instanceId, 'IAD')).toMatchObject({ newest: { backup_id: first }, owed: 0 });
    for (const end of ['waits', 'failed', 'lost'] as const) {
      await copied(gateway, { ...place, backupId: await completed(instanceId) }, end);
    }
    const running = await gateway.backup(instanceId);
    await gateway.run(running, instanceId, 'started');
    const told = { newest: { backup_id: first }, owed: 1, failed: 1, lost: 1 };
    expect(await regionOf(instanceId, 'IAD')).toMatchObject(told);
    expect(await regionOf(instanceId, 'ORD')).toMatchObject({ newest: null, owed: 0 });
  });

  it('is an incremental only with all that it is built on, and as well proven as the least of these', async () => {
    const { instanceId } = await server();
    const place = { instanceId, region: 'IAD' };
    const full = await completed(instanceId, { copyTo: [] });
    const second = await completed(instanceId, { parent: full, copyTo: [] });
    const third = await completed(instanceId, { parent: second, copyTo: [] });
    for (const backupId of [full, second, third]) await copied(gateway, { ...place, backupId }, 'completed');
    expect(await regionOf(instanceId, 'DFW')).toMatchObject({ newest: { backup_id: third, type: 'incremental' } });
    const { copies } = await gateway.client().backups.get(full);
    const { verified_at } = copies.find(({ region }) => region === 'IAD') ?? {};
    const newest = { backup_id: third, verified_at, verified_by: 'read' };
    expect(await regionOf(instanceId, 'IAD')).toMatchObject({ newest, owed: 0 });
    // The store has compared the bytes of one part later: that part is newer now, and nobody has read it.
    await gateway.sql(
      `insert into verification (backup_id, region, verified_at, looked_at, verified_by)
       values ('${second}', 'IAD', now(), now(), 'server') on conflict (backup_id, region)
       do update set verified_at = now(), looked_at = now(), verified_by = 'server'`,
    );
    expect(await regionOf(instanceId, 'IAD')).toMatchObject({ newest: { ...newest, verified_by: 'server' } });
    await lostCopy(gateway, { ...place, backupId: second });
    expect(await regionOf(instanceId, 'IAD')).toMatchObject({ newest: { backup_id: full }, lost: 1 });
  });

  it('has the name of its instance, the last run and what became of the slots before it', async () => {
    const { instanceId, scheduleId } = await server();
    const slot = (daysAgo: number) => ({ scheduleId, instanceId, slotAt: slotOf(daysAgo).toISOString() });
    const requested = async (daysAgo: number, outcome: 'completed' | 'failed' | 'started') => {
      const backupId = scheduledBackupId(scheduleId, slotOf(daysAgo));
      const request = {
        ...slot(daysAgo),
        backupId,
        trigger: 'slot',
        type: 'full',
        parentId: null,
        name: 'orders',
      } as const;
      const datastore = { type: 'postgresql', version: '18' } as const;
      await gateway.onBackup(backupId, instanceId, {
        type: 'RequestBackup',
        request: { ...request, description: null, datastore, copyTo: [] },
      });
      await gateway.run(backupId, instanceId, outcome);
      return backupId;
    };
    const pass = (daysAgo: number, type: 'SkipSlot' | 'MissSlot', reason: string) =>
      gateway.onBackup(scheduledBackupId(scheduleId, slotOf(daysAgo)), instanceId, {
        type,
        slot: { ...slot(daysAgo), reason },
      });
    const ran = await requested(5, 'completed');
    await requested(4, 'failed');
    await pass(3, 'SkipSlot', 'A backup ran.');
    await pass(2, 'MissSlot', 'Nobody looked.');
    const read = await of(instanceId);
    expect(read?.outcomes).toEqual(['completed', 'failed', 'skipped', 'missed']);
    expect(read?.last_run).toMatchObject({
      outcome: 'missed',
      reason: 'Nobody looked.',
      slot: slotOf(2).toISOString(),
    });
    expect(read?.regions[0]?.newest).toMatchObject({ backup_id: ran, slot: slotOf(5).toISOString() });
    await requested(1, 'started');
    expect(await of(instanceId)).toMatchObject({ last_run: { outcome: 'running', fault: null } });
  });

  it('says that there are older backups than those it looks through', async () => {
    const { instanceId } = await server();
    const old = await completed(instanceId);
    expect(await of(instanceId)).toMatchObject({ has_older: false });
    // Newer ones, which have failed: rows as the fold would have written them.
    await gateway.sql(`insert into backup_view select (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(),
        'status', 'FAILED', 'created_at', b.created_at + make_interval(secs => n)))).*
      from backup_view b cross join generate_series(1, ${mostLookedThrough}) n where b.id = '${old}'`);
    const read = await of(instanceId);
    expect(read).toMatchObject({ has_older: true });
    expect(read?.regions.every(({ newest }) => newest === null)).toBe(true);
  });

  it('comes in pages in order of id, whose links lead to all of them once', async () => {
    const all = (await asked()).restorable.map(({ id }) => id);
    expect(all).toEqual([...all].sort());
    const { restorable, links } = await asked({ query: { limit: '1' } });
    const [next] = links.map(({ href }) => new URL(href).searchParams.get('marker'));
    expect([restorable.length, next]).toEqual([1, all[0]]);
    const after = await asked({ query: { limit: '1', marker: next ?? '' } });
    expect(after.restorable.map(({ id }) => id)).toEqual([all[1]]);
    const unknown = await gateway.call(getRestorable, { query: { marker: '44b277eb-39be-4921-be31-3d61b43651d7' } });
    expect(faultOf(unknown)).toEqual([400, 'badRequest']);
    expect((await asked({ as: 'other' })).restorable).toEqual([]);
  });
});
