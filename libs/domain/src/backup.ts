/**
 * A backup, or what became of a slot instead of one. The first event of the stream says whether the slot was run, skipped or
 * missed, so a slot has exactly one outcome. A backup is worked on in numbered attempts, and only the newest may end it. A
 * backup that has ended can be deleted, and a deletion that failed can be asked for again. A deleted backup is marked first. Until
 * its removal is asked for, it can be brought back.
 */
import {
  type BackupType,
  type Datastore,
  type EventData,
  type NewEvent,
  type Refusal,
  refuse,
  versionInFacts,
} from '@strongroom/contracts';
import {
  lostReason,
  putOffEvent,
  toldAs,
  toldAsFull,
  toldAsLate,
  toldAsPutOff,
  toldOfServer,
  withStorable,
} from './backup-events.js';
import type { NextTry } from './backup-retries.js';
import type {
  BackupIdentity,
  BackupState,
  CompletedBackup,
  Delay,
  MadeFull,
  PutOff,
  Requested,
} from './backup-state.js';
import { retriesWaitedFor, whatItDoes } from './backup-words.js';
import type { Decider } from './decider.js';
import { isSamePutOff } from './put-off.js';
import { storable } from './reason.js';

export type BackupCommand =
  | {
      type: 'RequestBackup';
      request: EventData<'BackupRequested'>;
      /** The state of the backup that this one is to be built on, if there is one. */
      parent?: BackupState;
      /** Why there is no parent, though an incremental was planned. */
      madeFull?: MadeFull;
      /** Why its slot is decided late. */
      delay?: Delay | undefined;
    }
  | { type: 'SkipSlot'; slot: EventData<'SlotSkipped'> }
  | { type: 'MissSlot'; slot: EventData<'SlotMissed'> }
  | {
      type: 'StartBackup';
      backupId: string;
      attempt: number;
      region: string;
      runner: string;
      /** Why the attempt is begun late. */
      delay?: Delay | undefined;
    }
  /** The attempt failed in a way that passes, and another one follows. */
  | ({ type: 'FailBackupAttempt'; backupId: string; attempt: number; code: string; reason: string } & NextTry)
  /** A backup that was to be incremental becomes full, in this attempt and in those that follow. */
  | ({ type: 'MakeFull'; backupId: string; attempt: number } & MadeFull)
  | {
      type: 'CompleteBackup';
      backupId: string;
      attempt: number;
      identity?: BackupIdentity;
      /** What the server has told of itself. Default: what was known when the backup was requested. */
      datastore?: Datastore;
      result: Pick<
        EventData<'BackupCompleted'>,
        'region' | 'location' | 'sizeBytes' | 'rawBytes' | 'sha256' | 'startedAt'
      > & {
        /** The type that the backup has in the end: a run that can't build on its parent is full. Default: what was requested. */
        type?: BackupType;
        parentId?: string | null;
      };
    }
  /** For a backup that completed before lineages were recorded. */
  | { type: 'IdentifyBackup'; backupId: string; identity: BackupIdentity }
  | { type: 'FailBackup'; backupId: string; attempt: number; code: string; reason: string }
  /** Ends a backup that waits for its next attempt. One that a runner is at is not ended. */
  | { type: 'GiveUpBackup'; backupId: string; code: string; reason: string }
  | {
      type: 'RequestDeletion';
      backupId: string;
      accountId: string;
      trigger: EventData<'BackupDeletionRequested'>['trigger'];
    }
  /** Deletes the backup, and leaves its bytes until `purgeAt` at least. */
  | ({ type: 'MarkDeletion'; accountId: string } & Pick<
      EventData<'BackupDeletionMarked'>,
      'backupId' | 'trigger' | 'rootId' | 'purgeAt'
    >)
  /** Asks for the removal of a marked backup whose time has come. @property now the time, by a clock that can be relied on */
  | {
      type: 'BeginRemoval';
      backupId: string;
      trigger: EventData<'BackupDeletionRequested'>['trigger'];
      now: Date;
    }
  | { type: 'RevertDeletion'; backupId: string; accountId: string }
  /** @property by the actor that approves. It can't be the one that has deleted the backup. */
  | { type: 'ApproveDeletion'; backupId: string; accountId: string; by: string }
  | { type: 'HoldBackup'; backupId: string; accountId: string; reason: string }
  | { type: 'LiftHold'; backupId: string; accountId: string }
  | { type: 'ConfirmDeletion'; backupId: string }
  | {
      type: 'FailDeletion';
      backupId: string;
      code: string;
      reason: string;
      /** The backups that the deletion waits for. Default: none. */
      waitsFor?: readonly string[];
    }
  /** Tells why the backup is not deleted, unless that was told before. */
  | ({ type: 'PutOffDeletion'; backupId: string } & PutOff)
  /** Tells that it is to stay after all, where it was told before that its deletion is put off. */
  | { type: 'CallOffDeletion'; backupId: string };

const claimOn = (instanceId: string) => [{ kind: 'running-backup-of-instance' as const, key: instanceId }];
const decided = (slotAt: string) => refuse('slot-already-decided', `The slot of ${slotAt} has its outcome already.`);
const unknown = (backupId: string) => refuse('backup-unknown', `Backup ${backupId} was never requested.`);
const ended = (backupId: string) => refuse('backup-already-ended', `Backup ${backupId} has ended already.`);
const superseded = (backupId: string, attempt: number, newest: number) =>
  refuse('attempt-superseded', `Attempt ${attempt} at backup ${backupId} was superseded by attempt ${newest}.`);
const nothing = { events: [] };

export const backupDecider: Decider<'backup', BackupState, BackupCommand> = {
  aggregate: 'backup',
  initial: { is: 'absent' },
  decide: {
    RequestBackup({ request, parent, madeFull, delay }, state) {
      if (state.is !== 'absent') {
        return request.slotAt === null
          ? refuse('backup-exists', `Backup ${request.backupId} exists already.`)
          : decided(request.slotAt);
      }
      if (request.parentId !== null) {
        const refusal = whyNotBuiltOn({ parentId: request.parentId, instanceId: request.instanceId }, parent);
        if (refusal) return refusal;
      }
      return {
        events: [
          { type: 'BackupRequested', data: request },
          ...toldAsFull(request, madeFull),
          ...toldAsLate(request, delay),
        ],
        claims: claimOn(request.instanceId),
      };
    },
    SkipSlot: ({ slot }, state) =>
      state.is === 'absent' ? { events: [{ type: 'SlotSkipped', data: withStorable(slot) }] } : decided(slot.slotAt),
    MissSlot: ({ slot }, state) =>
      state.is === 'absent' ? { events: [{ type: 'SlotMissed', data: withStorable(slot) }] } : decided(slot.slotAt),
    StartBackup({ backupId, attempt, region, runner, delay }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (!isOpen(state)) return ended(backupId);
      if (attempt <= state.attempt) return superseded(backupId, attempt, state.attempt);
      const started: NewEvent = { type: 'BackupStarted', data: { backupId, attempt, region, runner } };
      return { events: [...toldAsLate(state.request, delay), started] };
    },
    FailBackupAttempt({ backupId, attempt, code, reason, retryAt, retryUntil }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (!isOpen(state)) return ended(backupId);
      if (attempt !== state.attempt) return superseded(backupId, attempt, state.attempt);
      // It was recorded already, and its answer was lost.
      if (state.retries?.last.attempt === attempt) return nothing;
      const { instanceId, scheduleId } = state.request;
      const failed = { attempt, code, reason: storable(reason), retryAt, retryUntil };
      return { events: [{ type: 'BackupAttemptFailed', data: { backupId, instanceId, scheduleId, ...failed } }] };
    },
    MakeFull({ backupId, attempt, ground, reason }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (!isOpen(state)) return ended(backupId);
      if (attempt !== state.attempt) return superseded(backupId, attempt, state.attempt);
      return { events: state.madeFull ? [] : toldAsFull(state.request, { ground, reason }) };
    },
    CompleteBackup({ backupId, attempt, identity, datastore, result }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (!isOpen(state)) return ended(backupId);
      if (attempt !== state.attempt) return superseded(backupId, attempt, state.attempt);
      const { instanceId, scheduleId, type, parentId, copyTo } = state.request;
      const data = { backupId, instanceId, scheduleId, type, parentId, copyTo, attempt, ...result };
      const isToldLate = type === 'incremental' && data.type === 'full' && !state.madeFull;
      return {
        events: [
          ...(isToldLate ? toldAsFull(state.request, lostReason) : []),
          ...(identity ? toldAs(state.request, identity) : []),
          ...(datastore ? toldOfServer(state.request, datastore, identity) : []),
          { type: 'BackupCompleted', data },
        ],
        releases: claimOn(instanceId),
      };
    },
    IdentifyBackup({ backupId, identity }, state) {
      if (!isRequested(state)) return unknown(backupId);
      const isWanting = state.is === 'completed' && state.lineage === undefined;
      return { events: isWanting ? toldAs(state.request, identity) : [] };
    },
    FailBackup({ backupId, attempt, code, reason }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (!isOpen(state)) return ended(backupId);
      if (attempt < state.attempt) return superseded(backupId, attempt, state.attempt);
      const { instanceId, scheduleId } = state.request;
      return {
        events: [
          { type: 'BackupFailed', data: { backupId, instanceId, scheduleId, attempt, code, reason: storable(reason) } },
        ],
        releases: claimOn(instanceId),
      };
    },
    GiveUpBackup({ backupId, code, reason }, state) {
      if (!isRequested(state) || !isOpen(state)) return nothing;
      const retries = retriesWaitedFor(state);
      if (!retries) return refuse('backup-still-running', `Backup ${backupId} is running. Wait until it has ended.`);
      const { instanceId, scheduleId } = state.request;
      const told = storable(`${reason} Its last attempt failed because: ${retries.last.reason}`);
      const { attempt } = state;
      return {
        events: [{ type: 'BackupFailed', data: { backupId, instanceId, scheduleId, attempt, code, reason: told } }],
        releases: claimOn(instanceId),
      };
    },
    RequestDeletion({ backupId, accountId, trigger }, state) {
      const isCascade = trigger === 'cascade';
      if (!isRequested(state) || state.accountId !== accountId) return unknown(backupId);
      // A backup that is deleted with its parent may be gone already.
      if (state.is === 'deleted') return isCascade ? nothing : unknown(backupId);
      const refusal = whyNotDeleted(backupId, state, isCascade);
      if (refusal) return refusal;
      // A marked backup goes when its time has come, or with its parent.
      if (state.is === 'deleting' || (state.is === 'marked' && !isCascade)) return nothing;
      return { events: [removal(state, trigger)] };
    },
    MarkDeletion({ backupId, accountId, trigger, rootId, purgeAt }, state) {
      const isCascade = rootId !== backupId;
      if (!isRequested(state) || state.accountId !== accountId) return unknown(backupId);
      if (state.is === 'deleted') return isCascade ? nothing : unknown(backupId);
      const refusal = whyNotDeleted(backupId, state, isCascade);
      if (refusal) return refusal;
      if (state.is === 'marked' || state.is === 'deleting') return nothing;
      if (state.is === 'delete-failed') {
        // Something of it may be gone already, so it can't be brought back. What is built on another one goes with that one.
        return isCascade ? nothing : { events: [removal(state, trigger)] };
      }
      return { events: [{ type: 'BackupDeletionMarked', data: { ...idsOf(state), trigger, rootId, purgeAt } }] };
    },
    BeginRemoval({ backupId, trigger, now }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (state.is === 'deleting' || state.is === 'deleted') return nothing;
      if (state.hold) return onHold(backupId, state.hold, trigger === 'cascade');
      if (state.is !== 'marked' && state.is !== 'delete-failed') return notDue(backupId, 'is not deleted');
      if (state.is === 'marked' && now < new Date(state.marked.purgeAt)) {
        return notDue(backupId, `is kept until ${state.marked.purgeAt}`);
      }
      return { events: [removal(state, trigger)] };
    },
    RevertDeletion({ backupId, accountId }, state) {
      if (!isRequested(state) || state.accountId !== accountId) return unknown(backupId);
      if (state.is === 'deleting' || state.is === 'deleted') return unknown(backupId);
      if (state.is === 'delete-failed') {
        return refuse('backup-not-completed', `Backup ${backupId} ${notCompleted[state.is]}: it can't be brought back.`);
      }
      if (state.is !== 'marked') return nothing;
      const { rootId } = state.marked;
      return { events: [{ type: 'BackupDeletionReverted', data: { ...idsOf(state), rootId } }] };
    },
    ApproveDeletion({ backupId, accountId, by }, state) {
      if (!isRequested(state) || state.accountId !== accountId || state.is !== 'marked') return backupUnknown(backupId);
      if (state.marked.approvedBy !== undefined) return nothing;
      if (state.marked.by === by) {
        return refuse(
          'second-person-needed',
          `Backup ${backupId} was deleted by ${by}: somebody else has to approve that.`,
        );
      }
      const { rootId } = state.marked;
      return { events: [{ type: 'BackupDeletionApproved', data: { ...idsOf(state), rootId } }] };
    },
    HoldBackup({ backupId, accountId, reason }, state) {
      if (!isRequested(state) || state.accountId !== accountId) return backupUnknown(backupId);
      if (state.is === 'deleting' || state.is === 'deleted') return backupUnknown(backupId);
      if (state.hold?.reason === reason) return nothing;
      return { events: [{ type: 'BackupHeld', data: { ...idsOf(state), reason: storable(reason) } }] };
    },
    LiftHold({ backupId, accountId }, state) {
      if (!isRequested(state) || state.accountId !== accountId) return backupUnknown(backupId);
      if (state.is === 'deleting' || state.is === 'deleted') return backupUnknown(backupId);
      return state.hold ? { events: [{ type: 'BackupHoldLifted', data: idsOf(state) }] } : nothing;
    },
    ConfirmDeletion({ backupId }, state) {
      if (!isRequested(state) || state.is !== 'deleting') return nothing;
      const { instanceId, scheduleId } = state.request;
      return { events: [{ type: 'BackupDeleted', data: { backupId, instanceId, scheduleId } }] };
    },
    FailDeletion({ backupId, code, reason, waitsFor = [] }, state) {
      if (!isRequested(state) || state.is !== 'deleting') return nothing;
      const { instanceId } = state.request;
      const failed: NewEvent = {
        type: 'BackupDeletionFailed',
        data: { backupId, instanceId, code, reason: storable(reason) },
      };
      // The failure itself says why, but it has no place for what is waited for.
      return { events: [...toldAsPutOff(state, { ground: code, reason, waitsFor: [...waitsFor] }), failed] };
    },
    PutOffDeletion({ backupId, ground, reason, waitsFor }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (state.is !== 'completed') return nothing;
      return isSamePutOff(state.putOff, { ground, waitsFor })
        ? nothing
        : { events: [putOffEvent(state, { ground, reason, waitsFor })] };
    },
    CallOffDeletion({ backupId }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (state.is !== 'completed' || !state.putOff) return nothing;
      const { instanceId, scheduleId } = state.request;
      return { events: [{ type: 'BackupDeletionCalledOff', data: { backupId, instanceId, scheduleId } }] };
    },
  },
  evolve: {
    SlotSkipped: () => ({ is: 'passed', outcome: 'skipped' }),
    SlotMissed: () => ({ is: 'passed', outcome: 'missed' }),
    BackupRequested: (_, { accountId, data }) => ({ is: 'requested', accountId, attempt: 0, request: data }),
    BackupStarted: (state, { at, data: { attempt, runner } }) => ({
      ...requested(state),
      is: 'running',
      attempt,
      begun: { at, runner },
    }),
    BackupAttemptFailed(state, { at, data }) {
      const { retries, ...rest } = requested(state);
      return {
        ...rest,
        retries: { times: (retries?.times ?? 0) + 1, since: retries?.since ?? at, last: { ...data, at } },
      };
    },
    BackupDelayed: (state) => state,
    BackupMadeFull: (state, { data: { ground, reason } }) => ({ ...requested(state), madeFull: { ground, reason } }),
    BackupIdentified(state, { data: { lineage, facts } }) {
      const { request, ...rest } = requested(state);
      const version = versionInFacts(facts) ?? request.datastore.version;
      return { ...rest, request: { ...request, datastore: { ...request.datastore, version } }, lineage };
    },
    AnotherServerFound: (state) => state,
    BackupVersionFound(state, { data: { datastore } }) {
      const { request, ...rest } = requested(state);
      return { ...rest, request: { ...request, datastore } };
    },
    BackupCompleted: (state, { data }) => ({
      ...requested(state),
      is: 'completed',
      attempt: data.attempt,
      completed: data,
    }),
    BackupFailed: (state, { data }) => ({ ...requested(state), is: 'failed', attempt: data.attempt }),
    BackupDeletionMarked: (state, { data: { trigger, rootId, purgeAt }, context: { actor } }) => ({
      ...withoutPutOff(state),
      is: 'marked',
      marked: { trigger, rootId, purgeAt, by: actor },
    }),
    BackupDeletionReverted(state) {
      const before = requested(state);
      if (before.is !== 'marked') return before;
      const { marked: _, completed, ...rest } = before;
      return completed ? { ...rest, is: 'completed', completed } : { ...rest, is: 'failed' };
    },
    BackupDeletionApproved(state, { context: { actor } }) {
      const before = requested(state);
      return before.is === 'marked' ? { ...before, marked: { ...before.marked, approvedBy: actor } } : before;
    },
    BackupHeld: (state, { data: { reason } }) => ({ ...requested(state), hold: { reason } }),
    BackupHoldLifted(state) {
      const { hold: _, ...rest } = requested(state);
      return rest;
    },
    BackupDeletionRequested: (state) => ({ ...withoutPutOff(state), is: 'deleting' }),
    BackupDeleted: (state) => ({ ...requested(state), is: 'deleted' }),
    BackupDeletionFailed: (state) => ({ ...requested(state), is: 'delete-failed' }),
    BackupDeletionPutOff: (state, { data: { ground, reason, waitsFor } }) => ({
      ...requested(state),
      putOff: { ground, reason, waitsFor },
    }),
    BackupDeletionCalledOff: (state) => withoutPutOff(state),
  },
  claimed: {
    'running-backup-of-instance': (instanceId, holder) =>
      // An instance that was forgotten holds the claim itself, for ever.
      holder === instanceId
        ? refuse('instance-unknown', `Instance ${instanceId} was not found in this account.`)
        : refuse(
            'backup-running-for-instance',
            `Backup ${holder} of instance ${instanceId} is still running. Wait until it has ended, then ask again.`,
          ),
  },
};

/** Why a backup can't be deleted now, by itself or with the one that it is built on. */
function whyNotDeleted(backupId: string, state: Requested, isCascade: boolean): Refusal | undefined {
  if (isOpen(state)) {
    const does = whatItDoes(backupId, state);
    return refuse(
      'backup-still-running',
      isCascade
        ? `${does} It is built on the backup that is to be deleted. Wait until it has ended, then delete that backup again.`
        : `${does} Wait until it has ended, then delete it.`,
    );
  }
  return state.hold ? onHold(backupId, state.hold, isCascade) : undefined;
}

function onHold(backupId: string, { reason }: { reason: string }, isCascade: boolean): Refusal {
  const which = isCascade ? ', which is built on the one that is to be deleted,' : '';
  return refuse(
    'backup-on-hold',
    `Backup ${backupId}${which} is on hold: ${reason}. Nothing of it is deleted until the hold is lifted.`,
  );
}

function notDue(backupId: string, why: string): Refusal {
  return refuse('deletion-not-due', `Backup ${backupId} ${why}. Nothing of it is removed now.`);
}

function removal(state: Requested, trigger: EventData<'BackupDeletionRequested'>['trigger']): NewEvent {
  return { type: 'BackupDeletionRequested', data: { ...idsOf(state), trigger } };
}

function idsOf({ request: { backupId, instanceId, scheduleId } }: Requested) {
  return { backupId, instanceId, scheduleId };
}

function withoutPutOff(state: BackupState): Requested {
  const { putOff: _, ...rest } = requested(state);
  return rest;
}

/**
 * Why no incremental of an instance can be built on a backup; undefined when one can.
 * @param wanted its account is left out where it is known to be the right one
 */
export function whyNotBuiltOn(
  { parentId, instanceId, ...account }: { parentId: string; instanceId: string; accountId?: string },
  parent: BackupState = { is: 'absent' },
): Refusal | undefined {
  const found = completedBackup({ backupId: parentId, ...account, otherwise: 'nothing can be built on it' }, parent);
  if ('request' in found && found.request.instanceId !== instanceId) {
    return refuse(
      'backup-not-completed',
      `Backup ${parentId} is of another instance: nothing can be built on it here.`,
    );
  }
  return 'refused' in found ? found : undefined;
}

function backupUnknown(backupId: string): Refusal {
  return refuse('backup-unknown', `Backup ${backupId} was not found in this account.`);
}

interface WantedBackup {
  backupId: string;
  /** To any other account the backup is unknown. Default: its account is known to be the right one. */
  accountId?: string;
  /** What can't be done with a backup that has not completed: the end of the refusal's sentence. */
  otherwise: string;
}

/** The completed backup, or the refusal of one that can't be used. */
export function completedBackup(
  { backupId, accountId, otherwise }: WantedBackup,
  state: BackupState,
): CompletedBackup | Refusal {
  if (!isRequested(state)) return backupUnknown(backupId);
  if (state.is === 'marked' || state.is === 'deleting' || state.is === 'deleted') return backupUnknown(backupId);
  if (accountId !== undefined && state.accountId !== accountId) return backupUnknown(backupId);
  if (state.is === 'completed') return state;
  return refuse('backup-not-completed', `Backup ${backupId} ${notCompleted[state.is]}: ${otherwise}.`);
}

const notCompleted = {
  requested: 'has not begun',
  running: 'is still running',
  failed: 'has failed',
  'delete-failed': 'may be deleted in part',
};

function isRequested(state: BackupState): state is Requested {
  return state.is !== 'absent' && state.is !== 'passed';
}

function isOpen(state: BackupState): boolean {
  return state.is === 'requested' || state.is === 'running';
}

function requested(state: BackupState): Requested {
  if (!isRequested(state)) throw new TypeError('a backup that was never requested cannot move on');
  return state;
}
