/** An instance: a customer's database server that backups are taken of. */
import { type Datastore, type Endpoint, type Refusal, refuse } from '@strongroom/contracts';
import type { Decider } from './decider.js';

export interface RegisteredInstance {
  is: 'registered';
  instanceId: string;
  accountId: string;
  name: string;
  datastore: Datastore;
  endpoint: Endpoint;
}

export type InstanceState = { is: 'absent' } | RegisteredInstance | { is: 'forgotten' };

export type InstanceCommand =
  | ({ type: 'RegisterInstance' } & Omit<RegisteredInstance, 'accountId' | 'is'>)
  | { type: 'ForgetInstance'; accountId: string; instanceId: string };

export const instanceDecider: Decider<'instance', InstanceState, InstanceCommand> = {
  aggregate: 'instance',
  initial: { is: 'absent' },
  decide: {
    RegisterInstance: ({ instanceId, name, datastore, endpoint }, state) =>
      state.is !== 'absent'
        ? refuse('instance-exists', `Instance ${instanceId} is registered already.`)
        : { events: [{ type: 'InstanceRegistered', data: { instanceId, name, datastore, endpoint } }] },
    // Held for ever: nothing can be begun any more that was decided on what the instance was.
    ForgetInstance: ({ accountId, instanceId }, state) =>
      state.is !== 'registered' || state.accountId !== accountId
        ? instanceUnknown(instanceId)
        : {
            events: [{ type: 'InstanceForgotten', data: { instanceId } }],
            claims: [
              { kind: 'running-backup-of-instance', key: instanceId },
              { kind: 'schedule-of-instance', key: instanceId },
            ],
          },
  },
  evolve: {
    InstanceRegistered: (_, { accountId, data }) => ({ is: 'registered', accountId, ...data }),
    InstanceForgotten: () => ({ is: 'forgotten' }),
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
};

/** For commands that need an instance of their account. */
export function instanceUnknown(instanceId: string): Refusal {
  return refuse(
    'instance-unknown',
    `Instance ${instanceId} was not found in this account. Register it first: POST /instances.`,
  );
}
