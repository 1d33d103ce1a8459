/**
 * Tells which lineage a backup belongs to: that of the newest backup of which it holds a later state, else one of its
 * own. An instance has one running backup, so backups are judged one after the other, in the ledger's order.
 * A backup from before lineages were recorded is identified first, from its manifest in the home region. When that
 * manifest can't be read, the backup has no lineage: it replaces no other, and no other replaces it.
 */
import { type DatastoreType, type EngineFacts, type EventContext, tellableFacts } from '@strongroom/contracts';
import { type BackupIdentity, backupDecider } from '@strongroom/domain';
import { EncryptionFault, type Identity } from '@strongroom/encryption';
import { type EngineFor, type EngineWithoutBackups, openSealed } from '@strongroom/engines';
import { execute, type Ledger } from '@strongroom/ledger';
import { type IdentifiableBackup, Lineages, type Views } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';
import { isOutageOfVault, type Vault, VaultFault } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

export interface ServerLineageParts {
  dataSource: DataSource;
  ledger: Ledger;
  views: Views;
  ids: Ids;
  log: Logger;
  engineFor: EngineFor;
  /** The vault of the home region. */
  vault: Vault;
  /** The keys of the chains, with which is read what an encrypted backup tells of its server. */
  chainIdentities?: readonly Identity[];
}

export interface Identified {
  backupId: string;
  accountId: string;
  instanceId: string;
  datastoreType: DatastoreType;
  /** The facts as they are sealed in the vault. */
  facts: EngineFacts;
}

/** The newest backup of a lineage. */
interface Head {
  lineage: string;
  backupId: string;
  facts: EngineFacts;
}

export class ServerLineage {
  private readonly lineages: Lineages;

  constructor(private readonly parts: ServerLineageParts) {
    this.lineages = new Lineages(parts.dataSource);
  }

  /**
   * @param context the context of the events that are recorded about earlier backups
   * @throws {VaultFault} an outage, when the home vault is away and the manifest of an earlier backup is needed
   */
  async identify(
    { backupId, accountId, instanceId, datastoreType, facts }: Identified,
    context: EventContext,
  ): Promise<BackupIdentity> {
    await this.parts.views.catchUp(accountId);
    const engine = this.parts.engineFor(datastoreType);
    const heads: Head[] = [];
    for (const earlier of await this.lineages.completedOf(instanceId)) {
      if (earlier.id === backupId) continue;
      const head = await this.headOf(engine, earlier, heads, { accountId, instanceId, context });
      if (head) putFirst(heads, head);
    }
    return judge(engine, backupId, facts, heads);
  }

  /** What is known of an earlier backup. One that is not identified yet is identified now. */
  private async headOf(
    engine: EngineWithoutBackups,
    { id, lineage, facts, isDeleted }: IdentifiableBackup,
    heads: readonly Head[],
    of: { accountId: string; instanceId: string; context: EventContext },
  ): Promise<Head | undefined> {
    if (lineage !== null && facts) return { lineage, backupId: id, facts };
    if (isDeleted) return undefined;
    const found = await this.factsInVault(id);
    if (!found) return undefined;
    if (lineage !== null) return { lineage, backupId: id, facts: found };
    const identity = judge(engine, id, found, heads);
    const { ledger, ids } = this.parts;
    await execute({ ledger, ids }, backupDecider, { id, ...of }, { type: 'IdentifyBackup', backupId: id, identity });
    return { lineage: identity.lineage, backupId: id, facts: found };
  }

  private async factsInVault(backupId: string): Promise<EngineFacts | undefined> {
    const { vault, log, chainIdentities: identities } = this.parts;
    try {
      const sealed = await vault.manifest(backupId);
      return sealed && (await openSealed(vault, sealed, { identities, onlyForChain: true })).manifest.engine;
    } catch (error) {
      const isWithoutKey = error instanceof EncryptionFault && !error.retryable;
      if (!isWithoutKey && (!(error instanceof VaultFault) || isOutageOfVault(error.code))) throw error;
      log.warn(
        { err: error, backup: backupId },
        'the server of an earlier backup is not known: its manifest is unreadable',
      );
      return undefined;
    }
  }
}

/** @param heads the newest backup of every lineage, the newest first */
function judge(
  engine: EngineWithoutBackups,
  backupId: string,
  facts: EngineFacts,
  heads: readonly Head[],
): BackupIdentity {
  const told = tellableFacts(facts);
  const [newest] = heads;
  if (!newest) return { lineage: backupId, facts: told };
  const reason = engine.whyNoDescendant(newest.facts, facts);
  if (reason === undefined) return { lineage: newest.lineage, facts: told };
  const own = heads.find((head) => engine.whyNoDescendant(head.facts, facts) === undefined);
  const another = { formerLineage: newest.lineage, formerBackupId: newest.backupId, reason };
  return { lineage: own?.lineage ?? backupId, facts: told, another };
}

function putFirst(heads: Head[], head: Head): void {
  const at = heads.findIndex(({ lineage }) => lineage === head.lineage);
  if (at >= 0) heads.splice(at, 1);
  heads.unshift(head);
}
