/**
 * A copy: the bytes of a backup in another region, or in the region where it was made when that has lost them. A copy is
 * worked on in numbered attempts until it is there or is given up. A copy that was given up can be asked for again, and one
 * that was lost is owed again. A copy is deleted with its backup: once the deletion is asked for, no attempt may end the
 * copy, and it counts as deleted only when the region has been emptied.
 */
import { type EventData, type NewEvent, refuse } from '@strongroom/contracts';
import type { BackupState } from './backup-state.js';
import { completedBackup } from './completed-backup.js';
import { copyRequest } from './copy-request.js';
import type { Decider } from './decider.js';
import { storable } from './reason.js';

export type CopyState =
  | { is: 'absent' }
  | ({ is: 'pending' | 'copying' } & Work)
  | ({ is: 'completed' | 'failed' | 'deleting' | 'deleted' } & Work);

interface Work {
  accountId: string;
  /** The number of the newest attempt; 0 before the first. It never goes back, also when the copy is asked for again. */
  attempt: number;
  /** How many attempts have failed since the copy was asked for. */
  failures: number;
  /** Whether the copy is to be read back once more. */
  isCheckAsked: boolean;
  request: EventData<'CopyRequested'>;
}

interface OfAttempt {
  copyId: string;
  attempt: number;
}

export type CopyCommand =
  /** Somebody wants the region to have the backup: a copy that is there already is read back once more. */
  | {
      type: 'CopyBackup';
      accountId: string;
      backupId: string;
      backup: BackupState;
      region: string;
      /** The region to copy from. Default: where the backup was made. */
      sourceRegion: string | undefined;
    }
  | { type: 'RequestCopy'; request: EventData<'CopyRequested'> }
  | ({ type: 'StartCopy'; replicator: string } & OfAttempt)
  | ({ type: 'FailCopyAttempt'; code: string; reason: string; retryAt: string } & OfAttempt)
  | ({ type: 'CompleteCopy' } & OfAttempt &
      Pick<EventData<'CopyCompleted'>, 'location' | 'sizeBytes' | 'sha256' | 'startedAt'> & {
        /** The region that the bytes came from. Left out when it is the requested one, or when the bytes were there already. */
        sourceRegion?: string | undefined;
      })
  | ({ type: 'FailCopy'; code: string; reason: string } & OfAttempt)
  | { type: 'StrandCopy'; reason: string }
  | { type: 'CheckCopy' }
  | { type: 'PassCheck' }
  | { type: 'LoseCopy'; code: string; reason: string }
  /** A region does not hold what it should, whether the backup was made there or copied there: it is owed to the region from now on. */
  | { type: 'FindLost'; request: EventData<'CopyRequested'>; code: string; reason: string }
  /** A vault was found to hold the backup whole. */
  | {
      type: 'CatalogCopy';
      /** The account that its manifest names. */
      accountId: string;
      backup: BackupState;
      found: Pick<
        EventData<'CopyCatalogued'>,
        'backupId' | 'region' | 'attempt' | 'location' | 'sha256' | 'startedAt' | 'completedAt'
      >;
    }
  | { type: 'RequestCopyDeletion' }
  | { type: 'ConfirmCopyDeletion' };

type Requested = Exclude<CopyState, { is: 'absent' }>;

const superseded = ({ copyId, attempt }: OfAttempt, newest: number) =>
  refuse('attempt-superseded', `Attempt ${attempt} at copy ${copyId} was superseded by attempt ${newest}.`);

/** Why no attempt may act on the copy any more; undefined when one may. */
function open(command: OfAttempt, state: CopyState) {
  if (state.is === 'absent') return refuse('copy-unknown', `Copy ${command.copyId} was never requested.`);
  if (state.is === 'deleting' || state.is === 'deleted') {
    return refuse('copy-deleted', `Copy ${command.copyId} was deleted with its backup.`);
  }
  if (state.is === 'completed' || state.is === 'failed') {
    return refuse('copy-already-ended', `Copy ${command.copyId} has ended already.`);
  }
  return undefined;
}

/** As `open`, but the attempt must be the newest as well. */
function current(command: OfAttempt, state: CopyState) {
  const refusal = open(command, state);
  if (refusal || state.is === 'absent') return refusal;
  return command.attempt === state.attempt ? undefined : superseded(command, state.attempt);
}

const named = (state: CopyState) => {
  const { copyId, backupId, region } = requested(state).request;
  return { copyId, backupId, region };
};

const ofInstance = (state: CopyState) => ({
  ...named(state),
  instanceId: requested(state).request.instanceId,
});

const nothing = { events: [] };

function lostEvent(
  { copyId, backupId, instanceId, region, sizeBytes }: EventData<'CopyRequested'>,
  { code, reason }: { code: string; reason: string },
): NewEvent {
  return {
    type: 'CopyLost',
    data: { copyId, backupId, instanceId, region, sizeBytes, code, reason: storable(reason) },
  };
}

/** Recorded only when the source is not the requested one. Most copies come from where their backup was made. */
function sourceChanged(
  { attempt, sourceRegion }: Extract<CopyCommand, { type: 'CompleteCopy' }>,
  state: Requested,
): NewEvent[] {
  if (sourceRegion === undefined || sourceRegion === state.request.sourceRegion) return [];
  return [{ type: 'CopySourceChanged', data: { ...named(state), attempt, sourceRegion } }];
}

function requested(state: CopyState): Requested {
  if (state.is === 'absent') throw new TypeError('a copy that was never requested cannot move on');
  return state;
}

/** What would have asked for a copy that was found. */
function requestIn(data: EventData<'CopyCatalogued'>): EventData<'CopyRequested'> {
  const { copyId, backupId, instanceId, region, sourceRegion, parentId, sizeBytes, sha256 } = data;
  return { copyId, backupId, instanceId, region, sourceRegion, parentId, sizeBytes, sha256 };
}

export const copyDecider: Decider<'copy', CopyState, CopyCommand> = {
  aggregate: 'copy',
  initial: { is: 'absent' },
  decide: {
    CopyBackup({ accountId, backupId, backup, region, sourceRegion }, state) {
      const found = completedBackup({ accountId, backupId, otherwise: 'there is nothing to copy' }, backup);
      if ('refused' in found) return found;
      if (state.is === 'completed') return { events: [{ type: 'CopyCheckRequested', data: ofInstance(state) }] };
      if (state.is !== 'absent' && state.is !== 'failed') return nothing;
      return { events: [{ type: 'CopyRequested', data: copyRequest(found.completed, region, sourceRegion) }] };
    },
    RequestCopy: ({ request }, state) =>
      state.is === 'absent' || state.is === 'failed'
        ? { events: [{ type: 'CopyRequested', data: request }] }
        : refuse('copy-exists', `A copy of backup ${request.backupId} to ${request.region} was requested already.`),
    StartCopy(command, state) {
      const refusal = open(command, state);
      if (refusal) return refusal;
      const { attempt } = requested(state);
      if (command.attempt <= attempt) return superseded(command, attempt);
      return {
        events: [
          {
            type: 'CopyStarted',
            data: { ...named(state), attempt: command.attempt, replicator: command.replicator },
          },
        ],
      };
    },
    FailCopyAttempt(command, state) {
      const refusal = current(command, state);
      if (refusal) return refusal;
      // It was recorded already, and its answer was lost.
      if (state.is === 'pending') return nothing;
      return {
        events: [
          {
            type: 'CopyAttemptFailed',
            data: {
              ...named(state),
              attempt: command.attempt,
              code: command.code,
              reason: storable(command.reason),
              retryAt: command.retryAt,
            },
          },
        ],
      };
    },
    CompleteCopy: (command, state) =>
      current(command, state) ?? {
        events: [
          ...sourceChanged(command, requested(state)),
          {
            type: 'CopyCompleted',
            data: {
              ...named(state),
              instanceId: requested(state).request.instanceId,
              attempt: command.attempt,
              location: command.location,
              sizeBytes: command.sizeBytes,
              sha256: command.sha256,
              startedAt: command.startedAt,
            },
          },
        ],
      },
    FailCopy: (command, state) =>
      current(command, state) ?? {
        events: [
          {
            type: 'CopyFailed',
            data: { ...named(state), attempt: command.attempt, code: command.code, reason: storable(command.reason) },
          },
        ],
      },
    StrandCopy: ({ reason }, state) =>
      state.is === 'pending' || state.is === 'copying'
        ? { events: [{ type: 'CopyStranded', data: { ...named(state), reason: storable(reason) } }] }
        : nothing,
    CheckCopy: (_, state) =>
      state.is === 'completed' ? { events: [{ type: 'CopyCheckRequested', data: ofInstance(state) }] } : nothing,
    PassCheck: (_, state) =>
      state.is === 'completed' && state.isCheckAsked
        ? { events: [{ type: 'CopyChecked', data: named(state) }] }
        : nothing,
    LoseCopy: (lost, state) => (state.is === 'completed' ? { events: [lostEvent(state.request, lost)] } : nothing),
    FindLost({ request, ...lost }, state) {
      if (state.is === 'completed') return { events: [lostEvent(state.request, lost)] };
      if (state.is !== 'absent') return nothing;
      return { events: [{ type: 'CopyRequested', data: request }, lostEvent(request, lost)] };
    },
    CatalogCopy({ accountId, backup, found: { backupId, region, sha256, ...there } }, state) {
      const known = completedBackup({ accountId, backupId, otherwise: 'no copy of it is known' }, backup);
      if ('refused' in known) return known;
      const { completed } = known;
      // Where the ledger has the backup itself, it lies without a copy.
      if (state.is !== 'absent' || completed.region === region) return nothing;
      if (completed.sha256 !== sha256) {
        return refuse(
          'backup-exists',
          `What ${region} holds as backup ${backupId} has other bytes than the ledger knows.`,
        );
      }
      return { events: [{ type: 'CopyCatalogued', data: { ...copyRequest(completed, region), ...there } }] };
    },
    RequestCopyDeletion: (_, state) =>
      state.is === 'absent' || state.is === 'deleting' || state.is === 'deleted'
        ? nothing
        : { events: [{ type: 'CopyDeletionRequested', data: ofInstance(state) }] },
    ConfirmCopyDeletion: (_, state) =>
      state.is === 'deleting' ? { events: [{ type: 'CopyDeleted', data: named(state) }] } : nothing,
  },
  evolve: {
    CopyRequested: (state, { accountId, data }) => ({
      is: 'pending',
      accountId,
      // Numbers go on: what earlier attempts left in the vault has numbers too.
      attempt: state.is === 'absent' ? 0 : state.attempt,
      failures: 0,
      isCheckAsked: false,
      request: data,
    }),
    CopyStarted: (state, { data }) => ({ ...requested(state), is: 'copying', attempt: data.attempt }),
    CopyAttemptFailed: (state, { data }) => ({
      ...requested(state),
      is: 'pending',
      attempt: data.attempt,
      failures: requested(state).failures + 1,
    }),
    CopyCompleted: (state, { data }) => ({ ...requested(state), is: 'completed', attempt: data.attempt }),
    CopyCatalogued: (_, { accountId, data }) => ({
      is: 'completed',
      accountId,
      attempt: data.attempt,
      failures: 0,
      isCheckAsked: false,
      request: requestIn(data),
    }),
    CopyFailed: (state, { data }) => ({ ...requested(state), is: 'failed', attempt: data.attempt }),
    CopySourceChanged: (state) => state,
    CopyStranded: (state) => ({ ...requested(state), is: 'failed' }),
    CopyCheckRequested: (state) => ({ ...requested(state), isCheckAsked: true }),
    CopyChecked: (state) => ({ ...requested(state), isCheckAsked: false }),
    CopyLost: (state) => ({ ...requested(state), is: 'pending', failures: 0, isCheckAsked: false }),
    CopyDeletionRequested: (state) => ({ ...requested(state), is: 'deleting' }),
    CopyDeleted: (state) => ({ ...requested(state), is: 'deleted' }),
  },
  claimed: {},
};
