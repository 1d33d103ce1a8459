/**
 * What can be asked of a schedule. When a method returns, its effect is on disk. When the domain refuses, nothing has
 * changed, and the method throws the refusal as the contract answers it.
 */
import { Inject } from '@nestjs/common';
import { type RecordedEvent, streamOf } from '@strongroom/contracts';
import {
  backupDecider,
  backupName,
  fold,
  instanceDecider,
  type ScheduleDefinition,
  scheduleDecider,
  serverToBackUp,
  shrinks,
} from '@strongroom/domain';
import { type BoundCommand, commandOn, execute, executeTogether, Ledger, stateOf } from '@strongroom/ledger';
import type { ScheduleRow } from '@strongroom/read-model';
import { type AppConfig, Clock, configToken, Ids } from '@strongroom/runtime';
import { BackupResources } from '../backups/resource.js';
import { Regions } from '../copies/regions.js';
import { type Caller, mustHave, mustReach, reaches, targetOf, withoutKey } from '../edge/caller.js';
import { mustNotChangeTooOften } from '../edge/changes-a-day.js';
import { notFound, unlessRefused } from '../edge/http-fault.js';
import { expectedVersion } from '../edge/preconditions.js';
import { type AskedChange, ScheduleChecks } from './checks.js';
import { ScheduleResources } from './resource.js';

const shrinking =
  'schedule: a lower full_backup_retention, a region taken out of copy_to, or a full backup every day lets backups go';

/** What is asked of a schedule: a change, a run, or both. */
export interface ScheduleChange extends AskedChange {
  scheduleId: string;
  ifMatch: string | undefined;
}

export class ScheduleCommands {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Regions) private readonly regions: Regions,
    @Inject(ScheduleChecks) private readonly checks: ScheduleChecks,
    @Inject(ScheduleResources) private readonly schedules: ScheduleResources,
    @Inject(BackupResources) private readonly backups: BackupResources,
  ) {}

  /** @param reason why it is paused @returns what was recorded of the new schedule */
  async create(
    caller: Caller,
    instanceId: string,
    definition: ScheduleDefinition,
    reason?: string,
  ): Promise<RecordedEvent[]> {
    const { accountId, newId: scheduleId } = caller;
    mustReach(caller, instanceId);
    this.regions.check('schedule.copy_to', definition.copyTo);
    const outcome = await execute(this, scheduleDecider, targetOf(because(caller, reason), scheduleId, instanceId), {
      type: 'CreateSchedule',
      accountId,
      scheduleId,
      instanceId,
      instance: await stateOf(this.ledger, instanceDecider, instanceId),
      definition,
      mostSchedules: this.config.mostSchedules,
    });
    return unlessRefused('CreateSchedule', outcome).events;
  }

  /** Makes the change and the run, or neither. Both are decided anew when the schedule has changed since it was read. */
  async change(caller: Caller, asked: ScheduleChange): Promise<void> {
    const { changes, runNow, reason, ifMatch } = asked;
    let instanceId = '';
    const outcome = await executeTogether(this, async () => {
      const schedule = await this.schedules.find(caller, asked.scheduleId);
      instanceId = schedule.instanceId;
      this.checks.mustBeAChange(schedule, asked);
      const isChanged = differs(changes, schedule) || (reason !== undefined && reason !== schedule.pauseReason);
      if (isChanged) mustHave(caller, 'schedule.update', 'Changing a schedule');
      if (runNow) mustHave(caller, 'schedule.run', 'run_now');
      if (shrinks(changes, schedule)) mustHave(caller, 'schedule.retention', shrinking);
      const ifVersion = expectedVersion(ifMatch, schedule);
      // A client may send every field with each run: fields that are as they were change nothing.
      if (runNow && !isChanged) return [await this.run(caller, schedule, schedule.version)];
      const what = { name: `Schedule ${schedule.id}`, stream: streamOf('schedule', schedule.id) };
      await mustNotChangeTooOften(this.ledger, caller, what, ['ScheduleUpdated']);
      const change = this.update(caller, schedule, { changes, reason }, ifVersion);
      return runNow ? [change, await this.run(withoutKey(caller), { ...schedule, ...changes })] : [change];
    });
    unlessRefused(
      'UpdateSchedule',
      await this.backups.tellingRetry({ accountId: caller.accountId, instanceId }, outcome),
    );
  }

  async remove(caller: Caller, scheduleId: string, ifMatch: string | undefined): Promise<void> {
    mustHave(caller, 'schedule.delete', 'Deleting a schedule');
    const { accountId } = caller;
    const history = await this.ledger.readStream(streamOf('schedule', scheduleId));
    const schedule = fold(scheduleDecider, history);
    if (schedule.is !== 'active' || schedule.accountId !== accountId || !reaches(caller, schedule.instanceId)) {
      throw notFound('Schedule', scheduleId);
    }
    const version = history.at(-1)?.version ?? 0;
    const ifVersion = expectedVersion(ifMatch, { id: scheduleId, version });
    const target = { ...targetOf(caller, scheduleId, schedule.instanceId), ifVersion, history };
    const command = { type: 'DeleteSchedule', accountId, scheduleId } as const;
    unlessRefused(command.type, await execute(this, scheduleDecider, target, command));
  }

  private update(
    caller: Caller,
    { id: scheduleId, instanceId, accountId }: ScheduleRow,
    asked: Pick<AskedChange, 'changes' | 'reason'>,
    ifVersion: number | undefined,
  ): BoundCommand {
    const target = { ...targetOf(because(caller, asked.reason), scheduleId, instanceId), ifVersion };
    return commandOn(scheduleDecider, target, { type: 'UpdateSchedule', accountId, scheduleId, ...asked });
  }

  /** @param version the version that the schedule must still have; undefined for a run that goes together with a change of it */
  private async run(
    caller: Caller,
    { id: scheduleId, instanceId, accountId, copyTo }: ScheduleRow,
    version?: number,
  ): Promise<BoundCommand> {
    const instance = await stateOf(this.ledger, instanceDecider, instanceId);
    const { name, datastore } = unlessRefused('RequestBackup', serverToBackUp(accountId, instanceId, instance));
    const expects = version === undefined ? [] : [{ stream: streamOf('schedule', scheduleId), version }];
    return commandOn(
      backupDecider,
      { ...targetOf(caller, caller.newId, instanceId), expects },
      {
        type: 'RequestBackup',
        request: {
          backupId: caller.newId,
          instanceId,
          scheduleId,
          slotAt: null,
          trigger: 'run-now',
          type: 'full',
          parentId: null,
          name: backupName(name, toSecond(this.clock.now())),
          description: null,
          datastore,
          copyTo,
        },
      },
    );
  }
}

/** The caller, who has said why. */
function because(caller: Caller, reason: string | undefined): Caller {
  return reason === undefined ? caller : { ...caller, context: { ...caller.context, reason } };
}

/** The time in the form `20261123T143000Z`. */
function toSecond(at: Date): string {
  return `${at.toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}Z`;
}

function differs(changes: Partial<ScheduleDefinition>, schedule: ScheduleDefinition): boolean {
  const current = new Map<string, unknown>(Object.entries(schedule));
  return Object.entries(changes).some(([field, value]) => JSON.stringify(current.get(field)) !== JSON.stringify(value));
}
