/** A schedule says when an instance is backed up and where its backups are copied. An instance has at most one. */
import { type EventData, type RecordedEvent, refuse } from '@strongroom/contracts';
import type { Decider } from './decider.js';
import { instanceUnknown, serverToBackUp } from './instance.js';
import type { InstanceState } from './instance-state.js';

export type ScheduleDefinition = Pick<
  EventData<'ScheduleCreated'>,
  'dayOfWeek' | 'hour' | 'minute' | 'fullBackupRetention' | 'copyTo' | 'paused'
>;

export type ScheduleState =
  | { is: 'absent' }
  | {
      is: 'active';
      accountId: string;
      instanceId: string;
      definition: ScheduleDefinition;
      /** Why it is paused, where somebody has said so. */
      pauseReason: string | null;
    }
  | { is: 'deleted' };

export type ScheduleCommand =
  | {
      type: 'CreateSchedule';
      accountId: string;
      scheduleId: string;
      instanceId: string;
      instance: InstanceState;
      definition: ScheduleDefinition;
      /** How many schedules the account may have. */
      mostSchedules: number;
    }
  | {
      type: 'UpdateSchedule';
      accountId: string;
      scheduleId: string;
      changes: Partial<ScheduleDefinition>;
      /** Why it is paused. The context of the event has it. */
      reason?: string | undefined;
    }
  | { type: 'DeleteSchedule'; accountId: string; scheduleId: string };

const unknown = (scheduleId: string) =>
  refuse('schedule-unknown', `Schedule ${scheduleId} was not found in this account.`);
const counted = (accountId: string, by: 1 | -1, most = 0) => [
  { kind: 'schedules-of-account' as const, key: accountId, by, most },
];
const claimOn = (instanceId: string) => [{ kind: 'schedule-of-instance' as const, key: instanceId }];

function defined(
  before: ScheduleState,
  { accountId, data, context }: RecordedEvent<'ScheduleCreated'> | RecordedEvent<'ScheduleUpdated'>,
): ScheduleState {
  const { scheduleId: _, instanceId, ...definition } = data;
  const said = before.is === 'active' ? before.pauseReason : null;
  // A change of something else leaves the pause and its reason as they are.
  const pauseReason = definition.paused ? (context.reason ?? said) : null;
  return { is: 'active', accountId, instanceId, definition, pauseReason };
}

export const scheduleDecider: Decider<'schedule', ScheduleState, ScheduleCommand> = {
  aggregate: 'schedule',
  initial: { is: 'absent' },
  decide: {
    CreateSchedule({ accountId, scheduleId, instanceId, instance, definition, mostSchedules }) {
      const server = serverToBackUp(accountId, instanceId, instance);
      if ('refused' in server) return server;
      return {
        events: [{ type: 'ScheduleCreated', data: { scheduleId, instanceId, ...definition } }],
        claims: claimOn(instanceId),
        quotas: counted(accountId, 1, mostSchedules),
      };
    },
    UpdateSchedule({ accountId, scheduleId, changes, reason }, state) {
      if (state.is !== 'active' || state.accountId !== accountId) return unknown(scheduleId);
      const definition = { ...state.definition, ...changes };
      const saysMore = reason !== undefined && reason !== state.pauseReason;
      if (!saysMore && sameDefinition(definition, state.definition)) {
        return refuse('schedule-unchanged', `Schedule ${scheduleId} is already as asked: the update changes nothing.`);
      }
      return {
        events: [{ type: 'ScheduleUpdated', data: { scheduleId, instanceId: state.instanceId, ...definition } }],
      };
    },
    DeleteSchedule({ accountId, scheduleId }, state) {
      if (state.is !== 'active' || state.accountId !== accountId) return unknown(scheduleId);
      return {
        events: [{ type: 'ScheduleDeleted', data: { scheduleId, instanceId: state.instanceId } }],
        releases: claimOn(state.instanceId),
        quotas: counted(accountId, -1),
      };
    },
  },
  evolve: {
    ScheduleCreated: defined,
    ScheduleUpdated: defined,
    ScheduleDeleted: () => ({ is: 'deleted' }),
  },
  claimed: {
    'schedule-of-instance': (instanceId, holder) =>
      // An instance that was forgotten holds the claim itself for ever.
      holder === instanceId
        ? instanceUnknown(instanceId)
        : refuse(
            'schedule-exists-for-instance',
            `Instance ${instanceId} has schedule ${holder} already. Change that one, or delete it first.`,
          ),
  },
  usedUp: {
    'schedules-of-account': (_, most) =>
      refuse(
        'schedule-quota-reached',
        `The account has ${most} schedules, and may not have more. Delete one that is not needed, or ask the operator for more.`,
      ),
  },
};

/**
 * Whether a change lets backups go sooner, or has fewer copies of them: whoever makes it must be allowed to delete. With a full
 * backup every day, the cycles that are kept are days instead of weeks.
 */
export function shrinks(changes: Partial<ScheduleDefinition>, before: ScheduleDefinition): boolean {
  const after = { ...before, ...changes };
  return (
    after.fullBackupRetention < before.fullBackupRetention ||
    before.copyTo.some((region) => !after.copyTo.includes(region)) ||
    (after.dayOfWeek === 7 && before.dayOfWeek !== 7)
  );
}

function sameDefinition(a: ScheduleDefinition, b: ScheduleDefinition): boolean {
  const { copyTo: regionsOfA, ...restOfA } = a;
  const { copyTo: regionsOfB, ...restOfB } = b;
  const keys = Object.keys(restOfA) as (keyof typeof restOfA)[];
  return (
    keys.every((key) => restOfA[key] === restOfB[key]) &&
    regionsOfA.length === regionsOfB.length &&
    regionsOfA.every((region, index) => region === regionsOfB[index])
  );
}
