/**
 * Applies retention: asks for the deletion of a schedule's backups that have had their time. It is applied whenever a
 * backup or a copy completes, and applying it twice decides the same.
 */
import { type EventContext, isRefusal, regionRetired, streamOf } from '@strongroom/contracts';
import {
  backupDecider,
  beyondRetention,
  type DefinedSince,
  definitionAt,
  definitionsOf,
  isWhereOwed,
  type JudgedBackup,
  plannedType,
} from '@strongroom/domain';
import { commandOn, executeTogether, type Ledger } from '@strongroom/ledger';
import { Backups, Copies, type HeldBackupRow, Instances, Schedules } from '@strongroom/read-model';
import type { Ids, Logger } from '@strongroom/runtime';
import type { Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

const actor = 'strongroom-retention';
const states: Partial<Record<HeldBackupRow['status'], JudgedBackup['is']>> = {
  COMPLETED: 'completed',
  DELETE_FAILED: 'delete-failed',
};

export interface RetentionParts {
  dataSource: DataSource;
  ledger: Ledger;
  ids: Ids;
  log: Logger;
  /** The regions with a vault: no other region holds anything up. */
  vaults: Pick<Vaults, 'regions'>;
}

export class Retention {
  private readonly backups: Backups;
  private readonly copies: Copies;
  private readonly instances: Instances;
  private readonly schedules: Schedules;

  constructor(private readonly parts: RetentionParts) {
    this.backups = new Backups(parts.dataSource);
    this.copies = new Copies(parts.dataSource);
    this.instances = new Instances(parts.dataSource);
    this.schedules = new Schedules(parts.dataSource);
  }

  /**
   * Asks for the deletion of the backups that have had their time.
   * @param backupId the backup that has completed, or has a copy that has. The views must reflect it.
   * @throws {LedgerFault} when the ledger's database can't be reached
   */
  async apply(accountId: string, backupId: string, cause: { id: string; context: EventContext }): Promise<void> {
    const backup = await this.backups.find(accountId, backupId);
    if (!backup?.scheduleId) return;
    // A schedule that was deleted keeps what it has made.
    const schedule = await this.schedules.find(accountId, backup.scheduleId);
    const instance = await this.instances.find(accountId, backup.instanceId);
    if (!schedule || !instance) return;
    const held = await this.judged(schedule.id, await this.backups.heldOf(instance.id));
    const accepted = new Map(instance.accepted.map(({ lineage, inPlaceOf }) => [lineage, inPlaceOf]));
    const goes = new Set(beyondRetention(held, { cycles: schedule.fullBackupRetention, accepted }));
    const context = { ...cause.context, causationId: cause.id, actor };
    const failures: unknown[] = [];
    for (const { backupId: id, parentId } of held) {
      // A backup that is built on a deleted one is deleted with it.
      if (!goes.has(id) || (parentId !== null && goes.has(parentId))) continue;
      // A chain whose history can't be read holds up no other.
      await this.letGo(accountId, id, context).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  private async judged(scheduleId: string, rows: HeldBackupRow[]): Promise<JudgedBackup[]> {
    const spans = definitionsOf(await this.parts.ledger.readStream(streamOf('schedule', scheduleId)));
    const copies = await this.copies.ofBackups(rows.filter(({ type }) => type === 'full').map(({ id }) => id));
    return rows.map((row) => {
      const { id, copyTo, status, region: madeIn, fault } = row;
      const known = (copies.get(id) ?? []).map((copy) => ({
        region: copy.region,
        isCompleted: copy.status === 'COMPLETED',
      }));
      // A deletion that waits for a region without a vault is taken up by another policy, when the region has one again.
      const isWaiting = fault?.code === regionRetired;
      const isOfSlot = row.scheduleId === scheduleId && row.trigger === 'slot' && !isWaiting;
      return {
        backupId: id,
        parentId: row.parentId,
        slotAt: isOfSlot ? row.slotAt : null,
        planned: plannedOf(row, spans),
        type: row.type,
        lineage: row.lineage,
        is: states[status] ?? 'unended',
        isCopied: isWhereOwed({ madeIn, copyTo, copies: known }, this.parts.vaults.regions),
      };
    });
  }

  private async letGo(accountId: string, rootId: string, context: EventContext): Promise<void> {
    const { ledger, ids, log } = this.parts;
    const chain = await this.backups.chainBelow(accountId, rootId);
    const outcome = await executeTogether(
      { ledger, ids },
      chain.map(({ id, instanceId }) =>
        commandOn(
          backupDecider,
          { id, accountId, instanceId, context },
          { type: 'RequestDeletion', backupId: id, accountId, trigger: id === rootId ? 'retention' : 'cascade' },
        ),
      ),
    );
    if (isRefusal(outcome)) log.info({ backup: rootId }, `retention: not deleted now: ${outcome.message}`);
    else log.info({ backup: rootId, backups: chain.length }, 'retention: deletion asked for');
  }
}

/**
 * What the schedule planned for the slot. The request does not say it: it asks for a full backup also when there was
 * nothing to build on.
 */
function plannedOf({ slotAt, madeFull }: HeldBackupRow, spans: readonly DefinedSince[]): JudgedBackup['planned'] {
  if (slotAt === null || madeFull !== null || spans.length === 0) return 'incremental';
  return plannedType(definitionAt(spans, slotAt).dayOfWeek, slotAt);
}
