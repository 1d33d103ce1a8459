import { describe, expect, it } from '@jest/globals';
import { aggregateOfEvent, type EventType } from '@strongroom/contracts';
import { explained } from '../../fixtures/explained.js';
import { everyReason } from './explained-event.js';

const copyId = '11111111-1111-4111-8111-111111111111';
const backupId = '22222222-2222-4222-8222-222222222222';
const instanceId = '33333333-3333-4333-8333-333333333333';
const scheduleId = '44444444-4444-4444-8444-444444444444';
const [startedAt, retryAt] = ['2026-11-14T14:30:00.000Z', '2026-11-14T14:31:00.000Z'];
const datastore = { type: 'postgresql', version: '18.1' } as const;
const fault = { code: 'vault-unreachable', reason: 'no answer' };
const sha256 = 'a'.repeat(64);
const region = 'IAD';
const ofCopy = { copyId, backupId, region };
const endpoint = { host: 'db.example.com', port: 5432, user: 'backup', database: 'postgres', tls: 'require' };
const secured = { ...endpoint, caCertificate: null, clientCertificate: null };
const definition = {
  ...{ scheduleId, instanceId, dayOfWeek: 0, hour: 3, minute: 5, fullBackupRetention: 4 },
  ...{ copyTo: ['IAD', 'ORD', 'SYD'], paused: false },
};
const webhook = {
  ...{ webhookId: copyId, secretId: backupId, name: 'on call', origin: 'https://hooks.example.com' },
  ...{ types: ['BackupFailed'], format: 'event', enabled: true },
};
const bare = { ...definition, dayOfWeek: 7, fullBackupRetention: 1, copyTo: [], paused: true };
const says =
  'It runs every day at 03:05 UTC, full on Sunday. It keeps 4 cycles, and copies its backups to IAD, ORD and SYD.';
const saysBare = 'It runs every day at 03:05 UTC, always full. It keeps 1 cycle, and copies its backups nowhere.';

const cases: [reason: string, type: EventType, data: object, sentence: string, said?: string][] = [
  [
    'instance-registered',
    'InstanceRegistered',
    { instanceId, name: 'orders', datastore, endpoint },
    'anna registered the server orders, which is reached at db.example.com:5432.',
  ],
  [
    'build-asked-for',
    'InstanceBuildRequested',
    { instanceId, name: 'orders', datastore, backupId },
    `anna asked for a new server orders, built from backup ${backupId}.`,
  ],
  [
    'server-built',
    'InstanceBuilt',
    { instanceId, name: 'orders', datastore, backupId, region, endpoint },
    `The server orders was built from backup ${backupId}, as it lies in IAD, and runs.`,
  ],
  [
    'build-failed',
    'InstanceBuildFailed',
    { instanceId, backupId, ...fault },
    'The server could not be built, and this is not tried again (vault-unreachable). No answer.',
  ],
  [
    'build-waits',
    'InstanceBuildAttemptFailed',
    { instanceId, backupId, ...fault, retryAt },
    'The server could not be built yet, and this is tried again at 2026-11-14T14:31:00Z (vault-unreachable). No answer.',
  ],
  [
    'server-down',
    'InstanceServerDown',
    { instanceId, ...fault },
    'The built server does not run, and is started again and again (vault-unreachable). No answer.',
  ],
  ['server-up', 'InstanceServerUp', { instanceId }, 'The built server, which was down, runs again.'],
  [
    'instance-changed',
    'InstanceChanged',
    { instanceId, name: 'bills', endpoint: secured, credentialId: null },
    'From then on the instance is called bills and is reached at db.example.com:5432, as anna asked.',
  ],
  ['version-found', 'InstanceVersionFound', { instanceId, datastore }, 'The server told that it is postgresql 18.1.'],
  [
    'lineage-accepted',
    'LineageAccepted',
    { instanceId, lineage: backupId, inPlaceOf: [copyId, scheduleId] },
    `anna accepted the server of lineage ${backupId} as the right one, in place of ${copyId} and ${scheduleId}.`,
  ],
  [
    'instance-forgotten',
    'InstanceForgotten',
    { instanceId },
    'anna had the instance forgotten: it is not backed up any more, and its backups stay.',
  ],
  ['schedule-created', 'ScheduleCreated', definition, `anna made the schedule. ${says}`],
  ['schedule-created-paused', 'ScheduleCreated', bare, `anna made the schedule, and paused it. ${saysBare}`],
  [
    'schedule-created-paused-because',
    'ScheduleCreated',
    bare,
    `anna made the schedule, and paused it for this reason: The disks are being moved. ${saysBare}`,
    'the disks are being moved',
  ],
  [
    'schedule-changed-paused-because',
    'ScheduleUpdated',
    bare,
    `anna changed the schedule, and it is paused for this reason: The disks are being moved. ${saysBare}`,
    'the disks are being moved',
  ],
  ['schedule-changed', 'ScheduleUpdated', definition, `anna changed the schedule. ${says}`],
  ['schedule-changed-paused', 'ScheduleUpdated', bare, `anna changed the schedule, and it is paused. ${saysBare}`],
  [
    'schedule-deleted',
    'ScheduleDeleted',
    { scheduleId, instanceId },
    'anna deleted the schedule. It runs no more, and the backups that it made stay.',
  ],
  [
    'copy-owed',
    'CopyRequested',
    { ...ofCopy, instanceId, sourceRegion: 'DFW', parentId: null, sizeBytes: 5, sha256 },
    `A copy of backup ${backupId} is owed to IAD, and is to be made from DFW.`,
  ],
  [
    'copy-attempt',
    'CopyStarted',
    { ...ofCopy, attempt: 1, replicator: 'replicator-1' },
    'Attempt 1 at the copy to IAD began.',
  ],
  [
    'copy-attempt-again',
    'CopyStarted',
    { ...ofCopy, attempt: 3, replicator: 'replicator-1' },
    'Attempt 3 at the copy to IAD began, after the one before it failed or was lost.',
  ],
  [
    'copy-waits',
    'CopyAttemptFailed',
    { ...ofCopy, ...fault, attempt: 1, retryAt },
    'The copy to IAD waits, because attempt 1 failed (vault-unreachable). It is tried again at 2026-11-14T14:31:00Z. No answer.',
  ],
  [
    'copy-completed',
    'CopyCompleted',
    { ...ofCopy, instanceId, attempt: 1, location: 'x', sizeBytes: 5, sha256, startedAt },
    'The copy is in IAD: 5 bytes were read back there, and are those of the backup.',
  ],
  [
    'copy-catalogued',
    'CopyCatalogued',
    {
      ...{
        ...ofCopy,
        instanceId,
        sourceRegion: 'DFW',
        parentId: null,
        attempt: 1,
        location: 'x',
        sizeBytes: 5,
        sha256,
      },
      ...{ startedAt, completedAt: startedAt },
    },
    'The vault of IAD was found to hold a copy that the ledger did not know: 5 bytes, as its manifest says.',
  ],
  [
    'not-copied',
    'CopyFailed',
    { ...ofCopy, ...fault, attempt: 1 },
    'The backup was not copied to IAD, and no further attempt follows (vault-unreachable). No answer.',
  ],
  [
    'copy-source-changed',
    'CopySourceChanged',
    { ...ofCopy, attempt: 2, sourceRegion: 'ORD' },
    'Attempt 2 at the copy to IAD took the bytes from ORD instead.',
  ],
  [
    'copy-waits-for-region',
    'CopyStranded',
    { ...ofCopy, reason: 'There is no vault for IAD.' },
    'The copy to IAD waits, because the deployment has no vault for a region. There is no vault for IAD.',
  ],
  [
    'copy-check-asked-for',
    'CopyCheckRequested',
    { ...ofCopy, instanceId },
    'The copy in IAD is to be read again, and to be made again if it is not whole.',
  ],
  ['copy-checked', 'CopyChecked', ofCopy, 'The copy in IAD was read again, and is what was backed up.'],
  [
    'copy-lost',
    'CopyLost',
    { ...ofCopy, ...fault, instanceId, sizeBytes: 5 },
    'The region IAD has lost the backup, and is owed it again (vault-unreachable). No answer.',
  ],
  [
    'copy-goes',
    'CopyDeletionRequested',
    { ...ofCopy, instanceId },
    'The copy in IAD is to be removed, because its backup is deleted.',
  ],
  [
    'webhook-created',
    'WebhookCreated',
    webhook,
    'anna made the webhook on call: events are sent to https://hooks.example.com.',
  ],
  [
    'webhook-created-disabled',
    'WebhookCreated',
    { ...webhook, enabled: false },
    'anna made the webhook on call to https://hooks.example.com, to which nothing is sent until it is enabled.',
  ],
  [
    'webhook-changed',
    'WebhookUpdated',
    webhook,
    'anna changed the webhook on call: events are sent to https://hooks.example.com.',
  ],
  [
    'webhook-changed-disabled',
    'WebhookUpdated',
    { ...webhook, enabled: false },
    'anna changed the webhook on call, and nothing is sent to https://hooks.example.com from then on.',
  ],
  [
    'webhook-secret-rotated',
    'WebhookSecretRotated',
    { webhookId: copyId, secretId: backupId, formerUntil: retryAt },
    'anna gave the webhook a new secret. Deliveries are signed with the former one too until 2026-11-14T14:31:00Z.',
  ],
  [
    'webhook-disabled',
    'WebhookDisabled',
    { webhookId: copyId, code: 'failing', reason: 'no answer', failingSince: startedAt },
    'Nothing is sent to the webhook any more, because nothing was taken there since 2026-11-14T14:30:00Z (failing). No answer. Backups go on without it.',
  ],
  ['webhook-deleted', 'WebhookDeleted', { webhookId: copyId }, 'anna deleted the webhook.'],
  ['copy-gone', 'CopyDeleted', ofCopy, 'The copy is gone from IAD, because its backup is deleted.'],
];

describe('what is told of an instance, a schedule, a copy or a webhook', () => {
  it.each(cases.map(([reason, type, data, sentence, said = '']) => [reason, type, data, sentence, said] as const))(
    'is told as %s by %s',
    (reason, type, data, sentence, said) => {
      expect(explained(type, data, said)).toMatchObject({ reason, sentence });
    },
  );

  it('has a case here for each reason', () => {
    const ofOthers = everyReason().filter(({ type }) => aggregateOfEvent[type] !== 'backup');
    expect(cases.map(([reason]) => reason).sort()).toEqual(ofOthers.map(({ reason }) => reason).sort());
  });
});

it('every reason has a code of its own', () => {
  const codes = everyReason().map(({ reason }) => reason);
  expect(new Set(codes).size).toBe(codes.length);
});
