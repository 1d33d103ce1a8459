/**
 * A backup that was found in a vault, as its decider takes it. What the ledger knows already stays as it is, so what is found twice, or by
 * two at once, is recorded once. A backup comes after the one that it is built on.
 */
import { type Datastore, type EventData, type Refusal, refuse, unknownVersion } from '@strongroom/contracts';
import { type BackupState, isRequested } from './backup-state.js';
import { whyNotBuiltOn } from './completed-backup.js';
import type { Decider, Decision } from './decider.js';

/** A vault was found to hold the backup whole. */
export interface CatalogBackup {
  type: 'CatalogBackup';
  /** The account that its manifest names. */
  accountId: string;
  found: EventData<'BackupCatalogued'>;
  /** The state of the backup that it is built on. Default: it is full. */
  parent?: BackupState;
  /** The SHA-256 that its manifest names for that one; older manifests name none. */
  parentSha256?: string | null | undefined;
  /** The account that has its instance. Default: the ledger knows no such instance. */
  instanceOwner?: string | undefined;
}

type CatalogDecider = Decider<'backup', BackupState, CatalogBackup>;

export const decideCatalog: CatalogDecider['decide'] = {
  CatalogBackup(command, state) {
    if (state.is !== 'absent') return ofKnown(command, state);
    const { found } = command;
    return whyApart(command) ?? { events: [{ type: 'BackupCatalogued', data: found }] };
  },
};

export const evolveCatalog = {
  BackupCatalogued: (_, { accountId, data }) => ({
    is: 'completed',
    accountId,
    attempt: data.attempt,
    request: requestIn(data),
    completed: completionIn(data),
  }),
} satisfies Partial<CatalogDecider['evolve']>;

/** Nothing, or the version that was not known before. */
function ofKnown({ accountId, found }: CatalogBackup, state: BackupState): Decision | Refusal {
  const { backupId, instanceId, scheduleId, datastore, sha256 } = found;
  if (!isRequested(state) || state.accountId !== accountId) return another(backupId);
  if (state.completed !== undefined && state.completed.sha256 !== sha256) return another(backupId);
  const told = known(datastore);
  const isWanting = state.is === 'completed' && state.request.datastore.version === unknownVersion;
  if (!isWanting || told === undefined) return { events: [] };
  return { events: [{ type: 'BackupVersionFound', data: { backupId, instanceId, scheduleId, datastore: told } }] };
}

function another(backupId: string): Refusal {
  return refuse(
    'backup-exists',
    `The ledger has another backup as ${backupId}, of another account or with other bytes, and leaves it as it is.`,
  );
}

/** Why the backup can't be what its manifest says, as far as the ledger knows; undefined when it can. */
function whyApart({ accountId, found, parent, parentSha256, instanceOwner }: CatalogBackup): Refusal | undefined {
  const { backupId, instanceId, parentId } = found;
  if (instanceOwner !== undefined && instanceOwner !== accountId) {
    return refuse('instance-unknown', `Backup ${backupId} names instance ${instanceId}, which is of another account.`);
  }
  if (parentId === null) return undefined;
  const refusal = whyNotBuiltOn({ parentId, instanceId, accountId }, parent);
  if (refusal) return refusal;
  const sha256 = parent?.is === 'completed' ? parent.completed.sha256 : undefined;
  return typeof parentSha256 === 'string' && sha256 !== parentSha256
    ? refuse('backup-not-completed', `Backup ${backupId} is built on other bytes than those of backup ${parentId}.`)
    : undefined;
}

/** What would have asked for the backup. */
function requestIn(data: EventData<'BackupCatalogued'>): EventData<'BackupRequested'> {
  const { backupId, instanceId, scheduleId, type, parentId, name, datastore } = data;
  return {
    ...{ backupId, instanceId, scheduleId, slotAt: null, trigger: 'request', type, parentId, name, description: null },
    datastore: known(datastore) ?? { type: datastore.type, version: unknownVersion },
    copyTo: [],
  };
}

/** What would have told of its completion. */
function completionIn(data: EventData<'BackupCatalogued'>): EventData<'BackupCompleted'> {
  const { backupId, instanceId, scheduleId, type, parentId, attempt, region, location, startedAt } = data;
  const { sizeBytes, rawBytes, sha256 } = data;
  return {
    ...{ backupId, instanceId, scheduleId, type, parentId, attempt, region, location },
    ...{ sizeBytes, rawBytes, sha256, copyTo: [], startedAt },
  };
}

function known({ type, version }: EventData<'BackupCatalogued'>['datastore']): Datastore | undefined {
  return version === null ? undefined : { type, version };
}
