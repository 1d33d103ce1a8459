/** Whether the views of an account reflect all of its events. A statement that reads views can ask for it beside what it reads. */
import { isKnownType } from '@strongroom/contracts';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

export const viewState = z.object({
  /** Whether the ledger has events that the views do not reflect. */
  isBehind: z.boolean(),
  /** The types of events that an older version has passed over. */
  passedOver: z.array(z.string()),
});
/** How the views of an account stand, as it is seen without the lock of its head. */
export type ViewState = z.infer<typeof viewState>;

const states = z.array(viewState.extend({ accountId: z.string() }));

/** @param account the account as SQL @returns columns of a select that `viewState` parses */
export function stateColumns(account: string): string {
  return `ledger_newest_of(${account}) > coalesce((select position from view_head where account_id = ${account}), 0) as "isBehind",
    coalesce((select passed_over from view_head where account_id = ${account}), '{}') as "passedOver"`;
}

export async function statesOf(
  database: Pick<EntityManager, 'query'>,
  accountIds: readonly string[],
): Promise<Map<string, ViewState>> {
  const found: unknown = await database.query(
    `select asked.id as "accountId", ${stateColumns('asked.id')} from unnest($1::text[]) as asked(id)`,
    [accountIds],
  );
  return new Map(states.parse(found).map(({ accountId, ...state }) => [accountId, state]));
}

export function isUpToDate({ isBehind, passedOver }: ViewState): boolean {
  return !isBehind && !passedOver.some(isKnownType);
}
