/**
 * Removes the credentials of registrations that broke off, and of instances that were forgotten. The ledger judges, because
 * it is never behind: a credential that is still needed is never removed.
 */
import { streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import type { Ledger } from '@strongroom/ledger';

export interface LeftCredentialsParts {
  credentials: Credentials;
  ledger: Ledger;
}

/**
 * This is long enough for a registration that is under way, and for work that still has to tidy up on a forgotten
 * instance's server.
 */
const keptMs = 3_600_000;

/** @returns the instances whose credentials were removed */
export async function removeLeftCredentials(
  { credentials, ledger }: LeftCredentialsParts,
  olderThanMs = keptMs,
): Promise<string[]> {
  return credentials.removeOrphans(olderThanMs, async (instanceIds, until) => {
    const newest = await ledger.newestOfStreams(instanceIds.map((id) => streamOf('instance', id)));
    // An instance that was forgotten has no event after that.
    return instanceIds.filter((id) => {
      const event = newest.get(streamOf('instance', id));
      return !event || (event.type === 'InstanceForgotten' && event.at < until);
    });
  });
}
