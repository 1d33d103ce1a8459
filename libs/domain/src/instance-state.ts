/** What the events of an instance say of it. */
import type { Datastore, Endpoint } from '@strongroom/contracts';

export interface RegisteredInstance {
  is: 'registered';
  instanceId: string;
  accountId: string;
  name: string;
  /** The version is the one that the server has told; until it has told one, the one that was declared. */
  datastore: Datastore;
  endpoint: Endpoint;
  /** Names the sealed credential in force. Without it: the one that is stored under the instance itself. */
  credentialId?: string | null;
  /** The backup that the server was built from; null when it was not built here. */
  builtFrom: string | null;
  /** How often the server has told another version than before. */
  versionsTold?: number;
  /** Whether it is recorded that a built server does not run. */
  isDown?: boolean;
  /** The lineages that were accepted, each with the lineages that it replaces. */
  accepted: ReadonlyMap<string, readonly string[]>;
}

export interface InstanceToBuild {
  is: 'building' | 'build-failed';
  instanceId: string;
  accountId: string;
  name: string;
  datastore: Datastore;
  backupId: string;
}

export type InstanceState =
  | { is: 'absent' }
  | InstanceToBuild
  | RegisteredInstance
  | { is: 'forgotten'; builtFrom: string | null; endpoint: Endpoint | undefined; credentialId?: string | null };
