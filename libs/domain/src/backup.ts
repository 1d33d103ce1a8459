/**
 * A backup, or what became of a slot instead of one. The first event of the stream says whether the slot was run, skipped or
 * missed, so a slot has exactly one outcome. A backup is worked on in numbered attempts, and only the newest may end it. A
 * backup that has ended can be deleted, and a deletion that failed can be asked for again.
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
import type { Decider } from './decider.js';
import { shortVersion, storable } from './reason.js';

export type BackupState =
  | { is: 'absent' }
  | { is: 'passed'; outcome: 'skipped' | 'missed' }
  | ({ is: 'requested' | 'running' } & Work)
  | ({ is: 'completed' } & Work & CompletedBackup)
  | ({ is: 'failed' | 'deleting' | 'delete-failed' | 'deleted' } & Work);

interface Work {
  accountId: string;
  /** The number of the newest attempt; 0 before the first. */
  attempt: number;
  request: EventData<'BackupRequested'>;
  /** Why the backup is full though an incremental was planned. */
  madeFull?: MadeFull;
  /** The lineage that the backup is a state of, once that is known. */
  lineage?: string;
  /** The event of its completion, once it has completed. */
  completed?: EventData<'BackupCompleted'>;
}

/** Why a backup is full though an incremental was planned. */
export type MadeFull = Pick<EventData<'BackupMadeFull'>, 'ground' | 'reason'>;

/** The lineage of a backup, and whether it is another one than that of the backup before. */
export interface BackupIdentity extends Pick<EventData<'BackupIdentified'>, 'lineage' | 'facts'> {
  another?: Pick<EventData<'AnotherServerFound'>, 'formerLineage' | 'formerBackupId' | 'reason'> | undefined;
}

type Requested = Exclude<BackupState, { is: 'absent' | 'passed' }>;

export type BackupCommand =
  | {
      type: 'RequestBackup';
      request: EventData<'BackupRequested'>;
      /** The state of the backup that this one is to be built on, if there is one. */
      parent?: BackupState;
      /** Why there is no parent, though an incremental was planned. */
      madeFull?: MadeFull;
    }
  | { type: 'SkipSlot'; slot: EventData<'SlotSkipped'> }
  | { type: 'MissSlot'; slot: EventData<'SlotMissed'> }
  | { type: 'StartBackup'; backupId: string; attempt: number; region: string; runner: string }
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
  | {
      type: 'RequestDeletion';
      backupId: string;
      accountId: string;
      trigger: EventData<'BackupDeletionRequested'>['trigger'];
    }
  | { type: 'ConfirmDeletion'; backupId: string }
  | { type: 'FailDeletion'; backupId: string; code: string; reason: string };

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
    RequestBackup({ request, parent, madeFull }, state) {
      if (state.is !== 'absent') {
        return request.slotAt === null
          ? refuse('backup-exists', `Backup ${request.backupId} exists already.`)
          : decided(request.slotAt);
      }
      if (request.parentId !== null) {
        const refusal = notToBeBuiltOn(request.parentId, request.instanceId, parent);
        if (refusal) return refusal;
      }
      return {
        events: [{ type: 'BackupRequested', data: request }, ...toldAsFull(request, madeFull)],
        claims: claimOn(request.instanceId),
      };
    },
    SkipSlot: ({ slot }, state) =>
      state.is === 'absent' ? { events: [{ type: 'SlotSkipped', data: slot }] } : decided(slot.slotAt),
    MissSlot: ({ slot }, state) =>
      state.is === 'absent' ? { events: [{ type: 'SlotMissed', data: slot }] } : decided(slot.slotAt),
    StartBackup({ backupId, attempt, region, runner }, state) {
      if (!isRequested(state)) return unknown(backupId);
      if (!isOpen(state)) return ended(backupId);
      if (attempt <= state.attempt) return superseded(backupId, attempt, state.attempt);
      return { events: [{ type: 'BackupStarted', data: { backupId, attempt, region, runner } }] };
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
    RequestDeletion({ backupId, accountId, trigger }, state) {
      if (!isRequested(state) || state.accountId !== accountId) return unknown(backupId);
      // A backup that is deleted with its parent may be gone already.
      if (state.is === 'deleted') return trigger === 'cascade' ? nothing : unknown(backupId);
      if (isOpen(state)) {
        return refuse(
          'backup-still-running',
          `Backup ${backupId} is still running. Wait until it has ended, then delete it.`,
        );
      }
      if (state.is === 'deleting') return nothing;
      const { instanceId, scheduleId } = state.request;
      return { events: [{ type: 'BackupDeletionRequested', data: { backupId, instanceId, scheduleId, trigger } }] };
    },
    ConfirmDeletion({ backupId }, state) {
      if (!isRequested(state) || state.is !== 'deleting') return nothing;
      const { instanceId, scheduleId } = state.request;
      return { events: [{ type: 'BackupDeleted', data: { backupId, instanceId, scheduleId } }] };
    },
    FailDeletion({ backupId, code, reason }, state) {
      if (!isRequested(state) || state.is !== 'deleting') return nothing;
      const { instanceId } = state.request;
      return {
        events: [{ type: 'BackupDeletionFailed', data: { backupId, instanceId, code, reason: storable(reason) } }],
      };
    },
  },
  evolve: {
    SlotSkipped: () => ({ is: 'passed', outcome: 'skipped' }),
    SlotMissed: () => ({ is: 'passed', outcome: 'missed' }),
    BackupRequested: (_, { accountId, data }) => ({ is: 'requested', accountId, attempt: 0, request: data }),
    BackupStarted: (state, { data }) => ({ ...requested(state), is: 'running', attempt: data.attempt }),
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
    BackupDeletionRequested: (state) => ({ ...requested(state), is: 'deleting' }),
    BackupDeleted: (state) => ({ ...requested(state), is: 'deleted' }),
    BackupDeletionFailed: (state) => ({ ...requested(state), is: 'delete-failed' }),
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

/** For an attempt of an older version, which was lost between its seal and its event. */
const lostReason: MadeFull = {
  ground: 'not-told',
  reason: 'An earlier attempt could not build on the parent, and died before it said why.',
};

function toldAsFull(
  { backupId, instanceId, scheduleId, parentId }: EventData<'BackupRequested'>,
  madeFull: MadeFull | undefined,
): NewEvent[] {
  if (!madeFull) return [];
  const { ground, reason } = madeFull;
  const data = { backupId, instanceId, scheduleId, plannedParentId: parentId, ground, reason: storable(reason) };
  return [{ type: 'BackupMadeFull', data }];
}

function toldAs(
  { backupId, instanceId, scheduleId }: EventData<'BackupRequested'>,
  { lineage, facts, another }: BackupIdentity,
): NewEvent[] {
  const subject = { backupId, instanceId, scheduleId, lineage };
  const identified: NewEvent = { type: 'BackupIdentified', data: { ...subject, facts } };
  if (!another) return [identified];
  return [
    identified,
    { type: 'AnotherServerFound', data: { ...subject, ...another, reason: storable(another.reason) } },
  ];
}

/** The server's version, where it is another one than was known, and nothing else tells it. */
function toldOfServer(
  { backupId, instanceId, scheduleId, datastore: known }: EventData<'BackupRequested'>,
  { type, version: told }: Datastore,
  identity: BackupIdentity | undefined,
): NewEvent[] {
  const version = shortVersion(told);
  if (versionInFacts(identity?.facts) === version) return [];
  if (version === '' || (type === known.type && version === known.version)) return [];
  return [{ type: 'BackupVersionFound', data: { backupId, instanceId, scheduleId, datastore: { type, version } } }];
}

/** Why no incremental can be built on a backup; undefined when one can. */
function notToBeBuiltOn(
  parentId: string,
  instanceId: string,
  parent: BackupState = { is: 'absent' },
): Refusal | undefined {
  const found = completedBackup({ backupId: parentId, otherwise: 'nothing can be built on it' }, parent);
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

/** A backup that has completed: its request, and the event of its completion. */
export interface CompletedBackup {
  request: EventData<'BackupRequested'>;
  completed: EventData<'BackupCompleted'>;
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
  if (!isRequested(state) || state.is === 'deleting' || state.is === 'deleted') return backupUnknown(backupId);
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
