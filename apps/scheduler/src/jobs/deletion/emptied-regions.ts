/**
 * Empties every region of a backup that is being deleted; a region that can't be emptied stops no other. A copy is fenced
 * before its region is emptied, and is recorded as deleted only afterwards: what is recorded as deleted is gone.
 */
import { Fault, regionRetired, whyRetired } from '@strongroom/contracts';
import { type CopyCommand, copyDecider, copyId } from '@strongroom/domain';
import type { CausedLedger } from '@strongroom/ledger';
import type { BackupRow } from '@strongroom/read-model';
import { type Logger, toldFault } from '@strongroom/runtime';
import { endingWith } from '@strongroom/vault';
import { BackupRegions, type BackupRegionsParts } from './backup-regions.js';

export interface EmptiedRegionsParts extends BackupRegionsParts {
  log: Logger;
}

/** A region that has something of a backup, or may have, and why. */
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
    private readonly ledger: CausedLedger,
    private readonly signal: AbortSignal,
  ) {
    this.regions = new BackupRegions(parts);
  }

  /**
   * @param row the backup; the views must reflect its deletion
   * @param spared regions that still hold something that is built on the backup: it stays there
   * @returns the regions that could not be emptied
   */
  async of(row: BackupRow, spared: readonly NotEmptied[]): Promise<NotEmptied[]> {
    const asked = await this.askedForCopies(row);
    for (const region of asked.keys()) await this.onCopy(row, region, { type: 'RequestCopyDeletion' });
    // No attempt can begin from here on, so these numbers are the last.
    const copied = await this.askedForCopies(row);
    const attempted = await this.ledger.outlast('reading where the backup was made', () => this.regions.attempted(row));
    const left: NotEmptied[] = [];
    for (const region of new Set([...copied.keys(), ...attempted.keys()])) {
      this.signal.throwIfAborted();
      const attempt = (attempted.get(region) ?? 0) + (copied.get(region) ?? 0);
      // Nobody ever began anything there, and nobody can begin now: a vault that is gone has nothing of the backup.
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
      await endingWith(vaults.of(region), this.signal).purge(backupId, attempt);
      return undefined;
    } catch (error) {
      if (this.signal.aborted) throw error;
      log.warn({ err: error, backup: backupId, region }, `backup ${backupId} could not be removed from ${region}`);
      const { code, message, retryable } = toldFault(error);
      return { region, code, reason: error instanceof Fault ? message : `${region}: ${message}`, retryable };
    }
  }

  private askedForCopies(row: BackupRow): Promise<Map<string, number>> {
    return this.ledger.outlast('reading its copies', () => this.regions.askedForCopies(row));
  }

  private async onCopy({ id }: BackupRow, region: string, command: CopyCommand): Promise<void> {
    await this.ledger.record(copyDecider, copyId(id, region), command);
  }
}
