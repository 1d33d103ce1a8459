/** The names of streams and topics. Each aggregate has a stream, and each kind of aggregate has a topic. */
import { z } from 'zod';
import type { EventType } from './recorded-events.js';

export const aggregates = ['instance', 'schedule', 'backup', 'copy', 'webhook'] as const;
export const aggregate = z.enum(aggregates);
export type Aggregate = (typeof aggregates)[number];

/** The name of an aggregate's stream: `backup-<uuid>`. */
export type StreamName = `${Aggregate}-${string}`;

export function streamOf(kind: Aggregate, id: string): StreamName {
  return `${kind}-${id}`;
}

/** The kind of aggregate that a stream is of; undefined when the name is not that of a stream. */
export function aggregateOf(stream: string): Aggregate | undefined {
  return aggregates.find((kind) => stream.startsWith(`${kind}-`));
}

/** The id in a stream's name. */
export function idOf(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1);
}

const topicOf: Readonly<Record<Aggregate, string>> = {
  instance: 'instances',
  schedule: 'schedules',
  backup: 'backups',
  copy: 'copies',
  webhook: 'webhooks',
};

/** The prefix of topics and consumer groups unless a deployment chooses another. */
export const defaultNamespace = 'strongroom';

/** The topic of one kind of aggregate: `strongroom.backups`. */
export function topicName(kind: Aggregate, namespace: string = defaultNamespace): string {
  return `${namespace}.${topicOf[kind]}`;
}

/** The topic of messages that no handler could take: `strongroom.dead-letters`. */
export function deadLetterTopic(namespace: string = defaultNamespace): string {
  return `${namespace}.dead-letters`;
}

/** The kind of aggregate whose stream and topic each event belongs to. */
export const aggregateOfEvent = {
  InstanceRegistered: 'instance',
  InstanceBuildRequested: 'instance',
  InstanceBuilt: 'instance',
  InstanceBuildFailed: 'instance',
  InstanceBuildAttemptFailed: 'instance',
  InstanceServerDown: 'instance',
  InstanceServerUp: 'instance',
  InstanceChanged: 'instance',
  InstanceVersionFound: 'instance',
  LineageAccepted: 'instance',
  InstanceForgotten: 'instance',
  ScheduleCreated: 'schedule',
  ScheduleUpdated: 'schedule',
  ScheduleDeleted: 'schedule',
  SlotSkipped: 'backup',
  SlotMissed: 'backup',
  BackupRequested: 'backup',
  BackupStarted: 'backup',
  BackupAttemptFailed: 'backup',
  BackupDelayed: 'backup',
  BackupMadeFull: 'backup',
  BackupIdentified: 'backup',
  BackupVersionFound: 'backup',
  BackupEncrypted: 'backup',
  AnotherServerFound: 'backup',
  BackupCompleted: 'backup',
  BackupFailed: 'backup',
  BackupCatalogued: 'backup',
  RestoreTested: 'backup',
  RestoreTestFailed: 'backup',
  BackupDeletionMarked: 'backup',
  BackupDeletionReverted: 'backup',
  BackupDeletionApproved: 'backup',
  BackupHeld: 'backup',
  BackupHoldLifted: 'backup',
  BackupDeletionRequested: 'backup',
  BackupDeleted: 'backup',
  BackupDeletionFailed: 'backup',
  BackupDeletionPutOff: 'backup',
  BackupDeletionCalledOff: 'backup',
  CopyRequested: 'copy',
  CopyStarted: 'copy',
  CopyAttemptFailed: 'copy',
  CopyCompleted: 'copy',
  CopyCatalogued: 'copy',
  CopyFailed: 'copy',
  CopySourceChanged: 'copy',
  CopyStranded: 'copy',
  CopyCheckRequested: 'copy',
  CopyChecked: 'copy',
  CopyLost: 'copy',
  CopyDeletionRequested: 'copy',
  CopyDeleted: 'copy',
  WebhookCreated: 'webhook',
  WebhookUpdated: 'webhook',
  WebhookSecretRotated: 'webhook',
  WebhookDisabled: 'webhook',
  WebhookDeleted: 'webhook',
} as const satisfies Record<EventType, Aggregate>;

/** The event types of one kind of aggregate. */
export type EventTypeOf<A extends Aggregate> = {
  [T in EventType]: (typeof aggregateOfEvent)[T] extends A ? T : never;
}[EventType];
