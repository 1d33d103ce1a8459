/**
 * Applies retention: deletes a schedule's backups that have had their time, and tells of those that stay why they do. It is
 * applied whenever a backup or a copy completes, and applying it twice decides the same. A reason is recorded only when it is
 * another one than before. What retention deletes can be brought back as long as what somebody deletes.
 */
import { begunBy, causedBy, type EventContext, isRefusal, streamOf } from '@strongroom/contracts';
import {
  type BackupCommand,
  backupDecider,
  definitionsOf,
  deletionOf,
  isSamePutOff,
  judgeHeld,
  mustBelong,
  type PutOff,
  putOffAsBroken,
  putOffOnHold,
  putOffUntilNext,
  putOffWhileRunning,
  type RetentionDecision,
  rootsOf,
} from '@strongroom/domain';
import { commandOn, execute, executeTogether, type Ledger, UnreadableStreamFault } from '@strongroom/ledger';
import {
  acceptedOn,
  Backups,
  Copies,
  deletable,
  type HeldBackupRow,
  heldCopies,
  type InstanceRow,
  Instances,
  type ScheduleRow,
  Schedules,
} from '@strongroom/read-model';
import { type Clock, type DeletionConfig, deletionRulesOf, type Ids, type Logger } from '@strongroom/runtime';
import type { Vaults } from '@strongroom/vault';
import type { DataSource } from 'typeorm';

const actor = 'strongroom-retention';

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

interface Judged extends RetentionDecision {
  rows: HeldBackupRow[];
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

  private async judge(schedule: ScheduleRow, instance: InstanceRow): Promise<Judged> {
    const { ledger, clock, config, vaults } = this.parts;
    const rows = await this.heldOf(instance);
    const copies = await this.copies.ofBackups(rows.filter(({ type }) => type === 'full').map(({ id }) => id));
    const decision = judgeHeld(rows, {
      scheduleId: schedule.id,
      spans: definitionsOf(await ledger.readStream(streamOf('schedule', schedule.id))),
      accepted: acceptedOn(instance),
      now: clock.now(),
      delayMs: config.deletion.delayMs,
      served: vaults.regions,
      copies: heldCopies(copies),
    });
    return { rows, ...decision };
  }

  /** @returns why the others are kept, by backup; and what went wrong, though each chain was tried */
  private async letAllGo(
    accountId: string,
    { rows, goes: ids, putOff: kept }: Judged,
    context: EventContext,
  ): Promise<{ putOff: Map<string, PutOff>; failures: unknown[] }> {
    const putOff = new Map(kept);
    const failures: unknown[] = [];
    for (const [id, rootId] of rootsOf(rows, new Set(ids))) {
      if (id !== rootId) {
        // A backup that is built on a deleted one is deleted with it, and stays with it.
        const why = putOff.get(rootId);
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

function ownerOf({ accountId, id }: InstanceRow) {
  return { accountId, instanceId: id };
}
