/** The runs of a schedule as the API shows them: what became of each slot, and the slot that comes next. */
import { Inject } from '@nestjs/common';
import type { BackupResource, RunResource } from '@strongroom/contracts';
import { nextSlot, scheduledBackupId } from '@strongroom/domain';
import { type Page, type PageRequest, type ScheduleRow, type SlotRun, Runs as SlotRuns } from '@strongroom/read-model';
import { Clock } from '@strongroom/runtime';
import {
  BackupResources,
  delays,
  failedAttempts,
  faultResource,
  fullBecause,
  madeFullResource,
} from '../backups/resource.js';
import { utc } from '../edge/times.js';

const dayMs = 86_400_000;

export class Runs {
  constructor(
    @Inject(SlotRuns) private readonly runs: SlotRuns,
    @Inject(BackupResources) private readonly backups: BackupResources,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** @returns undefined when the marker is the id of no run of the schedule */
  async page(schedule: ScheduleRow, { limit, marker }: PageRequest): Promise<Page<RunResource> | undefined> {
    const coming = nextSlot(schedule, this.clock.now());
    const before = marker === undefined ? undefined : await this.slotOf(schedule, marker, coming);
    if (marker !== undefined && !before) return undefined;
    const { items, more } = await this.runs.page(schedule.id, {
      limit,
      ...(marker !== undefined && before && { before: { slotAt: before, id: marker } }),
    });
    const runs = await this.of(schedule.accountId, items);
    // A scheduler whose clock is ahead may have decided the coming slot already.
    const isToCome = !before && !schedule.paused && items.every(({ slotAt }) => slotAt < coming);
    if (isToCome) runs.unshift(comingRun(schedule.id, coming));
    return { items: runs.slice(0, limit), more: more || runs.length > limit };
  }

  /** A run that was shown as coming has its id before its slot is decided, though the slot may be due by now. */
  private async slotOf({ id }: ScheduleRow, marker: string, coming: Date): Promise<Date | undefined> {
    const run = await this.runs.find(id, marker);
    const undecided = [coming, new Date(coming.getTime() - dayMs)];
    return run?.slotAt ?? undecided.find((slotAt) => scheduledBackupId(id, slotAt) === marker);
  }

  private async of(accountId: string, rows: SlotRun[]): Promise<RunResource[]> {
    const backups = await this.backups.findAll(
      accountId,
      rows.map(({ id }) => id),
    );
    return rows.map((row) => runResource(row, backups.get(row.id)));
  }
}

/** @param backup what came of the run; undefined when there never was one, and when it was deleted */
function runResource(row: SlotRun, backup: BackupResource | undefined): RunResource {
  return {
    id: row.id,
    slot: utc(row.slotAt),
    outcome: row.outcome,
    reason: row.reason,
    made_full: madeFullResource(row.madeFull),
    type: row.type,
    full_because: fullBecause({ ...row, trigger: 'slot' }),
    // A backup that is there knows best: its deletion may have failed meanwhile.
    fault: backup?.fault ?? faultResource(row.fault),
    retry_at: backup?.retry_at ?? null,
    failed_attempts: failedAttempts(row),
    delays: delays(row),
    not_deleted_because: backup?.not_deleted_because ?? null,
    backup_id: row.outcome === 'ran' ? row.id : null,
    backup_status: backup?.status ?? null,
    copies: backup?.copies.map(({ region, status }) => ({ region, status })) ?? [],
  };
}

/** Its id is known already, since it follows from the schedule and the slot. */
function comingRun(scheduleId: string, slotAt: Date): RunResource {
  return {
    id: scheduledBackupId(scheduleId, slotAt),
    slot: utc(slotAt),
    outcome: 'coming',
    reason: null,
    made_full: null,
    type: null,
    full_because: null,
    fault: null,
    retry_at: null,
    failed_attempts: [],
    delays: [],
    not_deleted_because: null,
    backup_id: null,
    backup_status: null,
    copies: [],
  };
}
