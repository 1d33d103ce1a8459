/**
 * Folds the ledger into the views. The events of an account are folded in the order of the ledger, under the lock of the
 * account's row in `view_head`.
 *
 * The projection folds when the feed brings an event, and a reader folds what is missing before it reads. Both do the same,
 * so a read reflects every append before it, and a repetition changes nothing.
 *
 * An older version skips events of which only a newer version knows the type, or a value in them, and notes which. A version
 * that knows them folds the account again from the start.
 */
import { aggregateOfEvent, idOf, isKnownType, type RecordedEvent } from '@strongroom/contracts';
import type { Ledger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import { type DataSource, type EntityManager, type EntitySchema, In } from 'typeorm';
import { z } from 'zod';
import { backupView } from './backup-view.js';
import { copyView } from './copy-view.js';
import { instanceView } from './instance-view.js';
import { runView } from './run-view.js';
import { scheduleView } from './schedule-view.js';
import type { View, ViewRow } from './view.js';

const views = [instanceView, scheduleView, backupView, runView, copyView] as const;

/** The entities that the data source needs. */
export const viewTables: EntitySchema[] = views.map(({ table }) => table as EntitySchema);

const batchSize = 500;
const head = z
  .array(z.object({ position: z.coerce.number(), passed_over: z.array(z.string()) }))
  .length(1)
  .transform(([row]) => ({ position: row?.position ?? 0, passedOver: row?.passed_over ?? [] }));
const states = z.array(z.object({ behind: z.boolean(), passed_over: z.array(z.string()) })).length(1);

export class Views {
  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: Ledger,
  ) {}

  /** Returns when the account's views reflect every event appended before the call. */
  async catchUp(accountId: string): Promise<void> {
    const rows: unknown = await this.dataSource.query(
      `select ledger_newest_of($1) > coalesce((select position from view_head where account_id = $1), 0) as behind,
         coalesce((select passed_over from view_head where account_id = $1), '{}') as passed_over`,
      [accountId],
    );
    const [state] = states.parse(rows);
    if (!state?.behind && !state?.passed_over.some(isKnownType)) return;
    while ((await this.dataSource.transaction((manager) => this.foldNext(manager, accountId))) === batchSize);
  }

  /**
   * As `catchUp`, for each account once. An account with an event that this version can't read holds up no other. Its views
   * show what came before that event, and the log says so.
   */
  async catchUpEach(accountIds: Iterable<string>, log: Logger): Promise<void> {
    for (const accountId of new Set(accountIds)) {
      try {
        await this.catchUp(accountId);
      } catch (error) {
        if (!(error instanceof z.ZodError)) throw error;
        log.error(
          { err: error, accountId },
          `account ${accountId} has an event that can't be read: its views stop there`,
        );
      }
    }
  }

  /** Drops every row and folds the whole ledger again. The views are the same after it. */
  async rebuild(): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      // The lock keeps projections and readers out until the empty views are committed.
      await manager.query('lock table view_head in access exclusive mode');
      for (const { table } of views) await manager.clear(table as EntitySchema);
      await manager.query('delete from view_head');
    });
    for (const accountId of await this.ledger.accounts()) await this.catchUp(accountId);
  }

  /** Folds the account's next events. @returns how many there were */
  private async foldNext(manager: EntityManager, accountId: string): Promise<number> {
    await manager.query('insert into view_head (account_id) values ($1) on conflict do nothing', [accountId]);
    const rows: unknown = await manager.query(
      'select position, passed_over from view_head where account_id = $1 for update',
      [accountId],
    );
    let { position, passedOver } = head.parse(rows);
    if (passedOver.some(isKnownType)) {
      for (const { table } of views) await manager.delete(table as EntitySchema, { accountId });
      [position, passedOver] = [0, []];
    }
    const { events, newerTypes, read, end } = await this.ledger.tailOfAccount(manager, accountId, position, batchSize);
    for (const view of views) await foldInto(manager, view as View, events);
    await manager.query('update view_head set position = $2, passed_over = $3 where account_id = $1', [
      accountId,
      end,
      [...new Set([...passedOver, ...newerTypes])],
    ]);
    return read;
  }
}

async function foldInto(manager: EntityManager, view: View, events: readonly RecordedEvent[]): Promise<void> {
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
