/**
 * The answer to a request that has made something. It is made from what was appended, and never from a later read: a read may fail,
 * and after the commit nothing may turn the success into an error.
 */
import type { Aggregate, RecordedEvent } from '@strongroom/contracts';
import { rowOf, type View, type ViewRow } from '@strongroom/read-model';

/** Shows what an operation has made, as its answer does. */
export type Made =
  | { aggregate: Aggregate; show(events: readonly RecordedEvent[]): object | Promise<object> }
  /** What it has made has no stream of its own, and is found by its id. */
  | { find(resourceId: string): Promise<object> };

/** By name of operation. An operation that is not there makes nothing. */
export type MadeBy = ReadonlyMap<string, Made>;
export const madeByToken = Symbol('MadeBy');

/** The row of a view after the events that one request has appended to a new stream. */
export function madeRow<A extends Aggregate, Row extends ViewRow>(
  view: View<A, Row>,
  events: readonly RecordedEvent[],
): Row {
  const row = rowOf(view, events);
  if (!row) throw new TypeError(`no ${view.aggregate} was made by ${events.map(({ type }) => type).join(', ')}`);
  return row;
}

/** The events by which a request has made the stream. What follows from them has a cause, and other requests have other ids. */
export function eventsOfMaking(history: readonly RecordedEvent[]): RecordedEvent[] {
  const [first] = history;
  const isOther = ({ context }: RecordedEvent) =>
    context.causationId !== null || context.requestId !== first?.context.requestId;
  const end = history.findIndex(isOther);
  return history.slice(0, end === -1 ? history.length : end);
}
