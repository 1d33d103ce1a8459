/**
 * Brings the views of an account up to date for a policy that can't do without them. When they can't be folded, the message is set
 * aside and those behind it go on: only an outage that everybody meets makes them wait.
 */
import { messageOf } from '@strongroom/contracts';
import { isOutageForAll } from '@strongroom/ledger';
import type { Views } from './views.js';

export async function bringUpToDate(views: Views, accountId: string): Promise<void> {
  try {
    await views.catchUp(accountId);
  } catch (error) {
    if (isOutageForAll(error)) throw error;
    const why = `the views of account ${accountId} can't be folded: ${messageOf(error)}`;
    throw new Error(why, { cause: error });
  }
}
