/**
 * The deletion of a backup, as its decider takes it. A backup that somebody deletes is marked, and its bytes stay. Until its removal
 * is asked for, it can be brought back. What is on hold is not deleted at all. A removal that failed can be asked for again.
 */
import {
  type ActorDetails,
  type EventData,
  isSameActor,
  type NewEvent,
  type Refusal,
  refuse,
} from '@strongroom/contracts';
import { putOffEvent, toldAsPutOff } from './backup-events.js';
import { type BackupState, isOpen, isRequested, type PutOff, type Requested, requested } from './backup-state.js';
import { whatItDoes } from './backup-words.js';
import type { Decider } from './decider.js';
import { isSamePutOff } from './put-off.js';
import { storable } from './reason.js';

export type DeletionCommand =
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
  /** @property by who approves. It can't be who has deleted the backup, whatever names that one has. */
  | { type: 'ApproveDeletion'; backupId: string; accountId: string; by: string; byDetails?: ActorDetails }
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

type DeletionDecider = Decider<'backup', BackupState, DeletionCommand>;

const unknown = (backupId: string) => refuse('backup-unknown', `Backup ${backupId} was never requested.`);
const notHere = (backupId: string) => refuse('backup-unknown', `Backup ${backupId} was not found in this account.`);
const nothing = { events: [] };

export const decideDeletion: DeletionDecider['decide'] = {
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
      return refuse('backup-not-completed', `Backup ${backupId} may be deleted in part: it can't be brought back.`);
    }
    if (state.is !== 'marked') return nothing;
    const { rootId } = state.marked;
    return { events: [{ type: 'BackupDeletionReverted', data: { ...idsOf(state), rootId } }] };
  },
  ApproveDeletion({ backupId, accountId, by, byDetails }, state) {
    if (!isRequested(state) || state.accountId !== accountId || state.is !== 'marked') return notHere(backupId);
    if (state.marked.approvedBy !== undefined) return nothing;
    const { by: deletedBy, byDetails: details } = state.marked;
    if (isSameActor({ actor: deletedBy, actorDetails: details }, { actor: by, actorDetails: byDetails })) {
      return refuse(
        'second-person-needed',
        `Backup ${backupId} was deleted by ${deletedBy}: somebody else has to approve that.`,
      );
    }
    const { rootId } = state.marked;
    return { events: [{ type: 'BackupDeletionApproved', data: { ...idsOf(state), rootId } }] };
  },
  HoldBackup({ backupId, accountId, reason }, state) {
    if (!isRequested(state) || state.accountId !== accountId) return notHere(backupId);
    if (state.is === 'deleting' || state.is === 'deleted') return notHere(backupId);
    if (state.hold?.reason === reason) return nothing;
    return { events: [{ type: 'BackupHeld', data: { ...idsOf(state), reason: storable(reason) } }] };
  },
  LiftHold({ backupId, accountId }, state) {
    if (!isRequested(state) || state.accountId !== accountId) return notHere(backupId);
    if (state.is === 'deleting' || state.is === 'deleted') return notHere(backupId);
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
};

export const evolveDeletion = {
  BackupDeletionMarked: (state, { data: { trigger, rootId, purgeAt }, context: { actor, actorDetails } }) => ({
    ...withoutPutOff(state),
    is: 'marked',
    marked: { trigger, rootId, purgeAt, by: actor, ...(actorDetails && { byDetails: actorDetails }) },
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
} satisfies Partial<DeletionDecider['evolve']>;

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
