/**
 * Removes the credentials of registrations that broke off, of instances that were forgotten, and those that a change has
 * replaced. The ledger judges, because it is never behind: a credential that is still needed is never removed.
 */
import { streamOf } from '@strongroom/contracts';
import type { CredentialName, Credentials } from '@strongroom/credentials';
import { fold, instanceDecider } from '@strongroom/domain';
import { isOutageForAll, type Ledger } from '@strongroom/ledger';

export interface LeftCredentialsParts {
  credentials: Credentials;
  ledger: Ledger;
}

/**
 * This is long enough for a registration or a change that is under way, for an attempt that has read the former credential's
 * name, and for work that still has to tidy up on a forgotten instance's server.
 */
const keptMs = 3_600_000;

/** @returns the instances of which credentials were removed */
export async function removeLeftCredentials(
  { credentials, ledger }: LeftCredentialsParts,
  olderThanMs = keptMs,
): Promise<string[]> {
  const orphans = await credentials.removeOrphans(olderThanMs, async (instanceIds, until) => {
    const newest = await ledger.newestOfStreams(instanceIds.map((id) => streamOf('instance', id)));
    // An instance that was forgotten has no event after that.
    return instanceIds.filter((id) => {
      const event = newest.get(streamOf('instance', id));
      return !event || (event.type === 'InstanceForgotten' && event.at < until);
    });
  });
  const replaced = await credentials.removeReplaced(olderThanMs, async (instanceIds, until) => {
    const inForce: CredentialName[] = [];
    for (const id of instanceIds) inForce.push(...(await inForceSince(ledger, id, until)));
    return inForce;
  });
  return [...new Set([...orphans, ...replaced.map(({ instanceId }) => instanceId)])];
}

/** None when it has changed later, and when the instance's events can't be read: then everything stays. */
async function inForceSince(ledger: Ledger, instanceId: string, until: Date): Promise<CredentialName[]> {
  try {
    const history = await ledger.readStream(streamOf('instance', instanceId));
    const changed = history.findLast(({ type }) => type === 'InstanceChanged');
    const state = fold(instanceDecider, history);
    if (state.is !== 'registered' || (changed && new Date(changed.at) >= until)) return [];
    return [{ instanceId, credentialId: state.credentialId ?? null }];
  } catch (error) {
    if (isOutageForAll(error)) throw error;
    return [];
  }
}
