/**
 * Finds the backups that a vault holds, and judges each by its manifest alone. A manifest is a stranger's: what it says is brought into a form
 * that an event can hold, and a backup that can't be one of a ledger is told apart. No byte of a server's data is read.
 */
import {
  aboutServerName,
  accountId,
  type EventData,
  faultOf,
  isEncrypted,
  storableName,
  tellableFacts,
  type VaultManifest,
} from '@strongroom/contracts';
import { backupName } from '@strongroom/domain';
import { EncryptionFault, type Identity } from '@strongroom/encryption';
import { openSealed } from '@strongroom/engines';
import { isOutageOfVault, type SealedManifest, shards, storedBytes, type Vault, VaultFault } from '@strongroom/vault';
import { encryptedFor } from '../encrypted-for.js';

/** A backup that lies whole in a vault, as far as can be told without reading it. */
export interface FoundBackup {
  accountId: string;
  data: EventData<'BackupCatalogued'>;
  /** The SHA-256 that its manifest names for its parent. */
  parentSha256?: string | null | undefined;
}

/** A backup that is not recorded, and why. */
export interface NotRecorded {
  backupId: string;
  /** For programs; the reason is for people. */
  code: string;
  reason: string;
}

/** What only whoever can read the backup knows of its server. */
type OfServer = Pick<VaultManifest, 'instanceName' | 'datastore' | 'engine'>;

const longestName = 255;

/**
 * @param identities the keys with which is read what an encrypted backup tells of its server
 * @throws {VaultFault} when the vault can't tell what it holds
 */
export async function* foundBackups(
  vault: Vault,
  identities: readonly Identity[],
): AsyncGenerator<FoundBackup | NotRecorded> {
  for (let shard = 0; shard < shards; shard += 1) {
    for await (const { backupId, fault, location, attempt } of vault.held(shard)) {
      if (fault) yield notRecorded(backupId, fault);
      else if (location !== undefined) {
        const found = await judgedOrFault(vault, identities, { backupId, attempt });
        if (found) yield found;
      }
    }
  }
}

/** @returns undefined when it is not there any more */
async function judgedOrFault(
  vault: Vault,
  identities: readonly Identity[],
  held: { backupId: string; attempt: number },
): Promise<FoundBackup | NotRecorded | undefined> {
  try {
    const sealed = await vault.glance(held.backupId);
    return sealed && (await judged(vault, identities, held, sealed));
  } catch (error) {
    const isOfBackup =
      error instanceof EncryptionFault || (error instanceof VaultFault && !isOutageOfVault(error.code));
    if (isOfBackup) return notRecorded(held.backupId, error);
    throw error;
  }
}

async function judged(
  vault: Vault,
  identities: readonly Identity[],
  { backupId, attempt }: { backupId: string; attempt: number },
  sealed: SealedManifest,
): Promise<FoundBackup | NotRecorded> {
  const { manifest, sha256, location } = sealed;
  const { instanceId, type, parentId, parentSha256, startedAt, completedAt, objects } = manifest;
  const why = whyNone(manifest);
  if (why !== undefined) return { backupId, code: 'manifest-invalid', reason: `Its manifest can't be right: ${why}.` };
  const server = isEncrypted(manifest) ? await opened(vault, identities, sealed) : manifest;
  const name = server && storableName(server.instanceName.slice(0, longestName));
  const data: FoundBackup['data'] = {
    ...{ backupId, instanceId, scheduleId: null, instanceName: name ?? null, type, parentId },
    name: backupName(name ?? 'encrypted', `${startedAt.slice(0, 16).replaceAll(/[-:]/g, '')}Z`),
    datastore: {
      type: manifest.datastore.type,
      version: server ? storableName(server.datastore.version) : null,
    },
    // A backup of a version without attempts has none.
    ...{ region: vault.region, location, attempt: Math.max(attempt, 1) },
    sizeBytes: storedBytes(sealed),
    rawBytes: objects.reduce((sum, each) => sum + (each.name === aboutServerName ? 0 : each.rawBytes), 0),
    ...{ sha256, startedAt, completedAt },
    encryptedFor: isEncrypted(manifest) ? (await encryptedFor(vault, backupId)).map(storableName) : null,
    facts: server ? tellableFacts(server.engine) : null,
  };
  return { accountId: manifest.accountId, data, parentSha256 };
}

/** What the forms of the manifest leave open; undefined when nothing is wrong. */
function whyNone({ accountId: account, type, parentId, backupId }: SealedManifest['manifest']): string | undefined {
  if (!accountId.safeParse(account).success) return 'it names no account';
  if ((type === 'full') !== (parentId === null)) return 'it is full and built on another, or neither of the two';
  return parentId === backupId ? 'it is built on itself' : undefined;
}

/** @returns undefined when none of the keys opens it */
async function opened(
  vault: Vault,
  identities: readonly Identity[],
  sealed: SealedManifest,
): Promise<OfServer | undefined> {
  if (identities.length === 0) return undefined;
  try {
    return (await openSealed(vault, sealed, { identities, onlyForChain: true })).manifest;
  } catch (error) {
    if (error instanceof EncryptionFault && error.code === 'key-missing') return undefined;
    throw error;
  }
}

function notRecorded(backupId: string, error: unknown): NotRecorded {
  const { code, message: reason } = faultOf(error);
  return { backupId, code, reason };
}
