/** The row of `view_head` that tells how far the views of an account are. Whoever folds them holds its lock. */
import type { ReadEvents } from '@strongroom/ledger';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

/** How far the views of an account are, and what they lack. */
export interface Head {
  position: number;
  passedOver: string[];
  /** Up to here nothing is missing that some version has passed over. */
  wholeUntil: number;
}

const rows = z
  .array(z.object({ position: z.coerce.number(), passed_over: z.array(z.string()), whole_until: z.coerce.number() }))
  .length(1);

/** The head of an account of which nothing is folded, and no row is left. */
export const firstHead: Head = { position: 0, passedOver: [], wholeUntil: 0 };

/** Takes the lock until the end of the transaction. */
export async function lockHead(manager: EntityManager, accountId: string): Promise<Head> {
  await manager.query('insert into view_head (account_id) values ($1) on conflict do nothing', [accountId]);
  const found: unknown = await manager.query(
    'select position, passed_over, whole_until from view_head where account_id = $1 for update',
    [accountId],
  );
  const [row] = rows.parse(found);
  const head = row
    ? { position: row.position, passedOver: row.passed_over, wholeUntil: row.whole_until }
    : { ...firstHead };
  if (head.position >= head.wholeUntil || isToBegin(head)) return head;
  // Somebody has set the position back, to have what comes then folded anew.
  return { ...head, wholeUntil: head.position };
}

export async function keepHead(
  manager: EntityManager,
  accountId: string,
  { position, passedOver, wholeUntil }: Head,
): Promise<void> {
  await manager.query('update view_head set position = $2, passed_over = $3, whole_until = $4 where account_id = $1', [
    accountId,
    position,
    passedOver,
    wholeUntil,
  ]);
}

/** Whether the account is to be folded anew: somebody has set its position back to 0. That stays until all of its rows are gone. */
export function isToBegin({ position, wholeUntil }: Head): boolean {
  return position === 0 && wholeUntil > 0;
}

/** The head of an account that is to be folded anew. */
export function headToBegin({ wholeUntil }: Head): Head {
  return { position: 0, passedOver: [], wholeUntil: Math.max(1, wholeUntil) };
}

/** What was passed over first ends what is whole, until a version that knows it has folded it. */
export function wholeAfter({ passedOver, wholeUntil }: Head, { newer: [first] }: ReadEvents, position: number): number {
  if (passedOver.length > 0) return wholeUntil;
  return first ? first.position - 1 : position;
}
