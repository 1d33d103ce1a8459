import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@strongroom/contracts';
import { decide } from './decider.js';
import { account, given } from './given.js';
import { type ScheduleDefinition, scheduleDecider, shrinks } from './schedule.js';

const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';
const instanceId = '44b277eb-39be-4921-be31-3d61b43651d7';
const definition: ScheduleDefinition = {
  dayOfWeek: 0,
  hour: 14,
  minute: 30,
  fullBackupRetention: 2,
  copyTo: ['IAD', 'ORD'],
  paused: false,
};
const instance = {
  is: 'registered' as const,
  instanceId,
  accountId: account,
  name: 'orders',
  datastore: { type: 'postgresql' as const, version: '18' },
  endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'require' as const },
  builtFrom: null,
  accepted: new Map(),
};
const created: NewEvent = { type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } };
const deleted: NewEvent = { type: 'ScheduleDeleted', data: { scheduleId, instanceId } };
const create = {
  type: 'CreateSchedule' as const,
  accountId: account,
  scheduleId,
  instanceId,
  instance,
  definition,
  mostSchedules: 3,
};
const remove = { type: 'DeleteSchedule' as const, accountId: account, scheduleId };
const update = (changes: Partial<ScheduleDefinition>, accountId = account) => ({
  type: 'UpdateSchedule' as const,
  accountId,
  scheduleId,
  changes,
});

describe('a schedule', () => {
  it('is created for an instance of its account, and claims the instance', () => {
    const { gives, decision } = given(scheduleDecider).when(create);
    expect(gives).toEqual([created]);
    expect(decision.claims).toEqual([{ kind: 'schedule-of-instance', key: instanceId }]);
  });

  it('is refused for an instance that is not there, or is another account’s', () => {
    const forgotten = { is: 'forgotten' as const, builtFrom: null, endpoint: undefined };
    for (const gone of [{ is: 'absent' as const }, forgotten]) {
      expect(given(scheduleDecider).when({ ...create, instance: gone }).gives).toBe('instance-unknown');
    }
    expect(given(scheduleDecider).when({ ...create, instance: { ...instance, accountId: 'other' } }).gives).toBe(
      'instance-unknown',
    );
  });

  it('is refused for an instance that is still to be built, and for one that could not be', () => {
    const { name, datastore } = instance;
    for (const [is, refused] of [
      ['building', 'instance-being-built'],
      ['build-failed', 'instance-build-failed'],
    ] as const) {
      const toBuild = { is, instanceId, accountId: account, name, datastore, backupId: scheduleId };
      expect(given(scheduleDecider).when({ ...create, instance: toBuild }).gives).toBe(refused);
      expect(given(scheduleDecider).when({ ...create, instance: { ...toBuild, accountId: 'other' } }).gives).toBe(
        'instance-unknown',
      );
    }
  });

  it('tells its whole definition when a part of it changes', () => {
    expect(given(scheduleDecider, [created]).when(update({ hour: 3, copyTo: [] })).gives).toEqual([
      { type: 'ScheduleUpdated', data: { scheduleId, instanceId, ...definition, hour: 3, copyTo: [] } },
    ]);
  });

  it('refuses a change that changes nothing', () => {
    expect(given(scheduleDecider, [created]).when(update({ ...definition, copyTo: ['IAD', 'ORD'] })).gives).toBe(
      'schedule-unchanged',
    );
  });

  it('takes another reason for a pause as a change, and the same one for none', () => {
    const paused: NewEvent = { type: 'ScheduleUpdated', data: { scheduleId, instanceId, ...definition, paused: true } };
    const because = (reason: string) => given(scheduleDecider, [created, paused]).when({ ...update({}), reason });
    expect(because('the disks are being moved').gives).toEqual([paused]);
    const state = { is: 'active', accountId: account, instanceId, definition, pauseReason: 'the same' } as const;
    expect(decide(scheduleDecider, { ...update({ paused: true }), reason: 'the same' }, state)).toMatchObject({
      events: [paused],
    });
    const isPaused = { ...state, definition: { ...definition, paused: true } };
    expect(decide(scheduleDecider, { ...update({ paused: true }), reason: 'the same' }, isPaused)).toMatchObject({
      refused: 'schedule-unchanged',
    });
  });

  it('takes another order of regions for a change', () => {
    expect(given(scheduleDecider, [created]).when(update({ copyTo: ['ORD', 'IAD'] })).gives).toHaveLength(1);
  });

  it('gives back the claim on its instance when it is deleted, and is not there afterwards', () => {
    const { gives, decision } = given(scheduleDecider, [created]).when(remove);
    expect(gives).toEqual([deleted]);
    expect(decision.releases).toEqual([{ kind: 'schedule-of-instance', key: instanceId }]);
    expect(given(scheduleDecider, [created, deleted]).when(remove).gives).toBe('schedule-unknown');
    expect(given(scheduleDecider, [created, deleted]).when(update({ hour: 1 })).gives).toBe('schedule-unknown');
  });

  it('counts for its account as long as it is there', () => {
    const counted = { kind: 'schedules-of-account', key: account };
    expect(given(scheduleDecider).when(create).decision.quotas).toEqual([{ ...counted, by: 1, most: 3 }]);
    expect(given(scheduleDecider, [created]).when(remove).decision.quotas).toMatchObject([{ ...counted, by: -1 }]);
  });

  it('is not there for another account', () => {
    expect(given(scheduleDecider, [created]).when(update({ hour: 1 }, 'other')).gives).toBe('schedule-unknown');
    expect(given(scheduleDecider, [created]).when({ ...remove, accountId: 'other' }).gives).toBe('schedule-unknown');
  });

  it('names the schedule that an instance has already', () => {
    expect(scheduleDecider.claimed['schedule-of-instance']?.(instanceId, scheduleId)).toEqual({
      refused: 'schedule-exists-for-instance',
      message: `Instance ${instanceId} has schedule ${scheduleId} already. Change that one, or delete it first.`,
    });
  });
});

describe('a change of a schedule', () => {
  it.each([
    ['fewer cycles', { fullBackupRetention: 1 }],
    ['fewer regions', { copyTo: ['IAD'] }],
    ['other regions', { copyTo: ['IAD', 'HKG'] }],
    ['no regions', { copyTo: [] }],
    ['cycles of a day instead of a week', { dayOfWeek: 7 }],
  ])('to %s keeps less', (_, changes) => {
    expect(shrinks(changes, definition)).toBe(true);
  });

  it.each([
    ['more cycles', { fullBackupRetention: 3 }],
    ['more regions', { copyTo: ['ORD', 'HKG', 'IAD'] }],
    ['another time', { dayOfWeek: 3, hour: 1, minute: 0 }],
    ['a pause', { paused: true }],
    ['nothing', {}],
  ])('to %s does not', (_, changes) => {
    expect(shrinks(changes, definition)).toBe(false);
    expect(shrinks({ dayOfWeek: 0 }, { ...definition, dayOfWeek: 7 })).toBe(false);
  });
});
