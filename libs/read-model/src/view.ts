/** What a view is: a table, and the pure rules that make its rows from the events of one kind of aggregate. */
import type { Aggregate, EventType, EventTypeOf, RecordedEvent } from '@strongroom/contracts';
import type { EntitySchema, ValueTransformer } from 'typeorm';

/** The id of a row is that of its stream, and `version` is the version of the stream that the row reflects. */
export interface ViewRow {
  id: string;
  accountId: string;
  version: number;
}

export interface View<A extends Aggregate = Aggregate, Row extends ViewRow = ViewRow> {
  aggregate: A;
  table: EntitySchema<Row>;
  /** Gives the row after the event from the row before it. Undefined means that there is no row. */
  fold: { [T in EventTypeOf<A>]: (row: Row | undefined, event: RecordedEvent<T>) => Row | undefined };
}

/** The row after events of one stream that begins with them; undefined when there is none. */
export function rowOf<A extends Aggregate, Row extends ViewRow>(
  view: View<A, Row>,
  events: readonly RecordedEvent[],
): Row | undefined {
  return events.reduce<Row | undefined>((row, event) => {
    const rule = view.fold[event.type as keyof typeof view.fold] as (
      row: Row | undefined,
      event: RecordedEvent,
    ) => Row | undefined;
    return rule(row, event);
  }, undefined);
}

/** The rule for events that do not change a view. */
export function unchanged<Row>(row: Row | undefined): Row | undefined {
  return row;
}

/** What an event changes of a row that is there, whatever the row holds. It can be written without a look at the row. */
export type Change<Row extends ViewRow, Event = RecordedEvent> = (event: Event) => Partial<Row>;

/** Makes rules for events that only change a row that is there. Each tells its change apart. */
export function changing<Row extends ViewRow & { updatedAt: Date }>() {
  return <T extends EventType>(update: Change<Row, RecordedEvent<T>>) => {
    const change = (event: RecordedEvent<T>) => {
      const changed = update(event);
      changed.updatedAt = new Date(event.at);
      changed.version = event.version;
      return changed;
    };
    const rule = (row: Row | undefined, event: RecordedEvent<T>): Row | undefined =>
      row && { ...row, ...change(event) };
    return Object.assign(rule, { change });
  };
}

/** PostgreSQL's bigint as a number: byte counts stay far below 2^53. */
export const bigintAsNumber: ValueTransformer = {
  to: (value: number | null | undefined) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};

/** A page's size, and the last item of the page before. */
export interface PageRequest {
  limit: number;
  marker?: string | undefined;
}

/** Items, and whether more follow. */
export interface Page<Row> {
  items: Row[];
  more: boolean;
}

/** Cuts off the last row when there is one too many, which tells that more follow. */
export function cut<Row>(rows: Row[], limit: number): Page<Row> {
  return { items: rows.slice(0, limit), more: rows.length > limit };
}
