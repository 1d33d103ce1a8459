/** An instance: a database server that backups are taken of, either a customer's own or one that was built from a backup. */
import {
  type Datastore,
  type Endpoint,
  type EventData,
  type NewEvent,
  type Refusal,
  refuse,
  unknownVersion,
} from '@strongroom/contracts';
import type { BackupState, CompletedBackup } from './backup-state.js';
import { failBuildAttempt, tellServerDown, tellServerUp } from './built-instance.js';
import { completedBackup } from './completed-backup.js';
import { type Decider, noLimit, type Quota, type QuotaKind } from './decider.js';
import type { InstanceState, RegisteredInstance } from './instance-state.js';
import { shortVersion, storable } from './reason.js';

/** What can be changed of an instance. A field that is not there stays as it is. */
export type InstanceChanges = Partial<Pick<RegisteredInstance, 'name' | 'endpoint' | 'credentialId'>>;

export type InstanceCommand =
  | ({
      type: 'RegisterInstance';
      accountId: string;
      /** How many instances the account may have. Default: as many as it likes. */
      mostInstances?: number;
    } & Omit<RegisteredInstance, 'accountId' | 'is' | 'builtFrom' | 'accepted' | 'isDown'>)
  | {
      type: 'ChangeInstance';
      accountId: string;
      instanceId: string;
      changes: InstanceChanges;
      /** What the server has told of itself over the new connection; undefined when it was not asked. */
      told?: Datastore | undefined;
    }
  /**
   * Does nothing when the instance is not there any more, or is reached elsewhere now: the work that has asked the server may
   * have begun before that.
   */
  | { type: 'NoteVersion'; instanceId: string; endpoint: Endpoint; datastore: Datastore }
  | {
      type: 'BuildInstance';
      accountId: string;
      instanceId: string;
      name: string;
      backupId: string;
      /** The state of the backup that it is to be built from. */
      backup: BackupState;
      mostInstances?: number;
      /** How many of them may be servers that are built, or are to be. */
      mostBuiltServers?: number;
    }
  | ({ type: 'CompleteBuild' } & Pick<EventData<'InstanceBuilt'>, 'endpoint' | 'region'>)
  | ({ type: 'FailBuild' } & Pick<EventData<'InstanceBuildFailed'>, 'code' | 'reason'>)
  | ({ type: 'FailBuildAttempt' } & Pick<EventData<'InstanceBuildAttemptFailed'>, 'code' | 'reason' | 'retryAt'>)
  | { type: 'TellServerDown'; code: string; reason: string }
  | { type: 'TellServerUp' }
  | {
      type: 'AcceptLineage';
      accountId: string;
      instanceId: string;
      lineage: string;
      /** Every lineage of which there are backups. */
      lineages: readonly string[];
    }
  | { type: 'ForgetInstance'; accountId: string; instanceId: string };

/** A server is upgraded some times a year. One that tells another version each time it is asked would make the history endless. */
const mostVersionsTold = 200;

export const instanceDecider: Decider<'instance', InstanceState, InstanceCommand> = {
  aggregate: 'instance',
  initial: { is: 'absent' },
  decide: {
    RegisterInstance({ accountId, instanceId, name, datastore, endpoint, credentialId = null, mostInstances }, state) {
      if (state.is !== 'absent') return refuse('instance-exists', `Instance ${instanceId} is registered already.`);
      const { caCertificate, clientCertificate, ...plain } = endpoint;
      const isPlain = credentialId === null && !caCertificate && !clientCertificate;
      return {
        events: [
          { type: 'InstanceRegistered', data: { instanceId, name, datastore, endpoint: plain } },
          ...(isPlain ? [] : [changed({ instanceId, name, endpoint, credentialId })]),
        ],
        quotas: [counted('instances-of-account', accountId, 1, mostInstances)],
      };
    },
    ChangeInstance({ accountId, instanceId, changes, told }, state) {
      const instance = serverToBackUp(accountId, instanceId, state);
      if ('refused' in instance) return instance;
      const { host, port } = { ...instance.endpoint, ...changes.endpoint };
      if (instance.builtFrom !== null && (host !== instance.endpoint.host || port !== instance.endpoint.port)) {
        return refuse(
          'instance-built-here',
          `Strongroom runs the server of instance ${instanceId} itself, so its host and port stay. Register another server: POST /instances.`,
        );
      }
      const now = { ...instance, ...changes };
      if (
        now.name === instance.name &&
        (now.credentialId ?? null) === (instance.credentialId ?? null) &&
        isSameEndpoint(now.endpoint, instance.endpoint)
      ) {
        return refuse('instance-unchanged', `The instance has these values already: nothing would change.`);
      }
      return { events: [changed(now), ...(told ? newVersion(now, told) : [])] };
    },
    NoteVersion({ endpoint: { host, port }, datastore }, state) {
      if (state.is !== 'registered') return { events: [] };
      const isThere = host === state.endpoint.host && port === state.endpoint.port;
      const isCredible = (state.versionsTold ?? 0) < mostVersionsTold;
      return { events: isThere && isCredible ? newVersion(state, datastore) : [] };
    },
    BuildInstance({ accountId, instanceId, name, backupId, backup, mostInstances, mostBuiltServers }, state) {
      if (state.is !== 'absent') return refuse('instance-exists', `Instance ${instanceId} is there already.`);
      const found = backupToBuildFrom(accountId, backupId, backup);
      if ('refused' in found) return found;
      const { datastore } = found.request;
      return {
        events: [{ type: 'InstanceBuildRequested', data: { instanceId, name, datastore, backupId } }],
        quotas: [
          counted('instances-of-account', accountId, 1, mostInstances),
          counted('built-servers-of-account', accountId, 1, mostBuiltServers),
        ],
      };
    },
    CompleteBuild({ endpoint, region }, state) {
      if (state.is !== 'building') return { events: [] };
      const { instanceId, name, datastore, backupId } = state;
      return { events: [{ type: 'InstanceBuilt', data: { instanceId, name, datastore, backupId, region, endpoint } }] };
    },
    FailBuildAttempt: failBuildAttempt,
    TellServerDown: tellServerDown,
    TellServerUp: (_, state) => tellServerUp(state),
    FailBuild: ({ code, reason }, state) =>
      state.is !== 'building'
        ? { events: [] }
        : {
            events: [
              {
                type: 'InstanceBuildFailed',
                data: { instanceId: state.instanceId, backupId: state.backupId, code, reason: storable(reason) },
              },
            ],
            quotas: [counted('built-servers-of-account', state.accountId, -1)],
          },
    AcceptLineage({ accountId, instanceId, lineage, lineages }, state) {
      if (state.is !== 'registered' || state.accountId !== accountId) return instanceUnknown(instanceId);
      if (!lineages.includes(lineage)) {
        return refuse('lineage-unknown', `There is no backup of lineage ${lineage} of instance ${instanceId}.`);
      }
      const already = state.accepted.get(lineage) ?? [];
      const others = lineages.filter((each) => each !== lineage);
      if (others.every((each) => already.includes(each))) return { events: [] };
      const inPlaceOf = [...new Set([...already, ...others])];
      return { events: [{ type: 'LineageAccepted', data: { instanceId, lineage, inPlaceOf } }] };
    },
    // The claims are never given back, so that nothing which was decided earlier can begin later.
    ForgetInstance({ accountId, instanceId }, state) {
      if (state.is === 'absent' || state.is === 'forgotten' || state.accountId !== accountId) {
        return instanceUnknown(instanceId);
      }
      if (state.is === 'building') {
        return refuse(
          'instance-being-built',
          `Instance ${instanceId} is being built. Wait until it has ended, then ask again.`,
        );
      }
      return {
        events: [{ type: 'InstanceForgotten', data: { instanceId } }],
        claims: [
          { kind: 'running-backup-of-instance', key: instanceId },
          { kind: 'schedule-of-instance', key: instanceId },
        ],
        quotas: [
          counted('instances-of-account', accountId, -1),
          ...(state.is === 'registered' && state.builtFrom !== null
            ? [counted('built-servers-of-account', accountId, -1)]
            : []),
        ],
      };
    },
  },
  evolve: {
    InstanceRegistered: (_, { accountId, data }) => ({
      is: 'registered',
      accountId,
      builtFrom: null,
      accepted: new Map(),
      ...data,
    }),
    InstanceChanged: (state, { data: { name, endpoint, credentialId } }) =>
      state.is === 'registered' ? { ...state, name, endpoint, credentialId } : state,
    InstanceVersionFound: (state, { data: { datastore } }) =>
      state.is === 'registered' ? { ...state, datastore, versionsTold: (state.versionsTold ?? 0) + 1 } : state,
    InstanceBuildRequested: (_, { accountId, data }) => ({ is: 'building', accountId, ...data }),
    InstanceBuilt: (_, { accountId, data: { backupId, region: __, ...data } }) => ({
      is: 'registered',
      accountId,
      builtFrom: backupId,
      accepted: new Map(),
      ...data,
    }),
    LineageAccepted: (state, { data: { lineage, inPlaceOf } }) =>
      state.is === 'registered' ? { ...state, accepted: new Map([...state.accepted, [lineage, inPlaceOf]]) } : state,
    InstanceBuildAttemptFailed: (state) => state,
    InstanceServerDown: (state) => (state.is === 'registered' ? { ...state, isDown: true } : state),
    InstanceServerUp: (state) => (state.is === 'registered' ? { ...state, isDown: false } : state),
    InstanceBuildFailed: (state) => (state.is === 'building' ? { ...state, is: 'build-failed' } : state),
    InstanceForgotten(state) {
      if (state.is !== 'registered') return { is: 'forgotten', builtFrom: null, endpoint: undefined };
      const { builtFrom, endpoint, credentialId = null } = state;
      return { is: 'forgotten', builtFrom, endpoint, credentialId };
    },
  },
  claimed: {
    'running-backup-of-instance': (instanceId, holder) =>
      refuse(
        'backup-running-for-instance',
        `Backup ${holder} of instance ${instanceId} is still running. Wait until it has ended, then ask again.`,
      ),
    'schedule-of-instance': (instanceId, holder) =>
      refuse('schedule-exists-for-instance', `Instance ${instanceId} has schedule ${holder}. Delete that one first.`),
  },
  usedUp: {
    'instances-of-account': (_, most) =>
      refuse(
        'instance-quota-reached',
        `The account has ${most} instances, and may not have more. Delete one that is not needed, or ask the operator for more.`,
      ),
    'built-servers-of-account': (_, most) =>
      refuse(
        'built-server-quota-reached',
        `The account has ${most} servers that were built from backups, and may not have more. Delete one that is not needed, or ask the operator for more.`,
      ),
  },
};

function counted(kind: QuotaKind, accountId: string, by: 1 | -1, most = noLimit): Quota {
  return { kind, key: accountId, by, most };
}

/** The instance of the account whose server can be backed up, or the refusal. */
export function serverToBackUp(
  accountId: string,
  instanceId: string,
  state: InstanceState,
): RegisteredInstance | Refusal {
  switch (state.is) {
    case 'registered':
      return state.accountId === accountId ? state : instanceUnknown(instanceId);
    case 'building':
    case 'build-failed':
      if (state.accountId !== accountId) return instanceUnknown(instanceId);
      return notBuilt[state.is](instanceId);
    default:
      return instanceUnknown(instanceId);
  }
}

/** The backup as one of the account that a server can be built from, or why it is none. */
export function backupToBuildFrom(accountId: string, backupId: string, state: BackupState): CompletedBackup | Refusal {
  const otherwise = 'only one that has completed can be restored';
  const found = completedBackup({ accountId, backupId, otherwise }, state);
  if ('refused' in found || found.request.datastore.version !== unknownVersion) return found;
  return refuse(
    'backup-not-completed',
    `Backup ${backupId} is encrypted, and the version of its server is not known yet, so no server is built from it. Restore it with: strongroom restore. The operator can tell the version with: strongroom catalog rebuild --from ${found.completed.region} --identity FILE`,
  );
}

const notBuilt = {
  building: (instanceId: string) =>
    refuse('instance-being-built', `Instance ${instanceId} is being built: there is no server to back up yet.`),
  'build-failed': (instanceId: string) =>
    refuse('instance-build-failed', `Instance ${instanceId} could not be built: there is no server to back up.`),
};

/** The event that holds what is in force from now on, whole. */
function changed({
  instanceId,
  name,
  endpoint,
  credentialId = null,
}: Pick<RegisteredInstance, 'instanceId' | 'name' | 'endpoint' | 'credentialId'>): NewEvent<'InstanceChanged'> {
  return { type: 'InstanceChanged', data: { instanceId, name, endpoint: secured(endpoint), credentialId } };
}

/** What a server has told of itself, where it is another version than was known. */
function newVersion({ instanceId, datastore: known }: RegisteredInstance, told: Datastore): NewEvent[] {
  const datastore = { type: told.type, version: shortVersion(told.version) };
  if (datastore.type !== known.type || datastore.version === '' || datastore.version === known.version) return [];
  return [{ type: 'InstanceVersionFound', data: { instanceId, datastore } }];
}

function secured({ caCertificate = null, clientCertificate = null, ...endpoint }: Endpoint) {
  return { ...endpoint, caCertificate, clientCertificate };
}

export function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  const others = new Map<string, unknown>(Object.entries(secured(other)));
  return Object.entries(secured(one)).every(([field, value]) => others.get(field) === value);
}

export function instanceUnknown(instanceId: string): Refusal {
  return refuse(
    'instance-unknown',
    `Instance ${instanceId} was not found in this account. Register it first: POST /instances.`,
  );
}
