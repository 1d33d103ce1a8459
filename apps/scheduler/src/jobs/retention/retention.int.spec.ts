import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CustomerDatabase } from '../../../../../test/customer-database.js';
import { eventually } from '../../../../../test/services/eventually.js';
import { RunnerWorld } from '../../../fixtures/runner-world.js';
import { monday, ScheduledInstance } from '../../../fixtures/scheduled-instance.js';

let customer: CustomerDatabase;
let world: RunnerWorld;
let instance: ScheduledInstance;

beforeAll(async () => {
  customer = await CustomerDatabase.start({ megabytes: 1 });
  await summarizeWal('on');
  world = await RunnerWorld.create();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await customer.stop();
});
beforeEach(async () => {
  instance = await ScheduledInstance.create(world, customer.server, { dayOfWeek: monday, fullBackupRetention: 1 });
});
afterEach(() => instance.remove());

const both = ['DFW', 'IAD'];
const held = async (...backupIds: string[]) => {
  const regions = await Promise.all(backupIds.map((id) => instance.heldIn(id)));
  return backupIds.filter((_, index) => regions[index]?.join() === both.join());
};
const summarizeWal = async (is: 'on' | 'off') => {
  await customer.query(`alter system set summarize_wal = ${is}`);
  await customer.query('select pg_reload_conf()');
  await eventually(async () => expect(await customer.query('show summarize_wal')).toEqual([{ summarize_wal: is }]), {
    withinMs: 10_000,
  });
};

describe('retention', () => {
  it('counts the weeks that were planned: runs that came to be full push out none, and go with their week', async () => {
    const full = await instance.slot();
    const child = await instance.slot();
    await summarizeWal('off');
    const promoted: string[] = [];
    try {
      promoted.push(await instance.slot(), await instance.slot());
    } finally {
      await summarizeWal('on');
    }
    for (const id of promoted) {
      expect(await instance.shown(id)).toMatchObject({
        type: 'full',
        parentId: null,
        madeFull: { ground: 'wal-not-summarized', reason: expect.stringContaining('summarize_wal') },
      });
      expect(await world.eventTypesOf(id)).toEqual([
        'BackupRequested',
        'BackupStarted',
        'BackupMadeFull',
        'BackupIdentified',
        'BackupCompleted',
      ]);
    }
    const week = [full, child, ...promoted];
    expect(await held(...week)).toEqual(week);
    instance.untilFull();
    const next = await instance.slot();
    expect(await held(...week, next)).toEqual([next]);
  }, 120_000);

  it('neither counts nor takes what somebody asked for, nor what that is built on', async () => {
    const [full, monday, tuesday] = [await instance.slot(), await instance.slot(), await instance.slot()];
    const byHand = await instance.askFor({
      type: 'incremental',
      parentId: tuesday,
      trigger: 'request',
      scheduleId: null,
    });
    const onThat = await instance.slot();
    const runNow = [await instance.askFor(), await instance.askFor()];
    const onRunNow = await instance.slot();
    const all = [full, monday, tuesday, byHand, onThat, ...runNow, onRunNow];
    expect(await held(...all)).toEqual(all);
    expect(await instance.shown(onRunNow)).toMatchObject({ type: 'incremental', parentId: runNow[1] });
    instance.untilFull();
    const next = await instance.slot();
    expect(await held(...all, next)).toEqual([full, monday, tuesday, byHand, ...runNow, next]);
  }, 120_000);

  it('goes by what the schedule said at each slot, whatever it says now', async () => {
    const [mondays, tuesdays] = [await instance.slot(), await instance.slot()];
    await instance.change({ dayOfWeek: 7, fullBackupRetention: 2 });
    const [wednesdays, thursdays] = [await instance.slot(), await instance.slot()];
    expect(await held(mondays, tuesdays, wednesdays, thursdays)).toEqual([wednesdays, thursdays]);
    // Until here every day began a cycle. Wednesday's and Thursday's slots begin none.
    await instance.change({ dayOfWeek: 5 });
    const fridays = await instance.slot();
    expect(await held(wednesdays, thursdays, fridays)).toEqual([thursdays, fridays]);
  }, 120_000);
});
