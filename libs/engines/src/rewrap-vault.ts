/**
 * Wraps the keys of the encrypted backups of a vault for others. Each header is replaced by one compare-and-set, so a process that is
 * killed leaves each as it was or as it is to be, and the next run does what is left.
 */
import { allKeys, type EncryptedManifest, isEncrypted, keysNames } from '@strongroom/contracts';
import {
  CommandKey,
  chainHolder,
  commandPrefix,
  EncryptionFault,
  type Identity,
  type NamedRecipient,
  openKeys,
  type Recipient,
  recipientFrom,
  writeKeys,
} from '@strongroom/encryption';
import { type ListedBackup, type SealedManifest, type Vault, VaultFault } from '@strongroom/vault';

export interface Rewrapping {
  /** They open the keys as they are now. */
  identities: readonly Identity[];
  /** Who can open the backups of an account from now on. */
  recipientsOf(accountId: string): readonly Recipient[];
  /** Whose key opens what an incremental needs. Default: whose it is now. */
  chainRecipient?: Recipient | undefined;
  /** Told of each backup whose keys stay as they are. */
  failed(backupId: string, error: unknown): void;
  /** Told of each backup that was looked at. */
  looked?: () => void;
}

export interface Rewrapped {
  changed: number;
  same: number;
  clear: number;
  failed: number;
}

/** After so many changes by others it gives up. */
const mostConflicts = 10;

export async function rewrapVault(vault: Vault, how: Rewrapping): Promise<Rewrapped> {
  const done: Rewrapped = { changed: 0, same: 0, clear: 0, failed: 0 };
  for await (const listed of vault.list()) {
    try {
      done[await rewrapListed(vault, listed, how)] += 1;
    } catch (error) {
      if (!(error instanceof EncryptionFault) && !(error instanceof VaultFault)) throw error;
      how.failed(listed.backupId, error);
      done.failed += 1;
    }
    how.looked?.();
  }
  return done;
}

async function rewrapListed(
  vault: Vault,
  listed: ListedBackup,
  how: Rewrapping,
): Promise<'changed' | 'same' | 'clear'> {
  if ('fault' in listed) throw listed.fault;
  const { manifest, sha256 } = listed.sealed;
  if (!isEncrypted(manifest)) return 'clear';
  let outcome: 'changed' | 'same' = 'same';
  for (const of of allKeys) if (await rewrapOne(vault, { manifest, sha256 }, of, how)) outcome = 'changed';
  return outcome;
}

/** @returns whether anything had to be changed */
async function rewrapOne(
  vault: Vault,
  { manifest, sha256 }: { manifest: EncryptedManifest; sha256: SealedManifest['sha256'] },
  of: (typeof allKeys)[number],
  { identities, recipientsOf, chainRecipient }: Rewrapping,
): Promise<boolean> {
  const { backupId, accountId } = manifest;
  const name = `${keysNames[of]} of backup ${backupId} in the vault of ${vault.region}`;
  const owners = recipientsOf(accountId);
  if (owners.length === 0)
    throw new EncryptionFault('key-invalid', `The backups of ${accountId} are to be encrypted for nobody.`);
  for (let conflicts = 0; conflicts < mostConflicts; conflicts += 1) {
    const before = await vault.keys(backupId, of);
    if (!before) throw new VaultFault('object-missing', vault.region, `${name} is missing.`);
    const opened = await openKeys(before.bytes, identities);
    if (opened.of !== of || opened.manifestSha256 !== sha256)
      throw new VaultFault('object-altered', vault.region, `${name} belongs to something else.`);
    const others = of === 'chain' ? chainHolders(opened.recipients, identities, chainRecipient) : [];
    const wanted = [...owners, ...others];
    if (isSame(opened.recipients, wanted)) return false;
    if (await vault.replaceKeys(backupId, of, await writeKeys(opened, wanted), before.tag)) return true;
  }
  throw new VaultFault('vault-unavailable', vault.region, `${name} was changed by others ${mostConflicts} times.`);
}

/** The scheduler's own key. The header is proven by now, so it names the one that is there. */
function chainHolders(
  now: readonly NamedRecipient[],
  identities: readonly Identity[],
  other: Recipient | undefined,
): Recipient[] {
  if (other) return [other];
  return now.filter(({ name }) => name === chainHolder).map(({ id }) => chainHolderBy(id, identities));
}

/** A header names the key of a program, and not the program. */
function chainHolderBy(id: string, identities: readonly Identity[]): Recipient {
  if (!id.startsWith(commandPrefix)) return recipientFrom(id, chainHolder);
  const known = identities.filter((each) => each instanceof CommandKey).find((each) => each.id === id);
  if (known) return known.named(chainHolder);
  throw new EncryptionFault(
    'key-invalid',
    `The scheduler's own key is ${id}, and its program is not known here. Name it: --chain-recipient "${commandPrefix}/path/of/program ${id.slice(commandPrefix.length)}".`,
  );
}

function isSame(one: readonly { id: string; name?: string | undefined }[], other: typeof one): boolean {
  const texts = (all: typeof one) => JSON.stringify(all.map(({ id, name }) => [id, name ?? '']).sort());
  return texts(one) === texts(other);
}
