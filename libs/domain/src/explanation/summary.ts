/**
 * The short answer to "why" about one thing, made from the newest event of each type in its streams. So no more is parsed of a long
 * history, and any part of a history gives an answer.
 */
import type { Aggregate, EventType, RecordedEvent } from '@strongroom/contracts';
import { isCopyCompletion } from '../completions.js';
import { nextSlot, plannedType } from '../slots.js';
import { explainedEvent } from './explained-event.js';
import { asSentence, definitionInWords, listed, toSecond } from './words.js';

/** What is explained, and the newest event of each type that tells of it. */
export interface Explained {
  kind: Aggregate;
  /** Of its own stream. */
  own: readonly RecordedEvent[];
  /**
   * Of a schedule that is paused: the first event of this pause, and the newest of it that has a reason. Others of the same pause may be
   * among them. Default: none.
   */
  pause?: readonly RecordedEvent[];
  /** Of a backup: the events of its copies. Default: none. */
  copies?: readonly RecordedEvent[];
  /** Of a backup: the events of the schedule that made it. Default: none. */
  schedule?: readonly RecordedEvent[];
}

/** @param asOf for which time it is answered. @param nameOf as `explainedEvent` has it */
export function summaryOf(explained: Explained, asOf: Date, nameOf = (actor: string) => actor): string {
  const of = new Newest(explained.own, nameOf);
  const summaries: Record<Aggregate, () => string[]> = {
    instance: () => [of.sentence(of.lastOf(serverMeans)), of.sentence(of.lastOf(['InstanceChanged']))],
    schedule: () => ofSchedule(of, explained, asOf),
    backup: () => ofBackup(of, explained, asOf),
    copy: () => [of.sentence(of.lastOf(copyMeans))],
    webhook: () => [of.sentence(of.lastOf(webhookMeans))],
  };
  return summaries[explained.kind]()
    .filter((each) => each !== '')
    .join(' ');
}

/** What tells how the server of an instance stands. */
const serverMeans = [
  ...(['InstanceRegistered', 'InstanceBuildRequested', 'InstanceBuildAttemptFailed', 'InstanceBuilt'] as const),
  ...(['InstanceBuildFailed', 'InstanceServerDown', 'InstanceServerUp', 'InstanceForgotten'] as const),
] satisfies EventType[];
/** What tells how a copy stands; the others tell how it came there. */
const copyMeans = [
  ...(['CopyRequested', 'CopyStarted', 'CopyAttemptFailed', 'CopyCompleted', 'CopyFailed', 'CopyStranded'] as const),
  ...(['CopyCatalogued', 'CopyLost', 'CopyDeletionRequested', 'CopyDeleted'] as const),
] satisfies EventType[];
/** What tells whether anything is sent to a webhook. */
const webhookMeans = [
  ...(['WebhookCreated', 'WebhookUpdated', 'WebhookDisabled', 'WebhookDeleted'] as const),
] satisfies EventType[];
/** What tells how the work on a backup stands. */
const workMeans = [
  ...(['BackupStarted', 'BackupAttemptFailed', 'BackupCompleted', 'BackupFailed'] as const),
] satisfies EventType[];
/** What tells whether a backup goes. */
const deletionMeans = [
  ...(['BackupDeletionMarked', 'BackupDeletionReverted', 'BackupDeletionRequested', 'BackupDeleted'] as const),
  ...(['BackupDeletionFailed', 'BackupDeletionPutOff', 'BackupDeletionCalledOff'] as const),
] satisfies EventType[];

type OfType<T extends EventType> = Extract<RecordedEvent, { type: T }>;

class Newest {
  private readonly events: readonly RecordedEvent[];

  constructor(
    events: readonly RecordedEvent[],
    private readonly nameOf: (actor: string) => string,
  ) {
    this.events = events.toSorted((one, other) => one.position - other.position);
  }

  lastOf<T extends EventType>(types: readonly T[]): OfType<T> | undefined {
    return this.events.findLast((event): event is OfType<T> => isOneOf(event.type, types));
  }

  sentence(event: RecordedEvent | undefined): string {
    return event ? explainedEvent(event, this.nameOf).sentence : '';
  }
}

function isOneOf(type: EventType, types: readonly EventType[]): boolean {
  return types.includes(type);
}

function ofSchedule(of: Newest, { pause = [] }: Explained, asOf: Date): string[] {
  const deleted = of.lastOf(['ScheduleDeleted']);
  if (deleted) return [of.sentence(deleted)];
  const defined = of.lastOf(['ScheduleCreated', 'ScheduleUpdated']);
  if (!defined) return [];
  const says = definitionInWords(defined.data);
  if (defined.data.paused) {
    // What is changed of a paused schedule begins no other pause, and its reason stays until another one is given.
    const ofPause = [...pause, defined].toSorted((one, other) => one.position - other.position);
    const since = ofPause[0]?.at ?? defined.at;
    const reason = ofPause.findLast(({ context }) => context.reason !== undefined)?.context.reason;
    const why = reason === undefined ? '' : `The reason that was given: ${asSentence(reason)}`;
    return [`The schedule has been paused since ${toSecond(since)}.`, why, says];
  }
  return [`The schedule runs next at ${toSecond(nextSlot(defined.data, asOf).toISOString())}.`, says];
}

function ofBackup(of: Newest, { copies = [], schedule = [] }: Explained, asOf: Date): string[] {
  const found = of.lastOf(['BackupCatalogued']);
  if (found) return [of.sentence(found), ...ofCopies(of, copies, []), whetherItGoes(of, schedule, asOf)];
  const begun = of.lastOf(['SlotSkipped', 'SlotMissed', 'BackupRequested']);
  if (begun?.type !== 'BackupRequested') return [of.sentence(begun)];
  const work = of.lastOf(workMeans);
  const isIncremental = work?.type === 'BackupCompleted' && work.data.type === 'incremental';
  return [
    of.sentence(begun),
    isIncremental ? '' : of.sentence(of.lastOf(['BackupMadeFull'])),
    of.sentence(of.lastOf(['BackupDelayed'])),
    work ? of.sentence(work) : 'It has not begun yet.',
    ...(work?.type === 'BackupCompleted' ? ofCopies(of, copies, work.data.copyTo) : []),
    whetherItGoes(of, schedule, asOf),
  ];
}

/** The regions that have the backup in one sentence, and what hinders each of the others. */
function ofCopies(of: Newest, copies: readonly RecordedEvent[], owedTo: readonly string[]): string[] {
  const streams = [...new Set(copies.map(({ stream }) => stream))];
  const newest = streams.flatMap((stream) => {
    const ofStream = copies.filter((event) => event.stream === stream);
    return new Newest(ofStream, (name) => name).lastOf(copyMeans) ?? [];
  });
  const there = newest.flatMap((event) => (isCopyCompletion(event) ? event.data.region : []));
  const told = newest.map(({ data }) => data.region);
  const untold = owedTo.filter((region) => !told.includes(region));
  return [
    there.length > 0 ? `A copy of it is in ${listed(there.toSorted())}.` : '',
    ...newest.filter((event) => !isCopyCompletion(event)).map((event) => of.sentence(event)),
    untold.length > 0 ? `A copy to ${listed(untold)} is owed, and is not asked for yet.` : '',
  ];
}

function whetherItGoes(of: Newest, schedule: readonly RecordedEvent[], asOf: Date): string {
  const deletion = of.lastOf(deletionMeans);
  const isCalledOff = deletion?.type === 'BackupDeletionReverted' || deletion?.type === 'BackupDeletionCalledOff';
  if (deletion && !isCalledOff) return of.sentence(deletion);
  const hold = of.lastOf(['BackupHeld', 'BackupHoldLifted']);
  if (hold?.type === 'BackupHeld') return of.sentence(hold);
  if (of.lastOf(['BackupCatalogued'])) return stays('it was found in a vault');
  const completed = of.lastOf(['BackupCompleted']);
  const asked = of.lastOf(['BackupRequested']);
  if (!completed || !asked) return '';
  // What somebody has brought back is kept as what somebody has asked for.
  if (of.lastOf(['BackupDeletionReverted'])) return stays('somebody brought it back');
  return whenRetentionDeletes(asked, new Newest(schedule, (name) => name), asOf);
}

/**
 * By the rule of `retention.ts`: a backup of a slot goes when as many newer cycles are whole as the schedule keeps. The slots that are
 * planned full say when that is at the earliest.
 */
function whenRetentionDeletes({ data: { slotAt } }: OfType<'BackupRequested'>, schedule: Newest, asOf: Date): string {
  if (slotAt === null)
    return 'Retention does not delete it, because somebody asked for it: it stays until somebody deletes it.';
  if (schedule.lastOf(['ScheduleDeleted'])) return stays('its schedule is deleted');
  const defined = schedule.lastOf(['ScheduleCreated', 'ScheduleUpdated']);
  if (!defined) return '';
  const { dayOfWeek, fullBackupRetention: cycles } = defined.data;
  let due = new Date(slotAt);
  for (let left = cycles; left > 0; ) {
    due = nextSlot(defined.data, due);
    if (plannedType(dayOfWeek, due) === 'full') left -= 1;
  }
  const newer = cycles === 1 ? '1 newer cycle is' : `${cycles} newer cycles are`;
  const when = due > asOf ? `, which is after the slot of ${toSecond(due.toISOString())} at the earliest` : '';
  return `Retention deletes it when ${newer} complete and in every region that is owed a copy${when}.`;
}

function stays(because: string): string {
  return `Retention does not delete it, because ${because}: it stays until somebody deletes it.`;
}
