/**
 * Applies retention: deletes a schedule's backups that have had their time, and tells of those that stay why they do. It is
 * applied whenever a backup or a copy completes, and applying it twice decides the same. A reason is recorded only when it is
 * another one than before. What retention deletes can be brought back as long as what somebody deletes.
 */
import { begunBy, causedBy, type EventContext, isRefusal, regionRetired, streamOf } from '@strongroom/contracts';
import {
  type AskedLately,
  askedLately,
  type BackupCommand,
  backupDecider,
  type DefinedSince,
  definitionAt,
  definitionsOf,
  deletionOf,
  isSamePutOff,
  isWhereOwed,
  type JudgedBackup,
  judgeRetention,
  mustBelong,
  type PutOff,
  plannedType,
  putOffAsBroken,
  putOffByRetention,
  putOffOnHold,
  putOffUntilNext,
  putOffUntilSettled,
  putOffWhileRunning,
} from '@strongroom/domain';
import { commandOn, execute, executeTogether, type Ledger, UnreadableStreamFault } from '@strongroom/ledger';
import {
  Backups,
  Copies,
  type CopyRow,
  deletable,
  type HeldBackupRow,
  type InstanceRow,
  Instances,
  type ScheduleRow,
  Schedules,
} from '@strongroom/read-model';
import { type Clock, type DeletionConfig, deletionRulesOf, type Ids, type Logger } from '@strongroom/runtime';
import type { Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

const actor = 'strongroom-retention';
const dayMs = 86_400_000;
const states: Partial<Record<HeldBackupRow['status'], JudgedBackup['is']>> = {
  COMPLETED: 'completed',
  DELETE_FAILED: 'delete-failed',
};

export interface RetentionParts {
  dataSource: DataSource;
  ledger: Ledger;
  ids: Ids;
  clock: Clock;
  log: Logger;
  config: { deletion: DeletionConfig };
  /** The regions with a vault: no other region holds anything up. */
  vaults: Pick<Vaults, 'regions'>;
}

interface Judged {
  rows: HeldBackupRow[];
  /** The ids of those that go, in the order of making. */
  goes: readonly string[];
  /** Why others stay that have had their time, by backup. */
  putOff: ReadonlyMap<string, PutOff>;
}

interface JudgedBy {
  schedule: ScheduleRow;
  spans: readonly DefinedSince[];
  /** The copies of the backup. */
  copies: readonly Pick<CopyRow, 'region' | 'status'>[];
  owedAt: AskedLately['owedAt'];
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
    const judged = await this.judge(schedule, instance);
    const { rows } = judged;
    const context = causedBy(cause, actor);
    const { putOff, failures } = await this.letAllGo(accountId, judged, context);
    const goes = new Set(judged.goes);
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
    const putOff = new Map(judged?.putOff);
    if (judged) for (const id of judged.goes) putOff.set(id, putOffUntilNext(schedule.id));
    const context = begunBy(actor, this.parts.ids.next());
    const [failure] = await this.tell(accountId, rows, putOff, context);
    if (failure) throw failure;
  }

  /** The backups of the instance that are its account's: no other is judged, and none is let go for another. */
  private async heldOf({ accountId, id }: Pick<InstanceRow, 'accountId' | 'id'>): Promise<HeldBackupRow[]> {
    return (await this.backups.heldOf(id)).filter((row) => row.accountId === accountId);
  }

  /**
   * A schedule that keeps less than until lately, or copies less, is judged by what it asked for then. What goes by that goes
   * now; what goes only by what it says today waits.
   */
  private async judge(schedule: ScheduleRow, instance: InstanceRow): Promise<Judged> {
    const rows = await this.heldOf(instance);
    const spans = definitionsOf(await this.parts.ledger.readStream(streamOf('schedule', schedule.id)));
    const lately = askedLately(spans, this.parts.clock.now(), this.parts.config.deletion.delayMs);
    const copies = await this.copies.ofBackups(rows.filter(({ type }) => type === 'full').map(({ id }) => id));
    const accepted = new Map(instance.accepted.map(({ lineage, inPlaceOf }) => [lineage, inPlaceOf]));
    const judgeBy = (cycles: number, owedAt: AskedLately['owedAt']) => {
      const held = rows.map((row) => this.judged(row, { schedule, spans, copies: copies.get(row.id) ?? [], owedAt }));
      return judgeRetention(held, { cycles, accepted });
    };
    const { goes, putOff: kept } = judgeBy(lately.cycles, lately.owedAt);
    const putOff = new Map(kept.map((each) => [each.backupId, putOffByRetention(each)]));
    if (lately.until) {
      const today = judgeBy(schedule.fullBackupRetention, () => []);
      for (const id of today.goes)
        if (!goes.includes(id)) putOff.set(id, putOffUntilSettled(schedule.id, lately.until));
    }
    return { rows, goes, putOff };
  }

  /** @returns why the others are kept, by backup; and what went wrong, though each chain was tried */
  private async letAllGo(
    accountId: string,
    { rows, goes: ids, putOff: kept }: Judged,
    context: EventContext,
  ): Promise<{ putOff: Map<string, PutOff>; failures: unknown[] }> {
    const goes = new Set(ids);
    const putOff = new Map(kept);
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

  private judged(row: HeldBackupRow, { schedule, spans, copies, owedAt }: JudgedBy): JudgedBackup {
    const { id, copyTo, status, region: madeIn, fault, putOff, slotAt } = row;
    const known = copies.map((copy) => ({ region: copy.region, isCompleted: copy.status === 'COMPLETED' }));
    // A deletion that waits for a region without a vault is taken up by another policy, when the region has one again.
    const isWaiting = fault?.code === regionRetired;
    // What somebody has brought back is kept as what somebody has asked for.
    const isOfSlot = row.scheduleId === schedule.id && row.trigger === 'slot' && !row.isKeptByHand && !isWaiting;
    const owed = [...copyTo, ...(slotAt === null ? [] : owedAt(slotAt))];
    // Without a delay, nothing is kept from whoever may change a schedule.
    const isDelayed = this.parts.config.deletion.delayMs > 0;
    return {
      backupId: id,
      parentId: row.parentId,
      slotAt: isOfSlot ? slotAt : null,
      planned: plannedOf(row, spans),
      nearMs: slotAt === null || !isDelayed ? 0 : cycleMs(spans, slotAt),
      type: row.type,
      lineage: row.lineage,
      is: states[status] ?? 'unended',
      isCopied: isWhereOwed({ madeIn, copyTo: owed, copies: known }, this.parts.vaults.regions),
      toldWaitsFor: putOff?.waitsFor ?? [],
    };
  }

  /** @returns why it is not let go now; undefined when it is deleted */
  private async letGo(accountId: string, rootId: string, context: EventContext): Promise<PutOff | undefined> {
    const { ledger, ids, clock, config, log } = this.parts;
    const chain = await this.backups.chainBelow(accountId, rootId);
    const byId = new Map(chain.map((row) => [row.id, row]));
    const rules = deletionRulesOf(config.deletion, accountId);
    const asked = deletionOf(chain.map(deletable), { accountId, trigger: 'retention', now: clock.now(), rules });
    const outcome = await executeTogether(
      { ledger, ids },
      asked.map(({ backupId: id, command }) =>
        commandOn(backupDecider, { id, accountId, instanceId: byId.get(id)?.instanceId ?? id, context }, command),
      ),
    );
    if (!isRefusal(outcome)) {
      log.info({ backup: rootId, backups: chain.length }, 'retention: deleted');
      return undefined;
    }
    log.info({ backup: rootId }, `retention: not deleted now: ${outcome.message}`);
    if (outcome.refused === 'backup-on-hold') {
      return putOffOnHold(
        rootId,
        chain.flatMap(({ id, hold }) => (hold ? id : [])),
      );
    }
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

/** How far apart the cycles of a schedule are that is left alone. */
function cycleMs(spans: readonly DefinedSince[], slotAt: Date): number {
  if (spans.length === 0) return 0;
  return definitionAt(spans, slotAt).dayOfWeek === 7 ? dayMs : 7 * dayMs;
}

function ownerOf({ accountId, id }: InstanceRow) {
  return { accountId, instanceId: id };
}
