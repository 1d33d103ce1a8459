/** An event as an answer to "why": the code of its reason, and its sentence. Both follow from the event alone. */
import { aggregateOfEvent, type EventType, eventTypes, type RecordedEvent } from '@strongroom/contracts';
import type { Reason } from './reason.js';
import { reasonsOfBackups } from './reasons-of-backups.js';
import { reasonsOfCopies } from './reasons-of-copies.js';
import { reasonsOfInstances } from './reasons-of-instances.js';
import { reasonsOfSchedules } from './reasons-of-schedules.js';
import { reasonsOfWebhooks } from './reasons-of-webhooks.js';
import { filled, wordsOf } from './words.js';

export interface ExplainedEvent {
  /** A code for programs. */
  reason: string;
  /** What the event has as `ground` or `code`, which tells more; null when it has neither. */
  ground: string | null;
  sentence: string;
}

const reasons: { readonly [T in EventType]: readonly Reason<T>[] } = {
  ...reasonsOfInstances,
  ...reasonsOfSchedules,
  ...reasonsOfBackups,
  ...reasonsOfCopies,
  ...reasonsOfWebhooks,
};

/**
 * The events that explain a schedule: its own, and of each of its runs why it was made, why it was not, and how it ended. An index of the
 * ledger has these types.
 */
export const explainedOfSchedules = [
  'ScheduleCreated',
  'ScheduleUpdated',
  'ScheduleDeleted',
  'SlotSkipped',
  'SlotMissed',
  'BackupRequested',
  'BackupDelayed',
  'BackupMadeFull',
  'BackupCompleted',
  'BackupFailed',
] as const satisfies readonly EventType[];

/** @param nameOf the name that is shown for that of an actor. Default: the same */
export function explainedEvent(event: RecordedEvent, nameOf = (actor: string) => actor): ExplainedEvent {
  const { reason, sentence } = reasonOf(event);
  return { reason, ground: groundOf(event), sentence: filled(sentence, wordsOf(event, nameOf)) };
}

/** Every reason that there is, with the event that gives it, in the order of the events. */
export function everyReason(): { type: EventType; reason: string; sentence: string }[] {
  return eventTypes.flatMap((type) => reasons[type].map(({ reason, sentence }) => ({ type, reason, sentence })));
}

function reasonOf<T extends EventType>({ type, data, context }: RecordedEvent<T>): Reason<T> {
  const found = reasons[type].find(({ holds }) => holds === undefined || holds(data, context));
  if (!found) throw new TypeError(`${type} of a ${aggregateOfEvent[type]} gives no reason`);
  return found;
}

function groundOf({ data }: RecordedEvent): string | null {
  if ('ground' in data) return data.ground;
  return 'code' in data ? data.code : null;
}
