/**
 * Checks whether an incremental may be built on a backup: only when that backup, and everything that it is built on, lies in
 * the home region's vault. What the home region has lost is asked for again, from a region that has it.
 */
import type { EventData } from '@strongroom/contracts';
import {
  type BackupState,
  backupDecider,
  type CopyCommand,
  type CopyState,
  copyDecider,
  copyId,
  copyRequest,
} from '@strongroom/domain';
import { IncrementalNotPossible } from '@strongroom/engines';
import type { CausedLedger } from '@strongroom/ledger';
import type { Logger } from '@strongroom/runtime';
import { isSpoilt, type Vault, VaultFault, type Vaults } from '@strongroom/vault';

export interface ParentCheckParts {
  log: Logger;
  vaults: Pick<Vaults, 'regions'>;
  /** The vault of the home region. */
  vault: Vault;
}

type Made = EventData<'BackupCompleted'>;

export class ParentCheck {
  constructor(
    private readonly parts: ParentCheckParts,
    private readonly ledger: CausedLedger,
  ) {}

  /**
   * Checks that everything is there in its size. It reads nothing but manifests.
   * @param owner whose backup is to be built on it
   * @returns the SHA-256 of the backup
   * @throws {IncrementalNotPossible} when a backup of the chain was deleted, is not the owner's, or the home vault can't give it
   * @throws {VaultFault} when the vault can't tell now
   */
  async check(parentId: string, owner: { accountId: string; instanceId: string }): Promise<string> {
    const { vault } = this.parts;
    const checked = new Map<string, string>();
    for (let id: string | null = parentId; id !== null; ) {
      const backup: BackupState = await this.ledger.stateOf(backupDecider, id);
      const subject = subjectOf(id, parentId);
      if (backup.is !== 'completed') {
        throw notThere(`${subject} is not there any more. Take a full backup.`);
      }
      const isOwn = backup.accountId === owner.accountId && backup.request.instanceId === owner.instanceId;
      if (!isOwn || checked.has(id) || backup.completed.backupId !== id) {
        throw notThere(`${subject} is no backup of this instance to build on. Take a full backup.`);
      }
      checked.set(id, backup.completed.sha256);
      const fault = await this.whyUnusable(backup.completed);
      if (fault) await this.askBack(backup.completed, fault);
      if (fault === 'not-there') {
        throw notThere(
          `${subject} is not in the vault of ${vault.region}: nothing built on it could be restored from there. Take a full backup, or copy that one there first.`,
        );
      }
      if (fault) {
        const reason = `${subject} can't be read: ${fault.told} Take a full backup.`;
        throw new IncrementalNotPossible('parent-unreadable', reason, { cause: fault });
      }
      id = backup.completed.parentId;
    }
    return checked.get(parentId) ?? '';
  }

  private async whyUnusable({ backupId, sha256 }: Made): Promise<VaultFault | 'not-there' | undefined> {
    const { vault } = this.parts;
    try {
      const sealed = await vault.glance(backupId);
      if (!sealed) return 'not-there';
      if (sealed.sha256 === sha256) return undefined;
      const message = `The manifest of backup ${backupId} in the vault of ${vault.region} is not what was backed up: its SHA-256 differs.`;
      return new VaultFault('object-altered', vault.region, message);
    } catch (error) {
      // A disk that fails to read an object would fail the next run of the schedule as well.
      if (error instanceof VaultFault && isSpoilt(error)) return error;
      throw error;
    }
  }

  /** Asks for nothing when the region was never to have the backup, or when no other region is known to have it. */
  private async askBack(made: Made, fault: VaultFault | 'not-there'): Promise<void> {
    const { region } = this.parts.vault;
    const copy = await this.copyIn(made.backupId, region);
    if (copy.is === 'completed') {
      const { code, told: reason } = fault === 'not-there' ? gone(made.backupId, region) : fault;
      await this.onCopy(made, { type: 'LoseCopy', code, reason });
      return;
    }
    if (copy.is !== 'absent' || made.region !== region) return;
    for (const other of this.parts.vaults.regions.filter((each) => each !== region)) {
      if ((await this.copyIn(made.backupId, other)).is !== 'completed') continue;
      await this.onCopy(made, { type: 'RequestCopy', request: copyRequest(made, region, other) });
      return;
    }
  }

  private copyIn(backupId: string, region: string): Promise<CopyState> {
    return this.ledger.stateOf(copyDecider, copyId(backupId, region));
  }

  private async onCopy({ backupId }: Made, command: CopyCommand): Promise<void> {
    const { log, vault } = this.parts;
    await this.ledger.record(copyDecider, copyId(backupId, vault.region), command);
    log.warn(
      { backup: backupId, region: vault.region },
      `backup ${backupId} is put back into ${vault.region}, which has lost it`,
    );
  }
}

function subjectOf(id: string, parentId: string): string {
  if (id === parentId) return `Backup ${id}, which it was to be built on,`;
  return `Backup ${id}, on which rests backup ${parentId}, which it was to be built on,`;
}

function notThere(reason: string): IncrementalNotPossible {
  return new IncrementalNotPossible('parent-not-there', reason);
}

function gone(backupId: string, region: string): { code: string; told: string } {
  return { code: 'object-missing', told: `The vault of ${region} does not hold backup ${backupId} any more.` };
}
