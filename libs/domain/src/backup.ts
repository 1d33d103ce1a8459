/**
 * A backup, or what became of a slot instead of one. The first event of the stream says whether the slot was run, skipped or
 * missed, so a slot has exactly one outcome. A backup is worked on in numbered attempts, and only the newest may end it. How
 * one that has ended is deleted is decided in `backup-deletion.ts`.
 */
import {
  type BackupType,
  type Datastore,
  type EventData,
  type NewEvent,
  refuse,
  versionInFacts,
} from '@strongroom/contracts';
import { type CatalogBackup, decideCatalog, evolveCatalog } from './backup-catalog.js';
import { type DeletionCommand, decideDeletion, evolveDeletion } from './backup-deletion.js';
import {
  lostReason,
  toldAs,
  toldAsEncrypted,
  toldAsFull,
  toldAsLate,
  toldOfServer,
  withStorable,
} from './backup-events.js';
import type { NextTry } from './backup-retries.js';
import {
  type BackupIdentity,
  type BackupState,
  type Delay,
  isOpen,
  isRequested,
  type MadeFull,
  requested,
} from './backup-state.js';
import { retriesWaitedFor } from './backup-words.js';
import { completedBackup, whyNotBuiltOn } from './completed-backup.js';
import type { Decider } from './decider.js';
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
      /** Whose keys open it. Default: it is not encrypted. */
      encryptedFor?: readonly string[];
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
  /** Somebody has tested a restore of the backup from the region. */
  | {
      type: 'TellRestoreTest';
      accountId: string;
      backupId: string;
      region: string;
      /** The state of its copy in the region. */
      copy: { is: string };
      seconds: number;
      result: Pick<EventData<'RestoreTested'>, 'proof'> | Pick<EventData<'RestoreTestFailed'>, 'code' | 'reason'>;
    }
  | CatalogBackup
  | DeletionCommand;

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
    CompleteBackup({ backupId, attempt, identity, datastore, encryptedFor = [], result }, state) {
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
          ...toldAsEncrypted(state.request, encryptedFor),
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
    TellRestoreTest({ accountId, backupId, region, copy, seconds, result }, state) {
      const found = completedBackup({ accountId, backupId, otherwise: 'there is nothing to restore' }, state);
      if ('refused' in found) return found;
      const { instanceId, scheduleId } = found.request;
      // Where it was made it lies without a copy, until a copy is owed to that place.
      const isThere = copy.is === 'completed' || (copy.is === 'absent' && region === found.completed.region);
      if (!isThere)
        return refuse(
          'copy-not-there',
          `Backup ${backupId} is not in ${region}: no restore from there can be told of.`,
        );
      const data = { backupId, instanceId, scheduleId, region, seconds };
      return {
        events: [
          'proof' in result
            ? { type: 'RestoreTested', data: { ...data, proof: result.proof } }
            : { type: 'RestoreTestFailed', data: { ...data, code: result.code, reason: storable(result.reason) } },
        ],
      };
    },
    ...decideCatalog,
    ...decideDeletion,
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
    BackupEncrypted: (state) => state,
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
    RestoreTested: (state) => state,
    RestoreTestFailed: (state) => state,
    ...evolveCatalog,
    ...evolveDeletion,
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
