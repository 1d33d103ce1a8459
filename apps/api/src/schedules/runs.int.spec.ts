import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteBackupsId,
  getBackupsId,
  getSchedulesId,
  getSchedulesIdRuns,
  putSchedulesId,
} from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import { FixedClock } from '@strongroom/runtime';
import { z } from 'zod';
import { faultOf, nothing } from '../../fixtures/answers.js';
import { type Call, Gateway } from '../../fixtures/gateway.js';

const clock = new FixedClock(new Date('2020-11-14T07:28:17Z'));

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ clock });
});
afterAll(() => gateway.close());

const put = (id: string, schedule: object) => gateway.call(putSchedulesId, { id, body: { schedule } });
const shown = async (id: string) =>
  z.object({ schedule: z.looseObject({}) }).parse((await gateway.call(getSchedulesId, { id })).body).schedule;

/** What a run shows of a backup that is not there, or that began in time and went well at once. */
const nothingToTell = {
  made_full: null,
  type: null,
  full_because: null,
  fault: null,
  retry_at: null,
  failed_attempts: [],
  delays: [],
  not_deleted_because: null,
};

describe('the runs of a schedule', () => {
  const page = z.object({
    runs: z.array(z.looseObject({ id: z.string(), slot: z.string(), outcome: z.string() })),
    links: z.array(z.object({ rel: z.literal('next'), href: z.string() })),
  });
  const runsOf = async (id: string, query: Call['query'] = {}) =>
    page.parse((await gateway.call(getSchedulesIdRuns, { id, query })).body);
  const slotOf = (daysAgo: number) => new Date(Date.UTC(2020, 10, 14 - daysAgo, 14, 30));
  const comingOf = (id: string) => ({
    id: scheduledBackupId(id, slotOf(0)),
    slot: '2020-11-14T14:30:00.000Z',
    outcome: 'coming',
    reason: null,
    ...nothingToTell,
    backup_id: null,
    backup_status: null,
    copies: [],
  });

  /** A schedule whose slot of yesterday was run, of the day before skipped, of the one before that missed. */
  async function past() {
    const instanceId = await gateway.register();
    const id = await gateway.schedule(instanceId, { copy_to: ['IAD', 'ORD'] });
    const [ran, skipped, missed] = [1, 2, 3].map((daysAgo) => scheduledBackupId(id, slotOf(daysAgo))) as [
      string,
      string,
      string,
    ];
    const of = (daysAgo: number) => ({ scheduleId: id, instanceId, slotAt: slotOf(daysAgo).toISOString() });
    await gateway.onBackup(missed, instanceId, { type: 'MissSlot', slot: { ...of(3), reason: 'nobody was there' } });
    await gateway.onBackup(skipped, instanceId, { type: 'SkipSlot', slot: { ...of(2), reason: 'a backup ran' } });
    await gateway.onBackup(ran, instanceId, {
      type: 'RequestBackup',
      request: {
        ...of(1),
        backupId: ran,
        trigger: 'slot',
        type: 'full',
        parentId: null,
        name: 'orders-nightly',
        description: null,
        datastore: { type: 'postgresql', version: '18' },
        copyTo: ['IAD', 'ORD'],
      },
    });
    return { instanceId, id, ran, skipped, missed };
  }

  it('say why one is full that was to be incremental, also when its backup is gone', async () => {
    const { instanceId, id, ran } = await past();
    await gateway.run(ran, instanceId, 'completed');
    const [run, child] = [scheduledBackupId(id, slotOf(4)), scheduledBackupId(id, slotOf(5))];
    const request = {
      scheduleId: id,
      instanceId,
      trigger: 'slot' as const,
      type: 'incremental' as const,
      parentId: ran,
      name: 'orders-nightly',
      description: null,
      datastore: { type: 'postgresql' as const, version: '18' },
      copyTo: [],
    };
    const made = {
      attempt: 1,
      region: 'DFW',
      location: 'backups/x',
      sizeBytes: 1,
      rawBytes: 1,
      sha256: 'a'.repeat(64),
    };
    const parent = { is: 'completed' as const, accountId: '1234', attempt: 1 };
    const why = { ground: 'parent-slot-gone', reason: 'The server does not know it.' };
    const shownRun = async (backupId: string) => (await runsOf(id)).runs.find((each) => each.id === backupId);
    for (const [backupId, day] of [
      [run, 4],
      [child, 5],
    ] as const) {
      const full = { ...request, backupId, slotAt: slotOf(day).toISOString() };
      await gateway.onBackup(backupId, instanceId, {
        type: 'RequestBackup',
        request: full,
        parent: { ...parent, request: full, completed: { ...full, ...made, startedAt: full.slotAt } },
      });
      await gateway.run(backupId, instanceId, 'started');
      await gateway.onBackup(backupId, instanceId, { type: 'MakeFull', backupId, attempt: 1, ...why });
      const made_full = { planned_parent_id: ran, ...why };
      expect(await shownRun(backupId)).toMatchObject({ made_full });
      expect((await gateway.call(getBackupsId, { id: backupId })).body).toMatchObject({
        backup: { type: 'full', parent_id: null, made_full },
      });
      await gateway.onBackup(backupId, instanceId, {
        type: 'FailBackup',
        backupId,
        attempt: 1,
        code: 'x',
        reason: 'y',
      });
    }
    await gateway.call(deleteBackupsId, { id: run });
    expect(await shownRun(run)).toMatchObject({ made_full: { ground: why.ground }, backup_status: null });
  });

  it('say why each is full, why it was late and why it failed, also when its backup is gone', async () => {
    const { instanceId, id, ran } = await past();
    const because = { ground: 'planned', reason: 'The schedule plans a full backup for the day of this slot.' };
    const delay = { ground: 'no-runner-free', reason: 'All were busy.', delayMs: 61_000 };
    const begin = (attempt: number) =>
      ({ type: 'StartBackup', backupId: ran, attempt, region: 'DFW', runner: 'spec' }) as const;
    const fault = { code: 'server-unreachable', reason: 'The server does not answer.' };
    const told = { code: fault.code, message: fault.reason };
    const [retryAt, retryUntil] = ['2020-11-13T14:31:00.000Z', '2020-11-13T15:30:00.000Z'];
    await gateway.onBackup(ran, instanceId, { ...begin(1), delay });
    const failed = { type: 'FailBackupAttempt', backupId: ran, attempt: 1, ...fault, retryAt, retryUntil } as const;
    await gateway.onBackup(ran, instanceId, failed);
    const shownRun = async () => (await runsOf(id)).runs.find((each) => each.id === ran);
    const lasting = {
      type: 'full',
      full_because: because,
      fault: told,
      failed_attempts: [{ attempt: 1, ...told, retry_at: retryAt }],
      delays: [{ seconds: 61, ground: delay.ground, reason: delay.reason }],
    };
    expect(await shownRun()).toMatchObject({ ...lasting, retry_at: retryAt, backup_status: 'BUILDING' });
    await gateway.onBackup(ran, instanceId, begin(2));
    await gateway.onBackup(ran, instanceId, { type: 'FailBackup', backupId: ran, attempt: 2, ...fault });
    expect(await shownRun()).toMatchObject({ ...lasting, retry_at: null, backup_status: 'FAILED' });
    await gateway.call(deleteBackupsId, { id: ran });
    expect(await shownRun()).toMatchObject({ ...lasting, backup_status: null });
  });

  it('begin with the coming one, which has its id already', async () => {
    const id = await gateway.schedule(await gateway.register());
    expect(await runsOf(id)).toEqual({ runs: [comingOf(id)], links: [] });
    for (const marker of [nothing, id, 'nightly']) {
      expect(faultOf(await gateway.call(getSchedulesIdRuns, { id, query: { marker } }))).toEqual([400, 'badRequest']);
    }
  });

  it('tell what became of each slot: run with its backup and copies, skipped or missed with the reason', async () => {
    const { instanceId, id, ran, skipped, missed } = await past();
    await gateway.run(ran, instanceId, 'completed');
    const none = { ...nothingToTell, backup_id: null, backup_status: null, copies: [] };
    expect(await runsOf(id)).toEqual({
      runs: [
        comingOf(id),
        {
          id: ran,
          slot: '2020-11-13T14:30:00.000Z',
          outcome: 'ran',
          reason: null,
          ...nothingToTell,
          type: 'full',
          full_because: { ground: 'planned', reason: 'The schedule plans a full backup for the day of this slot.' },
          backup_id: ran,
          backup_status: 'COMPLETED',
          copies: [
            { region: 'IAD', status: 'PENDING' },
            { region: 'ORD', status: 'PENDING' },
          ],
        },
        { id: skipped, slot: '2020-11-12T14:30:00.000Z', outcome: 'skipped', reason: 'a backup ran', ...none },
        { id: missed, slot: '2020-11-11T14:30:00.000Z', outcome: 'missed', reason: 'nobody was there', ...none },
      ],
      links: [],
    });
  });

  it.each([1, 2, 3, 4])(
    'come in pages of %i, the coming one counted, whose links lead to all of them once',
    async (limit) => {
      const { id } = await past();
      const all = (await runsOf(id)).runs;
      expect(all).toHaveLength(4);
      const seen: unknown[] = [];
      for await (const { runs } of gateway.client().pages(getSchedulesIdRuns, { id, query: { limit } })) {
        expect(runs).toHaveLength(Math.min(limit, all.length - seen.length));
        seen.push(...runs);
      }
      expect(seen).toEqual(all);
      for (const [index, { id: marker }] of all.entries()) {
        expect((await runsOf(id, { marker })).runs).toEqual(all.slice(index + 1));
      }
    },
  );

  it('go on after the coming one also when that is due in between, and nobody has decided on it yet', async () => {
    const { id, ran } = await past();
    const [coming] = (await runsOf(id, { limit: 1 })).runs;
    const later = await Gateway.open({ database: gateway.database, clock: new FixedClock(slotOf(0)) });
    try {
      const answer = await later.call(getSchedulesIdRuns, { id, query: { limit: 1, marker: coming?.id } });
      expect(page.parse(answer.body).runs).toMatchObject([{ id: ran }]);
    } finally {
      await later.end();
    }
  });

  it('are of slots: one that was asked for is told by its backup', async () => {
    const { instanceId, id, ran } = await past();
    await gateway.run(ran, instanceId, 'failed');
    const before = await runsOf(id);
    expect((await put(id, { run_now: true })).status).toBe(202);
    expect(await runsOf(id)).toEqual(before);
  });

  it('stay told when their backups are deleted, and so does when the last one was', async () => {
    const { instanceId, id, ran } = await past();
    await gateway.run(ran, instanceId, 'completed');
    const { last_scheduled: lastScheduled } = await shown(id);
    expect(lastScheduled).toMatch(/^\d{4}-/);
    expect((await gateway.call(deleteBackupsId, { id: ran })).status).toBe(202);
    await gateway.onBackup(ran, instanceId, { type: 'ConfirmDeletion', backupId: ran });
    expect((await gateway.call(getBackupsId, { id: ran })).status).toBe(404);
    expect((await runsOf(id)).runs[1]).toMatchObject({ id: ran, outcome: 'ran', backup_id: ran, backup_status: null });
    expect(await shown(id)).toMatchObject({ last_scheduled: lastScheduled });
  });
});
