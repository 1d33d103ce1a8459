/** The definitions of a schedule as they would be after a change, by the decider that makes the change. */
import { isRefusal, type RecordedEvent, type Refusal } from '@strongroom/contracts';
import { decide, fold } from '../decider.js';
import { type ScheduleDefinition, scheduleDecider } from '../schedule.js';
import { type DefinedSince, definitionsOf } from '../slots.js';

/**
 * @param history the events of the schedule
 * @param at when the change is made
 * @returns the refusal of the change, when it is refused
 */
export function spansAfter(
  history: readonly RecordedEvent[],
  changes: Partial<ScheduleDefinition>,
  at: Date,
): DefinedSince[] | Refusal {
  const state = fold(scheduleDecider, history);
  const { accountId = '', data: { scheduleId = '' } = {} } = history.find(isCreation) ?? {};
  const decision = decide(scheduleDecider, { type: 'UpdateSchedule', accountId, scheduleId, changes }, state);
  if (isRefusal(decision)) return decision;
  const newest = history.at(-1);
  const told = decision.events.flatMap((event) =>
    newest ? [{ ...newest, ...event, version: newest.version + 1, at: at.toISOString() }] : [],
  );
  return definitionsOf([...history, ...told]);
}

function isCreation(event: RecordedEvent): event is RecordedEvent<'ScheduleCreated'> {
  return event.type === 'ScheduleCreated';
}
