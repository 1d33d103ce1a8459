/** An instance: a customer's database server that backups are taken of. */
import { type Datastore, type Endpoint, type Refusal, refuse } from '@strongroom/contracts';
import type { Decider } from './decider.js';

export interface RegisteredInstance {
  instanceId: string;
  accountId: string;
  name: string;
  datastore: Datastore;
  endpoint: Endpoint;
}

export type InstanceState = RegisteredInstance | undefined;

export type InstanceCommand = { type: 'RegisterInstance' } & Omit<RegisteredInstance, 'accountId'>;

export const instanceDecider: Decider<'instance', InstanceState, InstanceCommand> = {
  aggregate: 'instance',
  initial: undefined,
  decide: {
    RegisterInstance: ({ instanceId, name, datastore, endpoint }, state) =>
      state
        ? refuse('instance-exists', `Instance ${instanceId} is registered already.`)
        : { events: [{ type: 'InstanceRegistered', data: { instanceId, name, datastore, endpoint } }] },
  },
  evolve: {
    InstanceRegistered: (_, { accountId, data }) => ({ accountId, ...data }),
  },
  claimed: {},
};

/** For commands that need an instance of their account. */
export function instanceUnknown(instanceId: string): Refusal {
  return refuse(
    'instance-unknown',
    `Instance ${instanceId} was not found in this account. Register it first: POST /instances.`,
  );
}
