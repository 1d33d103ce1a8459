/**
 * Lets go of a schedule's full backups that have had their time, each with everything made from it. Looked at whenever
 * a backup or a copy completes; deciding twice decides the same.
 */
import { type EventContext, isRefusal, regionRetired } from '@strongroom/contracts';
import { backupDecider, beyondRetention, type FullOfSchedule, isWhereOwed } from '@strongroom/domain';
import { commandOn, executeTogether, type Ledger } from '@strongroom/ledger';
import { type BackupRow, Backups, Copies, Schedules } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';

const actor = 'strongroom-retention';

export class Retention {
  private readonly backups: Backups;
  private readonly copies: Copies;
  private readonly schedules: Schedules;

  constructor(
    dataSource: DataSource,
    private readonly ledger: Ledger,
    private readonly ids: Ids,
    private readonly log: Logger,
    /** Those with a vault: no other holds anything up. */
    private readonly regions: readonly string[],
  ) {
    this.backups = new Backups(dataSource);
    this.copies = new Copies(dataSource);
    this.schedules = new Schedules(dataSource);
  }

  /**
   * @param backupId the backup whose completion, or whose copy's, is the reason to look. The views must reflect it.
   * @throws {LedgerFault} when the ledger's database can't be reached
   */
  async look(accountId: string, backupId: string, cause: { id: string; context: EventContext }): Promise<void> {
    const backup = await this.backups.find(accountId, backupId);
    if (!backup?.scheduleId) return;
    // A schedule that was deleted keeps what it has made.
    const schedule = await this.schedules.find(accountId, backup.scheduleId);
    if (!schedule) return;
    // One that waits for a region that has no vault is taken up by itself when there is one again.
    const stored = await this.backups.storedFullsOf(schedule.id);
    const fulls = stored.filter(({ fault }) => fault?.code !== regionRetired);
    const context = { ...cause.context, causationId: cause.id, actor };
    for (const id of beyondRetention(await this.judged(fulls), schedule.fullBackupRetention)) {
      await this.letGo(accountId, id, context);
    }
  }

  private async judged(fulls: BackupRow[]): Promise<FullOfSchedule[]> {
    const copies = await this.copies.ofBackups(fulls.map(({ id }) => id));
    return fulls.map(({ id, status, copyTo, region: madeIn }) => {
      const known = (copies.get(id) ?? []).map((copy) => ({
        region: copy.region,
        isCompleted: copy.status === 'COMPLETED',
      }));
      return {
        backupId: id,
        is: status === 'COMPLETED' ? 'completed' : 'delete-failed',
        isCopied: isWhereOwed({ madeIn, copyTo, copies: known }, this.regions),
      };
    });
  }

  private async letGo(accountId: string, fullId: string, context: EventContext): Promise<void> {
    const { ledger, ids } = this;
    const chain = await this.backups.chainBelow(accountId, fullId);
    const outcome = await executeTogether(
      { ledger, ids },
      chain.map(({ id, instanceId }) =>
        commandOn(
          backupDecider,
          { id, accountId, instanceId, context },
          { type: 'RequestDeletion', backupId: id, accountId, trigger: id === fullId ? 'retention' : 'cascade' },
        ),
      ),
    );
    if (isRefusal(outcome)) this.log.info({ backup: fullId }, `retention: not deleted now: ${outcome.message}`);
    else this.log.info({ backup: fullId, backups: chain.length }, 'retention: deletion asked for');
  }
}
