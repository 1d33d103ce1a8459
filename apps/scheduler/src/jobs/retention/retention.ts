/**
 * Applies retention: asks for the deletion of a schedule's backups that have had their time, and tells of those that stay why
 * they do. It is applied whenever a backup or a copy completes, and applying it twice decides the same. A reason is recorded
 * only when it is another one than before.
 */
import { type EventContext, isRefusal, regionRetired, streamOf } from '@strongroom/contracts';
import {
  type BackupCommand,
  backupDecider,
  type DefinedSince,
  definitionAt,
  definitionsOf,
  isSamePutOff,
  isWhereOwed,
  type JudgedBackup,
  type Judgement,
  judgeRetention,
  mustBelong,
  type PutOff,
  plannedType,
  putOffAsBroken,
  putOffByRetention,
  putOffUntilNext,
  putOffWhileRunning,
} from '@strongroom/domain';
import { commandOn, execute, executeTogether, type Ledger, UnreadableStreamFault } from '@strongroom/ledger';
import {
  Backups,
  Copies,
  type HeldBackupRow,
  type InstanceRow,
  Instances,
  type ScheduleRow,
  Schedules,
} from '@strongroom/read-model';
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

interface Judged {
  rows: HeldBackupRow[];
  judgement: Judgement;
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
   * Asks for the deletion of the backups that have had their time, and tells of the others that had it why they are kept.
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
    mustBelong(`Schedule ${schedule.id} does not belong to instance ${instance.id}.`, schedule, ownerOf(instance));
    const { rows, judgement } = await this.judge(schedule, instance);
    const context = { ...cause.context, causationId: cause.id, actor };
    const { putOff, failures } = await this.letAllGo(accountId, rows, judgement, context);
    const goes = new Set(judgement.goes);
    const staying = rows.filter(({ id }) => putOff.has(id) || !goes.has(id));
    failures.push(...(await this.tell(accountId, staying, putOff, context)));
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Tells anew why backups of an instance are kept that have had their time. It deletes nothing.
   * @param id the instance, or one of its backups. The views must reflect what has happened to it.
   * @throws {LedgerFault} when the ledger's database can't be reached
   */
  async tellReasons(accountId: string, id: string): Promise<void> {
    const instanceId = (await this.backups.find(accountId, id))?.instanceId ?? id;
    const [schedule] = await this.schedules.ofInstances(accountId, [instanceId]);
    const instance = schedule && (await this.instances.find(accountId, instanceId));
    const judged = instance && (await this.judge(schedule, instance));
    const rows = judged?.rows ?? (await this.heldOf({ accountId, id: instanceId }));
    const putOff = new Map<string, PutOff>();
    if (judged) {
      for (const each of judged.judgement.putOff) putOff.set(each.backupId, putOffByRetention(each));
      for (const id of judged.judgement.goes) putOff.set(id, putOffUntilNext(schedule.id));
    }
    const requestId = this.parts.ids.next();
    const context = { requestId, correlationId: requestId, causationId: null, actor };
    const [failure] = await this.tell(accountId, rows, putOff, context);
    if (failure) throw failure;
  }

  /** The backups of the instance that are its account's: no other is judged, and none is let go for another. */
  private async heldOf({ accountId, id }: Pick<InstanceRow, 'accountId' | 'id'>): Promise<HeldBackupRow[]> {
    return (await this.backups.heldOf(id)).filter((row) => row.accountId === accountId);
  }

  private async judge(schedule: ScheduleRow, instance: InstanceRow): Promise<Judged> {
    const rows = await this.heldOf(instance);
    const held = await this.judged(schedule.id, rows);
    const accepted = new Map(instance.accepted.map(({ lineage, inPlaceOf }) => [lineage, inPlaceOf]));
    return { rows, judgement: judgeRetention(held, { cycles: schedule.fullBackupRetention, accepted }) };
  }

  /** @returns why the others are kept, by backup; and what went wrong, though each chain was tried */
  private async letAllGo(
    accountId: string,
    rows: readonly HeldBackupRow[],
    { goes: ids, putOff: kept }: Judgement,
    context: EventContext,
  ): Promise<{ putOff: Map<string, PutOff>; failures: unknown[] }> {
    const goes = new Set(ids);
    const putOff = new Map(kept.map((each) => [each.backupId, putOffByRetention(each)]));
    const failures: unknown[] = [];
    for (const { id, parentId } of rows.filter((row) => goes.has(row.id))) {
      if (parentId !== null && goes.has(parentId)) {
        // A backup that is built on a deleted one is deleted with it, and stays with it.
        const why = putOff.get(parentId);
        if (why) putOff.set(id, why);
        continue;
      }
      try {
        const why = await this.letGo(accountId, id, context);
        if (why) putOff.set(id, why);
      } catch (error) {
        // A chain whose history can't be read holds up no other.
        failures.push(error);
        if (error instanceof UnreadableStreamFault) putOff.set(id, putOffAsBroken(error.message));
      }
    }
    return { putOff, failures };
  }

  /** @returns what went wrong; each backup is tried */
  private async tell(
    accountId: string,
    rows: readonly HeldBackupRow[],
    putOff: ReadonlyMap<string, PutOff>,
    context: EventContext,
  ): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const { id: backupId, instanceId, status, putOff: told } of rows) {
      const found = putOff.get(backupId);
      if (status !== 'COMPLETED' || (found ? isSamePutOff(told ?? undefined, found) : !told)) continue;
      const command: BackupCommand = found
        ? { type: 'PutOffDeletion', backupId, ...found }
        : { type: 'CallOffDeletion', backupId };
      const target = { id: backupId, accountId, instanceId, context };
      await execute(this.parts, backupDecider, target, command).catch((error: unknown) => failures.push(error));
    }
    return failures;
  }

  private async judged(scheduleId: string, rows: HeldBackupRow[]): Promise<JudgedBackup[]> {
    const spans = definitionsOf(await this.parts.ledger.readStream(streamOf('schedule', scheduleId)));
    const copies = await this.copies.ofBackups(rows.filter(({ type }) => type === 'full').map(({ id }) => id));
    return rows.map((row) => {
      const { id, copyTo, status, region: madeIn, fault, putOff } = row;
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
        toldWaitsFor: putOff?.waitsFor ?? [],
      };
    });
  }

  /** @returns why it is not let go now; undefined when its deletion was asked for */
  private async letGo(accountId: string, rootId: string, context: EventContext): Promise<PutOff | undefined> {
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
    if (!isRefusal(outcome)) {
      log.info({ backup: rootId, backups: chain.length }, 'retention: deletion asked for');
      return undefined;
    }
    log.info({ backup: rootId }, `retention: not deleted now: ${outcome.message}`);
    return putOffWhileRunning(chain.flatMap(({ id, status }) => (status === 'NEW' || status === 'BUILDING' ? id : [])));
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

function ownerOf({ accountId, id }: InstanceRow) {
  return { accountId, instanceId: id };
}
