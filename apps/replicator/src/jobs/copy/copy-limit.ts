/** Ends the work at a copy that takes longer than the operator allows: a vault that gives a little for ever would keep a place of its lane. */
import { afterMs, type Hold } from '@strongroom/runtime';
import { VaultFault } from '@strongroom/vault';

/**
 * @param longestMs how long the work may take; undefined for as long as it needs
 * @param work gets a hold that ends in time
 * @throws {VaultFault} `copy-limit-reached`; or what the work throws
 */
export async function withinLongest<T>(
  hold: Hold,
  { longestMs, backupId, region }: { longestMs: number | undefined; backupId: string; region: string },
  work: (hold: Hold) => Promise<T>,
): Promise<T> {
  if (longestMs === undefined) return work(hold);
  const ending = new AbortController();
  const stop = afterMs(longestMs, () => ending.abort(tooLong(longestMs, backupId, region)));
  try {
    return await work({ ...hold, signal: AbortSignal.any([hold.signal, ending.signal]) });
  } catch (error) {
    throw ending.signal.aborted && !hold.signal.aborted ? ending.signal.reason : error;
  } finally {
    stop();
  }
}

function tooLong(ms: number, backupId: string, region: string): VaultFault {
  const hours = ms < 3_600_000 ? `${ms / 1_000} s` : `${Math.round(ms / 360_000) / 10} h`;
  return new VaultFault(
    'copy-limit-reached',
    region,
    `The copy of backup ${backupId} to ${region} was not there after ${hours}, which is the longest that one may take (STRONGROOM_COPY_LONGEST_HOURS). See whether one of its vaults, or the network between them, is slow.`,
  );
}
