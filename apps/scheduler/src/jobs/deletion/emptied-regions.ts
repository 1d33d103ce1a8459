/**
 * Empties every region of a backup that is being deleted, whatever stands in the way of one of them. A copy is fenced
 * before its region is emptied and called deleted only afterwards, so that nothing is recorded as deleted that is still
 * there.
 */
import { type EventContext, regionRetired, whyRetired } from '@strongroom/contracts';
import { type CopyCommand, copyDecider, copyId } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import type { BackupRow } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';
import { VaultFault } from '@strongroom/vault';
import { BackupRegions, type BackupRegionsParts } from './backup-regions.js';

export interface EmptiedRegionsParts extends BackupRegionsParts {
  ids: Ids;
  log: Logger;
}

/** Why a region still has something of a backup, or may have. */
export interface NotEmptied {
  region: string;
  code: string;
  reason: string;
  retryable: boolean;
}

export class EmptiedRegions {
  private readonly regions: BackupRegions;

  constructor(
    private readonly parts: EmptiedRegionsParts,
    private readonly context: EventContext,
    private readonly signal: AbortSignal,
  ) {
    this.regions = new BackupRegions(parts);
  }

  /**
   * @param row the views must reflect its deletion
   * @param spared regions that hold something yet which was built on it: nothing is taken away from under that
   * @returns the regions that could not be emptied
   * @throws {LedgerFault} when the ledger's database can't be reached
   */
  async of(row: BackupRow, spared: readonly NotEmptied[]): Promise<NotEmptied[]> {
    const asked = await this.regions.askedForCopies(row);
    for (const region of asked.keys()) await this.onCopy(row, region, { type: 'RequestCopyDeletion' });
    // From here on no attempt begins any more: these numbers are the last.
    const copied = await this.regions.askedForCopies(row);
    const attempted = await this.regions.attempted(row);
    const left: NotEmptied[] = [];
    for (const region of new Set([...copied.keys(), ...attempted.keys()])) {
      this.signal.throwIfAborted();
      const attempt = (attempted.get(region) ?? 0) + (copied.get(region) ?? 0);
      // Nobody ever began anything there, nor can any more: a vault that is gone has nothing of it.
      const isUntouched = attempt === 0 && !attempted.has(region) && !this.parts.vaults.regions.includes(region);
      const why =
        spared.find((each) => each.region === region) ??
        (isUntouched ? undefined : await this.empty(row.id, region, attempt));
      if (why) left.push(why);
      else if (copied.has(region)) await this.onCopy(row, region, { type: 'ConfirmCopyDeletion' });
    }
    return left;
  }

  private async empty(backupId: string, region: string, attempt: number): Promise<NotEmptied | undefined> {
    const { vaults, log } = this.parts;
    if (!vaults.regions.includes(region)) {
      return { region, code: regionRetired, reason: whyRetired(region), retryable: false };
    }
    try {
      await vaults.of(region).purge(backupId, attempt);
      return undefined;
    } catch (error) {
      if (this.signal.aborted) throw error;
      log.warn({ err: error, backup: backupId, region }, `backup ${backupId} could not be removed from ${region}`);
      if (error instanceof VaultFault) {
        return { region, code: error.code, reason: error.message, retryable: error.retryable };
      }
      const why = error instanceof Error ? error.message : String(error);
      return { region, code: 'unexpected', reason: `${region}: it broke off unexpectedly: ${why}.`, retryable: true };
    }
  }

  private async onCopy({ id, accountId, instanceId }: BackupRow, region: string, command: CopyCommand): Promise<void> {
    const target = { id: copyId(id, region), accountId, instanceId, context: this.context };
    await execute(this.parts, copyDecider, target, command);
  }
}
