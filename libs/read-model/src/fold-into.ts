/** Folds events into the tables of the views, and takes the rows of streams out of them. A row depends on one stream only. */
import { aggregateOfEvent, idOf, type RecordedEvent } from '@strongroom/contracts';
import { type EntityManager, type EntitySchema, In } from 'typeorm';
import { backupView } from './backup-view.js';
import { copyView } from './copy-view.js';
import { instanceView } from './instance-view.js';
import { runView } from './run-view.js';
import { scheduleView } from './schedule-view.js';
import type { View, ViewRow } from './view.js';

const views = [instanceView, scheduleView, backupView, runView, copyView] as const;

/** The entities that the data source needs. */
export const viewTables: EntitySchema[] = views.map(({ table }) => table as EntitySchema);

/** Folds events, which are in order, into every view. */
export async function foldInto(manager: EntityManager, events: readonly RecordedEvent[]): Promise<void> {
  for (const view of views) await foldIntoOne(manager, view as View, events);
}

/** Takes the rows of streams out of every view. */
export async function takeOut(manager: EntityManager, streams: readonly string[]): Promise<void> {
  for (const { aggregate, table } of views) {
    const ids = streams.filter((stream) => stream.startsWith(`${aggregate}-`)).map(idOf);
    if (ids.length > 0) await manager.delete(table as EntitySchema, { id: In(ids) });
  }
}

/** Takes some rows of an account out of every view. @returns whether there may be more */
export async function takeOutSome(manager: EntityManager, accountId: string, limit: number): Promise<boolean> {
  let isMore = false;
  for (const view of views) {
    const { table } = view as View;
    const rows = await manager.find(table, { select: { id: true }, where: { accountId }, take: limit });
    if (rows.length > 0) await manager.delete(table, { id: In(rows.map(({ id }) => id)) });
    isMore ||= rows.length === limit;
  }
  return isMore;
}

async function foldIntoOne(manager: EntityManager, view: View, events: readonly RecordedEvent[]): Promise<void> {
  const own = events.filter(({ type }) => aggregateOfEvent[type] === view.aggregate);
  if (own.length === 0) return;
  const ids = [...new Set(own.map(({ stream }) => idOf(stream)))];
  const before = await manager.find(view.table, { where: { id: In(ids) } });
  const rows = new Map<string, ViewRow | undefined>(before.map((row) => [row.id, row]));
  for (const event of own) {
    const id = idOf(event.stream);
    const rule = view.fold[event.type as keyof View['fold']] as (
      row: ViewRow | undefined,
      event: RecordedEvent,
    ) => ViewRow | undefined;
    rows.set(id, rule(rows.get(id), event));
  }
  const kept = [...rows.values()].filter((row) => row !== undefined);
  if (kept.length > 0) await manager.upsert(view.table, kept, ['id']);
  const gone = before.map(({ id }) => id).filter((id) => rows.get(id) === undefined);
  if (gone.length > 0) await manager.delete(view.table, { id: In(gone) });
}
