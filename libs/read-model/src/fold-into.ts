/** Folds events into the tables of the views, and takes the rows of streams out of them. A row depends on one stream only. */
import { idOf, type RecordedEvent } from '@strongroom/contracts';
import { type EntityManager, type EntitySchema, In } from 'typeorm';
import { backupView } from './backup-view.js';
import { copyView } from './copy-view.js';
import { instanceView } from './instance-view.js';
import { restoreTestView } from './restore-test-view.js';
import { runView } from './run-view.js';
import { scheduleView } from './schedule-view.js';
import { type Change, unchanged, type View, type ViewRow } from './view.js';
import { ViewRows } from './view-rows.js';
import { webhookView } from './webhook-view.js';

type Rule = ((row: ViewRow | undefined, event: RecordedEvent) => ViewRow | undefined) & { change?: Change<ViewRow> };

interface FoldedView {
  aggregate: View['aggregate'];
  table: EntitySchema;
  rows: ViewRows;
  /** The rules by type of event, without those that change nothing. */
  rules: ReadonlyMap<string, Rule>;
}

/** The rules of a view are exactly those of the events of its aggregate, so a rule only gets events of its own type. */
const all = [instanceView, scheduleView, backupView, runView, restoreTestView, copyView, webhookView];
const views = all.map((view): FoldedView => {
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
    foldRows(view, { rows, touched: new Set(), changes: new Map() }, events);
    await view.rows.renew(
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

/** Rows of a view while events are folded into them. They belong to the fold alone. */
interface Folding {
  rows: Map<string, ViewRow | undefined>;
  /** The rows that the events have changed, made or ended. */
  touched: Set<string>;
  /** What is changed of rows that nobody has looked at. */
  changes: Map<string, Partial<ViewRow>>;
}

async function foldIntoOne(manager: EntityManager, view: FoldedView, events: readonly RecordedEvent[]): Promise<void> {
  const own = events.filter(({ type }) => view.rules.has(type));
  if (own.length === 0) return;
  const begins = beginsOf(view, own);
  const idsOf = (begin: Begin) => [...begins].filter(([, each]) => each === begin).map(([id]) => id);
  const rows = new Map<string, ViewRow | undefined>(await view.rows.read(manager, idsOf('row')));
  const folding: Folding = {
    rows,
    touched: new Set(),
    changes: new Map(idsOf('change').map((id) => [id, {}])),
  };
  foldRows(view, folding, own);
  await view.rows.change(manager, folding.changes);
  const touched = [...folding.touched];
  await view.rows.put(
    manager,
    touched.flatMap((id) => rows.get(id) ?? []),
  );
  await view.rows.remove(
    manager,
    touched.filter((id) => !rows.get(id)),
  );
}

function foldRows(view: FoldedView, { rows, touched, changes }: Folding, events: readonly RecordedEvent[]): void {
  for (const event of events) {
    const rule = view.rules.get(event.type);
    if (!rule) continue;
    const id = rowIdOf(event);
    const unread = changes.get(id);
    const before = unread ?? rows.get(id);
    if (before && rule.change) {
      // To change the row that is there costs much less than to make another one of so many fields.
      Object.assign(before, rule.change(event));
      if (!unread) touched.add(id);
      continue;
    }
    const row = rule(rows.get(id), event);
    if (row && row.id.toLowerCase() !== id)
      throw new Error(`${event.stream} tells of ${row.id}, which is not its own id`);
    if (row !== before) touched.add(id);
    rows.set(id, row);
  }
}

/** Where the fold of a row begins: at nothing, at the row of the table, or at no row, because all events only change some fields of it. */
type Begin = 'nothing' | 'row' | 'change';

function beginsOf(view: FoldedView, events: readonly RecordedEvent[]): Map<string, Begin> {
  const begins = new Map<string, Begin>();
  for (const event of events) {
    const id = rowIdOf(event);
    const before = begins.get(id);
    // A stream that begins with these events has no row yet.
    if (before === undefined && event.version === 1) begins.set(id, 'nothing');
    else if (before === undefined || before === 'change') {
      begins.set(id, view.rules.get(event.type)?.change ? 'change' : 'row');
    }
  }
  return begins;
}

/** As the database writes it. */
function rowIdOf({ stream }: RecordedEvent): string {
  return idOf(stream).toLowerCase();
}
