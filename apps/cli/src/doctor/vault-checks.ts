/**
 * Looks at the vault of each region as a service does when it starts: whether it answers, is the vault that the region has had, and keeps attempts
 * apart, which is found out by trying. The trial's objects are removed, and a vault that has no identity gets none here.
 */
import { messageOf } from '@strongroom/contracts';
import { recipients } from '@strongroom/runtime/light';
import { type BucketLock, openVaults, type VaultIdentity, type VaultMemory } from '@strongroom/vault';
import { UsageFault } from '../command-fault.js';
import { knownVaults } from '../vault-options.js';
import { type Finding, failed, noting, ok, type Told, unchecked, warning } from './finding.js';

/** @param vaultIdOf the vault that a region has had before, where that is known */
export async function checkVaults(vaultIdOf: VaultMemory['vaultIdOf']): Promise<Finding[]> {
  const found: Finding[] = [];
  const note = noting('vaults', found);
  const urls = addresses();
  if (urls instanceof UsageFault || urls.size === 0) {
    const why = urls instanceof UsageFault ? urls.message : 'No vault is known.';
    note('all', 'reach', unchecked(why, 'Set STRONGROOM_VAULTS as the services have it.'));
    return found;
  }
  const seen = new Map<string, string>();
  const memory: VaultMemory = {
    vaultIdOf,
    givesNone: true,
    async remember({ region, vaultId }) {
      const other = seen.get(vaultId);
      seen.set(vaultId, region);
      return [{ region: other ?? region, vaultId }];
    },
  };
  for (const [region, url] of urls) await checkVault(region, url, memory, note);
  const isSet = Boolean(process.env[recipients.name] ?? process.env[`${recipients.name}_FILE`]);
  note(
    'all',
    'keys',
    isSet
      ? ok(`${recipients.name} says whether backups are encrypted, and for whom.`)
      : unchecked(
          `${recipients.name} is not set here, so it is not known whether backups are encrypted.`,
          `Set ${recipients.name} as the scheduler has it.`,
        ),
  );
  return found;
}

function addresses(): Map<string, URL> | UsageFault {
  try {
    return knownVaults();
  } catch (error) {
    if (error instanceof UsageFault) return error;
    throw error;
  }
}

async function checkVault(
  region: string,
  url: URL,
  memory: VaultMemory,
  note: ReturnType<typeof noting>,
): Promise<void> {
  try {
    const vault = openVaults(new Map([[region, url]])).of(region);
    const identity = await vault.identify(memory);
    note(region, 'reach', ok('The vault answers.'));
    note(
      region,
      'identity',
      identity
        ? ok(`It is the vault ${identity.vaultId}.`)
        : warning(
            'It is a store without a vault: nothing was ever kept there.',
            'A service makes the vault when it starts. See that STRONGROOM_VAULTS names the right store.',
          ),
    );
    note(
      region,
      'conditional put',
      identity?.isReadOnly
        ? unchecked(
            'Our credential may only read there, so nothing was tried.',
            'Run it with the credential of the services.',
          )
        : ok('The store keeps attempts apart: this was tried.'),
    );
    for (const weakness of identity?.weaknesses ?? [])
      note(region, 'store', warning(`${weakness}.`, 'See docs/stores.md.'));
    note(
      region,
      'lock',
      vault.keeps ? lockTold(await vault.bucketLock(), identity) : ok('The store is asked to lock no objects.'),
    );
  } catch (error) {
    note(
      region,
      'reach',
      failed(messageOf(error), `See that the store of ${region} is there, and that STRONGROOM_VAULTS is right.`),
    );
  }
}

/** What is locked could not be removed again, so nothing is locked for a trial: the store is asked. */
function lockTold(lock: BucketLock | undefined, identity: VaultIdentity | undefined): Told {
  const asked = 'Its address has lock=, so the store is asked to keep each backup from everybody for a while';
  if (lock === 'on') return ok(`${asked}, and its bucket has Object Lock.`);
  if (lock === undefined) {
    const isTried = identity !== undefined && identity.isReadOnly !== true;
    return ok(`${asked}. ${isTried ? 'This was tried on vault.json.' : 'It is tried when a service makes the vault.'}`);
  }
  if (lock === 'off')
    return failed(
      `${asked}, and its bucket has no Object Lock: no backup can be stored there.`,
      'Make a bucket that has it, or leave lock= out of STRONGROOM_VAULTS. See docs/operations.md#buckets.',
    );
  if (lock === 'on-for-all')
    return warning(
      `${asked}, and its bucket locks all else as well: what attempts leave behind, and each state of a backup.`,
      'Take the default retention away from the bucket. Strongroom asks for the lock of each backup.',
    );
  return unchecked(
    `${asked}. Whether its bucket has Object Lock is not known, because our keys may not ask.`,
    'Give the keys s3:GetBucketObjectLockConfiguration, and run it again. See docs/operations.md#buckets.',
  );
}
