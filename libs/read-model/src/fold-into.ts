/** Folds events into the tables of the views, and takes the rows of streams out of them. A row depends on one stream only. */
import { idOf, type RecordedEvent } from '@strongroom/contracts';
import { type EntityManager, type EntitySchema, In } from 'typeorm';
import { backupView } from './backup-view.js';
import { copyView } from './copy-view.js';
import { instanceView } from './instance-view.js';
import { runView } from './run-view.js';
import { scheduleView } from './schedule-view.js';
import { unchanged, type View, type ViewRow } from './view.js';
import { ViewRows } from './view-rows.js';

type Rule = (row: ViewRow | undefined, event: RecordedEvent) => ViewRow | undefined;

interface FoldedView {
  aggregate: View['aggregate'];
  table: EntitySchema;
  rows: ViewRows;
  /** The rules by type of event, without those that change nothing. */
  rules: ReadonlyMap<string, Rule>;
}

/** The rules of a view are exactly those of the events of its aggregate, so a rule only gets events of its own type. */
const views = [instanceView, scheduleView, backupView, runView, copyView].map((view): FoldedView => {
  const table = view.table as EntitySchema;
  const rules = Object.entries(view.fold).filter(([, rule]) => rule !== unchanged);
  return {
    aggregate: view.aggregate,
    table,
    rows: new ViewRows(view.aggregate, table),
    rules: new Map(rules as [string, Rule][]),
  };
});

/** The entities that the data source needs. */
export const viewTables: EntitySchema[] = views.map(({ table }) => table);

/** Folds events into every view. Those of each stream are in order. */
export async function foldInto(manager: EntityManager, events: readonly RecordedEvent[]): Promise<void> {
  for (const view of views) await foldIntoOne(manager, view, events);
}

/** Replaces the rows of streams by what their events give, which are all of them. */
export async function foldAnewInto(
  manager: EntityManager,
  streams: readonly string[],
  events: readonly RecordedEvent[],
): Promise<void> {
  for (const view of views) {
    const ids = streams.filter((stream) => stream.startsWith(`${view.aggregate}-`)).map(idOf);
    const rows = new Map<string, ViewRow | undefined>(ids.map((id) => [id.toLowerCase(), undefined]));
    foldRows(view, rows, events);
    await view.rows.put(
      manager,
      [...rows.values()].flatMap((row) => row ?? []),
    );
    await view.rows.remove(
      manager,
      [...rows].filter(([, row]) => !row).map(([id]) => id),
    );
  }
}

/** Takes some rows of an account out of every view. @returns whether there may be more */
export async function takeOutSome(manager: EntityManager, accountId: string, limit: number): Promise<boolean> {
  let isMore = false;
  for (const { table } of views) {
    const rows = await manager.find(table, { select: { id: true }, where: { accountId }, take: limit });
    if (rows.length > 0) await manager.delete(table, { id: In(rows.map(({ id }) => id)) });
    isMore ||= rows.length === limit;
  }
  return isMore;
}

/** Removes the rows that no event tells of. */
export async function sweepRows(manager: EntityManager): Promise<void> {
  for (const { rows } of views) {
    for (let after = await rows.sweep(manager, undefined); after !== undefined; )
      after = await rows.sweep(manager, after);
  }
}

async function foldIntoOne(manager: EntityManager, view: FoldedView, events: readonly RecordedEvent[]): Promise<void> {
  const own = events.filter(({ type }) => view.rules.has(type));
  if (own.length === 0) return;
  const before = await view.rows.read(manager, idsBegunBefore(own));
  const rows = new Map<string, ViewRow | undefined>(before);
  foldRows(view, rows, own);
  const changed = [...rows].filter(([id, row]) => row !== before.get(id));
  await view.rows.put(
    manager,
    changed.flatMap(([, row]) => row ?? []),
  );
  await view.rows.remove(
    manager,
    changed.filter(([, row]) => !row).map(([id]) => id),
  );
}

function foldRows(view: FoldedView, rows: Map<string, ViewRow | undefined>, events: readonly RecordedEvent[]): void {
  for (const event of events) {
    const rule = view.rules.get(event.type);
    if (!rule) continue;
    const id = rowIdOf(event);
    const row = rule(rows.get(id), event);
    if (row && row.id.toLowerCase() !== id)
      throw new Error(`${event.stream} tells of ${row.id}, which is not its own id`);
    rows.set(id, row);
  }
}

/** A stream that begins with these events has no row yet. */
function idsBegunBefore(events: readonly RecordedEvent[]): string[] {
  const begun = new Map<string, boolean>();
  for (const event of events) {
    const id = rowIdOf(event);
    if (!begun.has(id)) begun.set(id, event.version > 1);
  }
  return [...begun].filter(([, isBegunBefore]) => isBegunBefore).map(([id]) => id);
}

/** As the database writes it. */
function rowIdOf({ stream }: RecordedEvent): string {
  return idOf(stream).toLowerCase();
}
