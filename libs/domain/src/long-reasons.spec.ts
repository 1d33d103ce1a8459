import { describe, expect, it } from '@jest/globals';
import {
  checkNewEvent,
  type EventData,
  type EventType,
  eventSchemas,
  eventTypes,
  type NewEvent,
} from '@strongroom/contracts';
import { historyOfCompleted } from '../fixtures/completed-backup.js';
import { type BackupCommand, backupDecider } from './backup.js';
import { type CopyCommand, copyDecider } from './copy.js';
import type { Decision } from './decider.js';
import { account, given } from './given.js';
import { type InstanceCommand, instanceDecider } from './instance.js';
import { webhookDecider } from './webhook.js';

const [backupId, instanceId, scheduleId, copyId] = [1, 2, 3, 4].map(
  (digit) => `00000000-0000-4000-8000-00000000000${digit}`,
) as [string, string, string, string];
const slotAt = '2026-11-23T14:30:00.000Z';
const datastore = { type: 'postgresql', version: '18' } as const;
const sha256 = 'a'.repeat(64);
const next = { retryAt: slotAt, retryUntil: slotAt };
const reason = 'x'.repeat(5_000);
const told = { code: 'vault-unavailable', reason };
const slot = { scheduleId, instanceId, slotAt, reason };

const request: EventData<'BackupRequested'> = {
  backupId,
  instanceId,
  scheduleId,
  slotAt,
  trigger: 'slot',
  type: 'incremental',
  parentId: null,
  name: 'orders',
  description: null,
  datastore,
  copyTo: [],
};
const requested: NewEvent = { type: 'BackupRequested', data: request };
const begun: NewEvent[] = [
  requested,
  { type: 'BackupStarted', data: { backupId, attempt: 1, region: 'DFW', runner: 'spec' } },
];
const deleting: NewEvent[] = [
  ...begun,
  { type: 'BackupDeletionRequested', data: { backupId, instanceId, scheduleId, trigger: 'request' } },
];
const waiting: NewEvent[] = [
  ...begun,
  {
    type: 'BackupAttemptFailed',
    data: { backupId, instanceId, scheduleId, attempt: 1, ...told, ...next, reason: 'x'.repeat(2_000) },
  },
];
const copying: NewEvent[] = [
  {
    type: 'CopyRequested',
    data: { copyId, backupId, instanceId, region: 'IAD', sourceRegion: 'DFW', parentId: null, sizeBytes: 1, sha256 },
  },
  { type: 'CopyStarted', data: { copyId, backupId, region: 'IAD', attempt: 1, replicator: 'spec' } },
];
const copied: NewEvent[] = [
  ...copying,
  {
    type: 'CopyCompleted',
    data: {
      ...{ copyId, backupId, instanceId, region: 'IAD', attempt: 1, location: 'x', sizeBytes: 1, sha256 },
      startedAt: slotAt,
    },
  },
];
const building: NewEvent[] = [
  { type: 'InstanceBuildRequested', data: { instanceId, name: 'orders', datastore, backupId } },
];
const built: NewEvent[] = [
  ...building,
  {
    type: 'InstanceBuilt',
    data: {
      ...{ instanceId, name: 'orders', datastore, backupId, region: 'DFW' },
      endpoint: { host: 'h', port: 1, user: 'u', database: 'd', tls: 'disable' },
    },
  },
];
const webhookMade: NewEvent = {
  type: 'WebhookCreated',
  data: {
    ...{ webhookId: instanceId, secretId: backupId, name: 'on call', origin: 'https://hooks.example.com' },
    ...{ types: [], format: 'event', enabled: true },
  },
};
const attempt = { backupId, attempt: 1 };
const delay = { ground: 'no-runner-free', reason, delayMs: 60_000 };
const result = { region: 'DFW', location: 'x', sizeBytes: 1, rawBytes: 1, sha256, startedAt: slotAt };
const another = { formerLineage: backupId, formerBackupId: backupId, reason };
const identity = { lineage: backupId, facts: null, another };

const onBackup = (events: NewEvent[], command: BackupCommand) => given(backupDecider, events).when(command).decision;
const onCopy = (events: NewEvent[], command: CopyCommand) => given(copyDecider, events).when(command).decision;
const onInstance = (events: NewEvent[], command: InstanceCommand) =>
  given(instanceDecider, events).when(command).decision;

/** For each event that has a reason, what leads to it. */
const decisions: Partial<Record<EventType, () => Decision>> = {
  SlotSkipped: () => onBackup([], { type: 'SkipSlot', slot }),
  SlotMissed: () => onBackup([], { type: 'MissSlot', slot }),
  BackupDelayed: () => onBackup([requested], { type: 'StartBackup', ...attempt, region: 'DFW', runner: 'spec', delay }),
  BackupAttemptFailed: () => onBackup(begun, { type: 'FailBackupAttempt', ...attempt, ...told, ...next }),
  BackupMadeFull: () => onBackup(begun, { type: 'MakeFull', ...attempt, ground: 'parent-not-there', reason }),
  AnotherServerFound: () => onBackup(begun, { type: 'CompleteBackup', ...attempt, identity, result }),
  BackupFailed: () => onBackup(waiting, { type: 'GiveUpBackup', backupId, ...told }),
  RestoreTestFailed: () =>
    onBackup(historyOfCompleted(backupId), {
      ...{ type: 'TellRestoreTest', accountId: account, backupId, region: 'DFW', copy: { is: 'absent' }, seconds: 1 },
      result: told,
    }),
  BackupHeld: () => onBackup([requested], { type: 'HoldBackup', backupId, accountId: account, reason }),
  BackupDeletionFailed: () => onBackup(deleting, { type: 'FailDeletion', backupId, ...told }),
  BackupDeletionPutOff: () => onBackup(deleting, { type: 'FailDeletion', backupId, ...told, waitsFor: [instanceId] }),
  CopyAttemptFailed: () => onCopy(copying, { type: 'FailCopyAttempt', copyId, attempt: 1, ...told, retryAt: slotAt }),
  CopyFailed: () => onCopy(copying, { type: 'FailCopy', copyId, attempt: 1, ...told }),
  CopyStranded: () => onCopy(copying, { type: 'StrandCopy', reason }),
  CopyLost: () => onCopy(copied, { type: 'LoseCopy', ...told }),
  InstanceBuildFailed: () => onInstance(building, { type: 'FailBuild', ...told }),
  InstanceBuildAttemptFailed: () => onInstance(building, { type: 'FailBuildAttempt', ...told, retryAt: slotAt }),
  InstanceServerDown: () => onInstance(built, { type: 'TellServerDown', ...told }),
  WebhookDisabled: () => {
    const command = { type: 'DisableWebhook', webhookId: instanceId, ...told, failingSince: slotAt } as const;
    return given(webhookDecider, [webhookMade]).when(command).decision;
  },
};

describe('a reason of any length', () => {
  const withReason = eventTypes.filter((type) => 'reason' in eventSchemas[type].shape);

  it('is looked at for every event that has one', () => {
    expect(Object.keys(decisions).sort()).toEqual([...withReason].sort());
  });

  it.each(withReason)('is cut to what an event holds: %s', (type) => {
    const { events = [] } = decisions[type]?.() ?? {};
    const event = events.find((each) => each.type === type);
    expect(event?.data).toMatchObject({ reason: expect.stringMatching(/^.{1,2000}$/s) });
    for (const each of events) expect(() => checkNewEvent(each)).not.toThrow();
  });
});
