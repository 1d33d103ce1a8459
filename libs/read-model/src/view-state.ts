/** Whether the views of an account reflect all of its events. A statement that reads views can ask for it beside what it reads. */
import { isKnownType } from '@strongroom/contracts';
import { z } from 'zod';

/** @param account the account as SQL @returns columns of a select that `viewState` parses */
export function stateColumns(account: string): string {
  return `ledger_newest_of(${account}) > coalesce((select position from view_head where account_id = ${account}), 0) as behind,
    coalesce((select passed_over from view_head where account_id = ${account}), '{}') as passed_over`;
}

export const viewState = z.object({ behind: z.boolean(), passed_over: z.array(z.string()) });
export type ViewState = z.infer<typeof viewState>;

export function isUpToDate({ behind, passed_over }: ViewState): boolean {
  return !behind && !passed_over.some(isKnownType);
}
