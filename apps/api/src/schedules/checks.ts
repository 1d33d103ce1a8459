/** What a change of a schedule has to be, whether it is made or previewed. */
import { Inject } from '@nestjs/common';
import type { updateScheduleRequest } from '@strongroom/contracts';
import type { ScheduleDefinition } from '@strongroom/domain';
import type { ScheduleRow } from '@strongroom/read-model';
import type { z } from 'zod';
import { Regions } from '../copies/regions.js';
import { HttpFault } from '../edge/http-fault.js';

export interface AskedChange {
  changes: Partial<ScheduleDefinition>;
  runNow: boolean;
  /** Why the schedule is paused. */
  reason: string | undefined;
}

export class ScheduleChecks {
  constructor(@Inject(Regions) private readonly regions: Regions) {}

  /** @throws {HttpFault} badRequest when nothing is asked for, a region takes no copies, or the reason is for no pause */
  mustBeAChange(schedule: ScheduleRow, { changes, runNow, reason }: AskedChange): void {
    reasonOf(reason, changes.paused ?? schedule.paused);
    // A client may send the list of regions back as it is, though it would be wrong today: the home region may have moved.
    if (changes.copyTo && !sameRegions(changes.copyTo, schedule.copyTo)) {
      this.regions.check('schedule.copy_to', changes.copyTo);
    }
    if (Object.keys(changes).length === 0 && !runNow && reason === undefined) {
      throw new HttpFault('badRequest', 'schedule: nothing is asked for. Send a field to change, or "run_now": true.');
    }
  }
}

/** @throws {HttpFault} badRequest for a reason of a schedule that is not paused */
export function reasonOf(reason: string | undefined, paused: boolean): string | undefined {
  if (reason === undefined || paused) return reason;
  throw new HttpFault(
    'badRequest',
    'schedule.pause_reason: is for a schedule that is paused. Send "paused": true too.',
  );
}

/** The changes that a request names, and whether it asks for a run. */
export function changesIn({ schedule }: z.output<typeof updateScheduleRequest>): AskedChange {
  const { run_now: runNow = false, pause_reason: reason, ...asked } = schedule;
  const changes = {
    ...(asked.day_of_week !== undefined && { dayOfWeek: asked.day_of_week }),
    ...(asked.hour !== undefined && { hour: asked.hour }),
    ...(asked.minute !== undefined && { minute: asked.minute }),
    ...(asked.full_backup_retention !== undefined && { fullBackupRetention: asked.full_backup_retention }),
    ...(asked.copy_to !== undefined && { copyTo: asked.copy_to }),
    ...(asked.paused !== undefined && { paused: asked.paused }),
  };
  return { changes, runNow, reason };
}

function sameRegions(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((region) => others.includes(region));
}
