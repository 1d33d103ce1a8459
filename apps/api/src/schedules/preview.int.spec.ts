import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventData, postSchedulesIdPreview, putSchedulesId, schedulePreviewResponse } from '@strongroom/contracts';
import { backupDecider, scheduledBackupId } from '@strongroom/domain';
import { stateOf } from '@strongroom/ledger';
import { FixedClock } from '@strongroom/runtime';
import { allOf } from '../../../../test/services/all-of.js';
import { faultOf, fullFaultOf, nothing } from '../../fixtures/answers.js';
import { Gateway } from '../../fixtures/gateway.js';

const dayMs = 86_400_000;
/** A Friday, after the time of the slot. */
const now = new Date('2027-01-01T18:00:00.000Z');

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ clock: new FixedClock(now) });
});
afterAll(() => gateway.close());

const preview = (id: string, schedule: object, query: Record<string, string | number> = {}) =>
  gateway.call(postSchedulesIdPreview, { id, body: { schedule }, query });
const told = async (id: string, schedule: object, query: Record<string, string | number> = {}) =>
  schedulePreviewResponse.parse((await preview(id, schedule, query)).body);

/** A schedule with the backups of its last slots, a Sunday's full one among them. @returns the ids, the oldest first */
async function past(days: number) {
  const instanceId = await gateway.register();
  const scheduleId = await gateway.schedule(instanceId, { copy_to: ['IAD'], full_backup_retention: 2 });
  const made: string[] = [];
  for (let day = days - 1; day >= 0; day -= 1) {
    const slotAt = new Date(Date.parse('2027-01-01T14:30:00.000Z') - day * dayMs);
    const id = scheduledBackupId(scheduleId, slotAt);
    const isFull = slotAt.getUTCDay() === 0 || made.length === 0;
    const request: EventData<'BackupRequested'> = {
      ...{ backupId: id, instanceId, scheduleId, slotAt: slotAt.toISOString(), trigger: 'slot', name: 'orders' },
      ...{ type: isFull ? 'full' : 'incremental', parentId: isFull ? null : (made.at(-1) ?? null), description: null },
      ...{ datastore: { type: 'postgresql', version: '18' }, copyTo: ['IAD'] },
    };
    const parent =
      request.parentId === null ? undefined : await stateOf(gateway.ledger, backupDecider, request.parentId);
    await gateway.onBackup(id, instanceId, { type: 'RequestBackup', request, ...(parent && { parent }) });
    await gateway.run(id, instanceId, 'completed', { lineage: instanceId, facts: {} });
    made.push(id);
  }
  return { instanceId, scheduleId, made };
}

describe('the preview of a change', () => {
  it('tells the runs to come, each with its kind, why, and what the slot is without the change', async () => {
    const { scheduleId } = await past(2);
    const { preview: of } = await told(scheduleId, { day_of_week: 6, paused: false }, { runs: 3 });
    expect(of.as_of).toBe(now.toISOString());
    expect(of.runs).toEqual([
      {
        ...{ slot: '2027-01-02T14:30:00.000Z', outcome: 'full', ground: 'planned', unchanged: 'incremental' },
        reason: 'The schedule plans a full backup for the day of this slot.',
      },
      expect.objectContaining({ slot: '2027-01-03T14:30:00.000Z', outcome: 'incremental', unchanged: 'full' }),
      expect.objectContaining({ slot: '2027-01-04T14:30:00.000Z', outcome: 'incremental', unchanged: 'incremental' }),
    ]);
    const moved = await told(scheduleId, { hour: 19 });
    expect(moved.preview.runs).toHaveLength(14);
    expect(moved.preview.runs[0]).toMatchObject({ slot: '2027-01-01T19:30:00.000Z', unchanged: 'none' });
    expect((await told(scheduleId, { hour: 19 }, { runs: 1_000 })).preview.runs).toHaveLength(100);
    const paused = await told(scheduleId, { paused: true });
    expect(paused.preview.runs[0]).toMatchObject({ outcome: 'skipped', ground: 'paused', unchanged: 'incremental' });
  });

  it('tells of each backup whether it is kept or deleted, when and why, with and without the change', async () => {
    const { scheduleId, made } = await past(9);
    const [oldest = ''] = made;
    const before = await told(scheduleId, { full_backup_retention: 1 }, { limit: 20 });
    expect(before.preview.summary).toEqual({
      ...{ backups: 9, deleted: 9, kept: 0, differs: 9, deleted_sooner: 9, deleted_later: 0 },
    });
    expect(before.preview.backups.at(-1)).toEqual({
      ...{ id: oldest, slot: '2026-12-24T14:30:00.000Z', type: 'full', parent_id: null, differs: true },
      after: expect.objectContaining({ is: 'deleted', deleted_at: now.toISOString(), deleted_by_slot: null }),
      unchanged: expect.objectContaining({
        ...{ is: 'deleted', ground: 'replaced', deleted_by_slot: '2027-01-03T14:30:00.000Z', bytes_kept_by: null },
        reason: expect.stringContaining('The schedule keeps 2 cycles.'),
      }),
    });
    expect((await told(scheduleId, { paused: true })).preview.backups[0]?.after).toMatchObject({
      ...{ is: 'kept', ground: 'paused', deleted_at: null, bytes_go_at: null },
    });
  });

  it('tells which copies a region is owed that is added, and what stays in one that is taken out', async () => {
    const { scheduleId, made } = await past(3);
    const { preview: of } = await told(scheduleId, { copy_to: ['ORD'] });
    expect(of.copies).toEqual([
      expect.objectContaining({
        ...{ region: 'ORD', change: 'added', from_slot: '2027-01-02T14:30:00.000Z', kept: 0, under_way: 0 },
        copied_first: made.toReversed(),
      }),
      expect.objectContaining({ region: 'IAD', change: 'removed', from_slot: null, copied_first: [], kept: 0 }),
    ]);
  });

  it('comes in pages, whose links lead to the older backups to the end', async () => {
    const { scheduleId, made } = await past(5);
    const all = gateway.client().schedules.previewedBackups(scheduleId, { hour: 3 }, { limit: 2 });
    expect((await allOf(all)).map(({ id }) => id)).toEqual(made.toReversed());
    expect(faultOf(await preview(scheduleId, { hour: 3 }, { marker: nothing }))).toEqual([400, 'badRequest']);
  });

  it('changes nothing, records nothing, and is told anew for every Idempotency-Key', async () => {
    const { scheduleId } = await past(1);
    const events = await gateway.events();
    const headers = { 'idempotency-key': 'previewed' };
    for (const hour of [3, 4]) {
      const answer = await gateway.call(postSchedulesIdPreview, {
        id: scheduleId,
        body: { schedule: { hour } },
        headers,
      });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('idempotent-replayed')).toBeNull();
    }
    expect(await gateway.events()).toEqual(events);
  });

  it('is for whoever may read schedules, though the change itself is not', async () => {
    const { scheduleId } = await past(1);
    const body = { schedule: { full_backup_retention: 1 } };
    const asked = { id: scheduleId, body, as: 'observer' } as const;
    expect((await gateway.call(postSchedulesIdPreview, asked)).status).toBe(200);
    expect(faultOf(await gateway.call(putSchedulesId, asked))).toEqual([403, 'forbidden']);
    expect(faultOf(await gateway.call(postSchedulesIdPreview, { ...asked, as: 'other' }))).toEqual([
      404,
      'itemNotFound',
    ]);
  });

  it.each([
    {},
    { hour: 24 },
    { hour: '3' },
    { copy_to: ['DFW'] },
    { copy_to: ['XYZ'] },
    { colour: 'red' },
    { hour: 14, full_backup_retention: 2 },
  ])('is refused in the words in which the change is refused: %j', async (schedule) => {
    const { scheduleId: id } = await past(1);
    const refused = fullFaultOf(await gateway.call(putSchedulesId, { id, body: { schedule } }));
    expect(refused.slice(0, 2)).toEqual([400, 'badRequest']);
    expect(fullFaultOf(await preview(id, schedule))).toEqual(refused);
  });

  it.each(['0', '-1', 'many', ''])('is a 400 for %j runs', async (runs) => {
    const { scheduleId } = await past(1);
    expect(fullFaultOf(await preview(scheduleId, { hour: 3 }, { runs }))).toEqual([
      ...[400, 'badRequest', 'runs: must be an integer of at least 1.'],
    ]);
  });
});
