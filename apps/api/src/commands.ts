/** Commands for the controllers: decided and on disk when they return, or refused with the contract's fault. */
import { type BackupType, isRefusal, type Refusal, streamOf } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
  type BackupCommand,
  backupDecider,
  copyDecider,
  copyRequest,
  fold,
  type InstanceCommand,
  instanceDecider,
  type MadeFull,
  type ScheduleCommand,
  scheduleDecider,
} from '@strongroom/domain';
import { commandOn, type Executed, execute, executeTogether, type Ledger, type Target } from '@strongroom/ledger';
import type { BackupRow, InstanceRow, ScheduleRow } from '@strongroom/read-model';
import { type AppConfig, type Ids, noCopiesTo } from '@strongroom/runtime';
import type { Caller } from './edge/caller.js';
import { HttpFault, quoted, refused } from './edge/http-fault.js';

export interface BackupAsked {
  scheduleId: string | null;
  trigger: 'run-now' | 'request';
  name: string;
  description: string | null;
  copyTo: string[];
  type: BackupType;
  parentId: string | null;
  /** Why it is full though an incremental was asked for. */
  madeFull?: MadeFull;
}

/** What is asked of a schedule: a change, a run, or both. */
export interface ScheduleChange {
  schedule: ScheduleRow;
  changes: Extract<ScheduleCommand, { type: 'UpdateSchedule' }>['changes'] | undefined;
  run: { instance: InstanceRow; asked: BackupAsked } | undefined;
  ifVersion: IfVersion;
}

/** A command is done only as long as the resource is at this version; undefined: at whatever version. */
export type IfVersion = number | undefined;

export class Commands {
  constructor(
    readonly ledger: Ledger,
    readonly ids: Ids,
    private readonly credentials: Credentials,
    private readonly config: Pick<AppConfig, 'homeRegion' | 'copyRegions' | 'mostSchedules' | 'instancesFolder'>,
  ) {}

  /** The id of what the call is to make: the same when the call is made again with the same key. */
  newId(caller: Caller): string {
    return caller.repeatable?.resourceId ?? this.ids.next();
  }

  /** The password first: an instance without one could not be backed up; one that no instance names is removed in time. */
  async registerInstance(caller: Caller, command: InstanceCommand & { type: 'RegisterInstance' }, password: string) {
    const { instanceId } = command;
    await this.credentials.put(instanceId, { password });
    const outcome = await execute(this, instanceDecider, targetOf(caller, instanceId, instanceId), command);
    accepted(outcome);
  }

  /** @returns the id of the instance that is to be */
  async buildInstance(caller: Caller, backup: BackupRow, name: string): Promise<string> {
    if (this.config.instancesFolder === undefined) {
      throw new HttpFault(
        'notImplemented',
        'instance.restorePoint: this deployment builds no servers (STRONGROOM_INSTANCES_DIR is not set). Use: strongroom restore',
      );
    }
    const instanceId = this.newId(caller);
    const datastore = { type: backup.datastoreType, version: backup.datastoreVersion };
    const command = { type: 'BuildInstance', instanceId, name, datastore, backupId: backup.id } as const;
    accepted(await execute(this, instanceDecider, targetOf(caller, instanceId, instanceId), command));
    return instanceId;
  }

  /** @param lineages those that there are backups of */
  async acceptLineage(
    caller: Caller,
    { id: instanceId }: InstanceRow,
    lineage: string,
    lineages: readonly string[],
  ): Promise<void> {
    const { accountId } = caller;
    const command = { type: 'AcceptLineage', accountId, instanceId, lineage, lineages } as const;
    accepted(await execute(this, instanceDecider, targetOf(caller, instanceId, instanceId), command));
  }

  /** With its schedule, or neither. */
  async forgetInstance(
    caller: Caller,
    { id: instanceId }: InstanceRow,
    schedule: ScheduleRow | undefined,
    ifVersion: IfVersion,
  ) {
    const { accountId } = caller;
    const target = { ...targetOf(caller, instanceId, instanceId), ifVersion };
    const forget = commandOn(instanceDecider, target, { type: 'ForgetInstance', accountId, instanceId });
    const remove =
      schedule &&
      commandOn(scheduleDecider, targetOf(keyless(caller), schedule.id, instanceId), {
        type: 'DeleteSchedule',
        accountId,
        scheduleId: schedule.id,
      });
    let outcome = await executeTogether(this, remove ? [remove, forget] : [forget]);
    // Somebody else deleted it meanwhile.
    if (isRefusal(outcome) && outcome.refused === 'schedule-unknown') outcome = await executeTogether(this, [forget]);
    accepted(outcome);
  }

  async createSchedule(
    caller: Caller,
    command: Omit<Extract<ScheduleCommand, { type: 'CreateSchedule' }>, 'type' | 'accountId' | 'mostSchedules'>,
  ): Promise<void> {
    const { mostSchedules } = this.config;
    const { accountId } = caller;
    const target = targetOf(caller, command.scheduleId, command.instanceId);
    accepted(
      await execute(this, scheduleDecider, target, { type: 'CreateSchedule', accountId, mostSchedules, ...command }),
    );
  }

  /**
   * Makes the change and the run, or neither. A run is one of the schedule as it was read: it is decided anew when the
   * schedule has changed since.
   * @param asked reads the schedule and what is to be done about it; it is asked before each try
   */
  async changeSchedule(caller: Caller, asked: () => Promise<ScheduleChange>): Promise<void> {
    const { accountId } = caller;
    const backupId = this.newId(caller);
    const outcome = await executeTogether(this, async () => {
      const { schedule, changes, run, ifVersion } = await asked();
      const { id: scheduleId, instanceId, version } = schedule;
      const change =
        changes &&
        commandOn(
          scheduleDecider,
          { ...targetOf(caller, scheduleId, instanceId), ifVersion },
          { type: 'UpdateSchedule', accountId, scheduleId, changes },
        );
      if (!run) return change ? [change] : [];
      const request = requestOf(backupId, run.instance, run.asked);
      if (change) return [change, commandOn(backupDecider, targetOf(keyless(caller), backupId, instanceId), request)];
      const expects = [{ stream: streamOf('schedule', scheduleId), version }];
      return [commandOn(backupDecider, { ...targetOf(caller, backupId, instanceId), expects }, request)];
    });
    accepted(outcome);
  }

  async deleteSchedule(caller: Caller, { id: scheduleId, instanceId }: ScheduleRow, ifVersion: IfVersion) {
    const { accountId } = caller;
    const target = { ...targetOf(caller, scheduleId, instanceId), ifVersion };
    accepted(await execute(this, scheduleDecider, target, { type: 'DeleteSchedule', accountId, scheduleId }));
  }

  /** @returns the backup's id */
  async requestBackup(caller: Caller, instance: InstanceRow, asked: BackupAsked): Promise<string> {
    const backupId = this.newId(caller);
    const command = requestOf(backupId, instance, asked);
    if (asked.parentId !== null) {
      const parent = fold(backupDecider, await this.ledger.readStream(streamOf('backup', asked.parentId)));
      Object.assign(command, { parent });
    }
    accepted(await execute(this, backupDecider, targetOf(caller, backupId, instance.id), command));
    return backupId;
  }

  /** @param chain the backup, and everything made from it */
  async deleteBackup(caller: Caller, chain: readonly BackupRow[], ifVersion: IfVersion): Promise<void> {
    const { accountId } = caller;
    const commands = chain.map(({ id, instanceId }, index) => {
      const isRoot = index === 0;
      const target = targetOf(isRoot ? caller : keyless(caller), id, instanceId);
      const trigger = isRoot ? 'request' : 'cascade';
      return commandOn(
        backupDecider,
        { ...target, ...(isRoot && { ifVersion }) },
        { type: 'RequestDeletion', backupId: id, accountId, trigger },
      );
    });
    accepted(await executeTogether(this, commands));
  }

  /**
   * Asks for nothing when the copy is on its way; one that is there is read back once more, and made anew where it is not
   * whole.
   * @param sourceRegion where its bytes can be had; default: where the backup was made
   */
  async requestCopy(
    caller: Caller,
    { id: backupId, instanceId }: BackupRow,
    region: string,
    sourceRegion?: string,
  ): Promise<void> {
    const backup = fold(backupDecider, await this.ledger.readStream(streamOf('backup', backupId)));
    if (backup.is !== 'completed' || !backup.completed) {
      throw new HttpFault('unprocessableEntity', `Backup ${backupId} has not completed: there is nothing to copy.`);
    }
    const request = copyRequest(backup.completed, region, sourceRegion);
    const target = targetOf(caller, request.copyId, instanceId);
    const outcome = await execute(this, copyDecider, target, { type: 'RequestCopy', request });
    if (isRefusal(outcome) && outcome.refused === 'copy-exists') {
      accepted(await execute(this, copyDecider, target, { type: 'CheckCopy' }));
    } else accepted(outcome);
  }

  /**
   * Where a backup can be copied to: also to the home region, when that has lost it or came to be the home region later.
   * @param backup once it is known
   * @throws {HttpFault} badRequest naming the region and which regions are allowed
   */
  checkTarget(field: string, region: string, backup?: BackupRow): void {
    const { homeRegion, copyRegions } = this.config;
    const allowed = [homeRegion, ...copyRegions].filter(
      (each) => each !== noCopiesTo || backup === undefined || each === backup.region,
    );
    if (allowed.includes(region)) return;
    const why = region === homeRegion ? 'takes no copies of backups made elsewhere' : notHere;
    throw new HttpFault('badRequest', `${field}: ${quoted(region)} ${why}. Allowed: ${allowed.join(', ')}.`);
  }

  /** @throws {HttpFault} badRequest naming the region, why not, and which regions are allowed */
  checkRegions(field: string, regions: readonly string[]): void {
    const { homeRegion, copyRegions } = this.config;
    const wrong = regions.find((region) => !copyRegions.includes(region));
    if (wrong === undefined) return;
    const why = wrong === homeRegion ? 'is the home region, where the backup is made' : notHere;
    throw new HttpFault('badRequest', `${field}: ${quoted(wrong)} ${why}. Allowed: ${copyRegions.join(', ')}.`);
  }
}

const notHere = 'is no region of this deployment';

/** @throws {HttpFault} the refusal */
function accepted(outcome: Executed | Refusal): void {
  if (isRefusal(outcome)) throw refused(outcome);
}

function requestOf(
  backupId: string,
  { id: instanceId, datastoreType, datastoreVersion }: InstanceRow,
  { madeFull, ...asked }: BackupAsked,
): BackupCommand & { type: 'RequestBackup' } {
  const datastore = { type: datastoreType, version: datastoreVersion };
  const request = { ...asked, backupId, instanceId, slotAt: null, datastore };
  return { type: 'RequestBackup', request, ...(madeFull && { madeFull }) };
}

function targetOf({ accountId, context, repeatable }: Caller, id: string, instanceId: string): Target {
  return { id, accountId, instanceId, context, claims: repeatable && [repeatable.claim] };
}

/** For what is only a part of the call's effect: its key goes with the whole. */
function keyless(caller: Caller): Caller {
  return { ...caller, repeatable: undefined };
}
