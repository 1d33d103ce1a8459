/**
 * A backup, or what took the place of one: its stream's first event says whether its slot was run, skipped or missed, so
 * a slot has exactly one outcome. A backup is worked on in numbered attempts; only the newest may end it.
 */
import { type EventData, refuse } from '@strongroom/contracts';
import type { Decider } from './decider.js';

export type BackupState =
  | { is: 'absent' }
  | { is: 'passed'; outcome: 'skipped' | 'missed' }
  | ({ is: 'requested' | 'running' } & Work)
  | ({ is: 'completed' | 'failed' } & Work);

interface Work {
  accountId: string;
  /** The newest attempt; 0 before the first. */
  attempt: number;
  request: EventData<'BackupRequested'>;
}

export type BackupCommand =
  | { type: 'RequestBackup'; request: EventData<'BackupRequested'> }
  | { type: 'SkipSlot'; slot: EventData<'SlotSkipped'> }
  | { type: 'MissSlot'; slot: EventData<'SlotMissed'> }
  | { type: 'StartBackup'; backupId: string; attempt: number; region: string; runner: string }
  | {
      type: 'CompleteBackup';
      backupId: string;
      attempt: number;
      result: Pick<
        EventData<'BackupCompleted'>,
        'region' | 'location' | 'sizeBytes' | 'rawBytes' | 'sha256' | 'startedAt'
      >;
    }
  | { type: 'FailBackup'; backupId: string; attempt: number; code: string; reason: string };

const claimOn = (instanceId: string) => [{ kind: 'running-backup-of-instance' as const, key: instanceId }];
const decided = (slotAt: string) => refuse('slot-already-decided', `The slot of ${slotAt} has its outcome already.`);
const unknown = (backupId: string) => refuse('backup-unknown', `Backup ${backupId} was never requested.`);
const ended = (backupId: string) => refuse('backup-already-ended', `Backup ${backupId} has ended already.`);
const superseded = (backupId: string, attempt: number, newest: number) =>
  refuse('attempt-superseded', `Attempt ${attempt} at backup ${backupId} was superseded by attempt ${newest}.`);

export const backupDecider: Decider<'backup', BackupState, BackupCommand> = {
  aggregate: 'backup',
  initial: { is: 'absent' },
  decide: {
    RequestBackup({ request }, state) {
      if (state.is !== 'absent') {
        return request.slotAt === null
          ? refuse('backup-exists', `Backup ${request.backupId} exists already.`)
          : decided(request.slotAt);
      }
      return { events: [{ type: 'BackupRequested', data: request }], claims: claimOn(request.instanceId) };
    },
    SkipSlot: ({ slot }, state) =>
      state.is === 'absent' ? { events: [{ type: 'SlotSkipped', data: slot }] } : decided(slot.slotAt),
    MissSlot: ({ slot }, state) =>
      state.is === 'absent' ? { events: [{ type: 'SlotMissed', data: slot }] } : decided(slot.slotAt),
    StartBackup({ backupId, attempt, region, runner }, state) {
      if (state.is === 'absent' || state.is === 'passed') return unknown(backupId);
      if (state.is === 'completed' || state.is === 'failed') return ended(backupId);
      if (attempt <= state.attempt) return superseded(backupId, attempt, state.attempt);
      return { events: [{ type: 'BackupStarted', data: { backupId, attempt, region, runner } }] };
    },
    CompleteBackup({ backupId, attempt, result }, state) {
      if (state.is === 'absent' || state.is === 'passed') return unknown(backupId);
      if (state.is === 'completed' || state.is === 'failed') return ended(backupId);
      if (attempt !== state.attempt) return superseded(backupId, attempt, state.attempt);
      const { instanceId, scheduleId, type, parentId, copyTo } = state.request;
      return {
        events: [
          {
            type: 'BackupCompleted',
            data: { backupId, instanceId, scheduleId, type, parentId, copyTo, attempt, ...result },
          },
        ],
        releases: claimOn(instanceId),
      };
    },
    FailBackup({ backupId, attempt, code, reason }, state) {
      if (state.is === 'absent' || state.is === 'passed') return unknown(backupId);
      if (state.is === 'completed' || state.is === 'failed') return ended(backupId);
      if (attempt < state.attempt) return superseded(backupId, attempt, state.attempt);
      const { instanceId, scheduleId } = state.request;
      return {
        events: [{ type: 'BackupFailed', data: { backupId, instanceId, scheduleId, attempt, code, reason } }],
        releases: claimOn(instanceId),
      };
    },
  },
  evolve: {
    SlotSkipped: () => ({ is: 'passed', outcome: 'skipped' }),
    SlotMissed: () => ({ is: 'passed', outcome: 'missed' }),
    BackupRequested: (_, { accountId, data }) => ({ is: 'requested', accountId, attempt: 0, request: data }),
    BackupStarted: (state, { data }) => move(state, 'running', data.attempt),
    BackupCompleted: (state, { data }) => move(state, 'completed', data.attempt),
    BackupFailed: (state, { data }) => move(state, 'failed', data.attempt),
  },
  claimed: {
    'running-backup-of-instance': (instanceId, holder) =>
      refuse(
        'backup-running-for-instance',
        `Backup ${holder} of instance ${instanceId} is still running. Wait until it has ended, then ask again.`,
      ),
  },
};

function move(state: BackupState, is: 'running' | 'completed' | 'failed', attempt: number): BackupState {
  if (state.is === 'absent' || state.is === 'passed')
    throw new TypeError('a backup that was never requested cannot move on');
  return { ...state, is, attempt };
}
