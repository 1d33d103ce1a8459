/** How the events of an instance are told. */
import type { ReasonsOf } from './reason.js';

export const reasonsOfInstances: ReasonsOf<'instance'> = {
  InstanceRegistered: [
    {
      reason: 'instance-registered',
      sentence: '{actor} registered the server {name}, which is reached at {host}:{port}.',
    },
  ],
  InstanceBuildRequested: [
    { reason: 'build-asked-for', sentence: '{actor} asked for a new server {name}, built from backup {backupId}.' },
  ],
  InstanceBuilt: [
    {
      reason: 'server-built',
      sentence: 'The server {name} was built from backup {backupId}, as it lies in {region}, and runs.',
    },
  ],
  InstanceBuildFailed: [
    {
      reason: 'build-failed',
      sentence: 'The server could not be built, and this is not tried again ({code}). {reason}',
    },
  ],
  InstanceBuildAttemptFailed: [
    {
      reason: 'build-waits',
      sentence: 'The server could not be built yet, and this is tried again at {retryAt} ({code}). {reason}',
    },
  ],
  InstanceServerDown: [
    {
      reason: 'server-down',
      sentence: 'The built server does not run, and is started again and again ({code}). {reason}',
    },
  ],
  InstanceServerUp: [{ reason: 'server-up', sentence: 'The built server, which was down, runs again.' }],
  InstanceChanged: [
    {
      reason: 'instance-changed',
      sentence: 'From then on the instance is called {name} and is reached at {host}:{port}, as {actor} asked.',
    },
  ],
  InstanceVersionFound: [{ reason: 'version-found', sentence: 'The server told that it is {datastore}.' }],
  LineageAccepted: [
    {
      reason: 'lineage-accepted',
      sentence: '{actor} accepted the server of lineage {lineage} as the right one, in place of {inPlaceOf}.',
    },
  ],
  InstanceForgotten: [
    {
      reason: 'instance-forgotten',
      sentence: '{actor} had the instance forgotten: it is not backed up any more, and its backups stay.',
    },
  ],
};
