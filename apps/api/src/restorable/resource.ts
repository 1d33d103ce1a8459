/** What can be restored from where, as the API shows it. It is up to date with every event appended before the call. */
import { Inject } from '@nestjs/common';
import { mostLookedThrough, mostOutcomes, type RestorablePoint, type RestorableResource } from '@strongroom/contracts';
import { nextSlot } from '@strongroom/domain';
import {
  type OutcomeRow,
  type Page,
  type PageRequest,
  type PointRow,
  RestorablePoints,
  RestoreTests,
  type ScheduleRow,
  Schedules,
  Views,
} from '@strongroom/read-model';
import { type AppConfig, Clock, configToken } from '@strongroom/runtime';
import { restoreTestResource } from '../backups/resource.js';
import type { Reach } from '../edge/caller.js';
import { utc, utcWithoutZone } from '../edge/times.js';

export class RestorableResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Schedules) private readonly schedules: Schedules,
    @Inject(RestorablePoints) private readonly found: RestorablePoints,
    @Inject(RestoreTests) private readonly restoreTests: RestoreTests,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) private readonly config: AppConfig,
  ) {}

  /** @returns undefined when the marker is the id of no schedule in the list */
  async page(
    { accountId, instances: among }: Reach,
    asked: PageRequest & { instanceId?: string | undefined },
  ): Promise<Page<RestorableResource> | undefined> {
    await this.views.catchUp(accountId);
    if (asked.marker !== undefined && !(await this.isInList(accountId, asked.marker, among))) return undefined;
    const { items, more } = await this.schedules.page(accountId, { ...asked, among });
    return { items: await this.of(items), more };
  }

  private async isInList(accountId: string, id: string, among: Reach['instances']): Promise<boolean> {
    const schedule = await this.schedules.find(accountId, id);
    return schedule !== undefined && among?.includes(schedule.instanceId) !== false;
  }

  /** Five statements, however many schedules there are. */
  private async of(rows: readonly ScheduleRow[]): Promise<RestorableResource[]> {
    const ids = rows.map(({ id }) => id);
    const regions = [...this.config.vaults.keys()].sort();
    const instances = new Map(
      (await this.found.instances(ids, mostLookedThrough)).map((instance) => [instance.scheduleId, instance]),
    );
    const points = byPlace(await this.found.points(ids, regions, mostLookedThrough));
    const missing = byPlace(await this.found.missing(ids, mostLookedThrough));
    const outcomes = bySchedule(await this.found.outcomes(ids, mostOutcomes));
    const tests = bySchedule(await this.restoreTests.ofSchedules(ids, mostLookedThrough));
    const now = this.clock.now();
    return rows.map((row) => {
      const { id, instanceId, paused, copyTo } = row;
      const runs = outcomes.get(id) ?? [];
      return {
        id,
        instance_id: instanceId,
        instance_name: instances.get(id)?.name ?? null,
        paused,
        next_run: paused ? null : utcWithoutZone(nextSlot(row, now)),
        last_run: lastRun(runs.at(-1)),
        outcomes: runs.map(({ outcome }) => outcome),
        has_older: instances.get(id)?.hasOlder ?? false,
        regions: regions.map((region) => {
          const { owed = 0, lost = 0, failed = 0 } = missing.get(`${id} ${region}`) ?? {};
          const wanted = region === this.config.homeRegion || copyTo.includes(region);
          const newest = pointResource(points.get(`${id} ${region}`));
          const ofRegion = (tests.get(id) ?? []).filter(({ test }) => test.region === region);
          return { region, wanted, newest, owed, lost, failed, restore_tests: ofRegion.map(restoreTestResource) };
        }),
      };
    });
  }
}

function byPlace<Row extends { scheduleId: string; region: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [`${row.scheduleId} ${row.region}`, row]));
}

function bySchedule<Row extends { scheduleId: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const list = found.get(row.scheduleId);
    if (list) list.push(row);
    else found.set(row.scheduleId, [row]);
  }
  return found;
}

function pointResource(row: PointRow | undefined): RestorablePoint | null {
  if (!row) return null;
  return {
    backup_id: row.backupId,
    slot: row.slotAt && utc(row.slotAt),
    type: row.type,
    created: utc(row.createdAt),
    completed: utc(row.endedAt),
    verified_at: utc(row.verifiedAt),
    verified_by: row.verifiedBy,
  };
}

function lastRun(row: OutcomeRow | undefined): RestorableResource['last_run'] {
  if (!row) return null;
  const { id, slotAt, outcome, reason, fault } = row;
  return { id, slot: utc(slotAt), outcome, reason, fault: fault && { code: fault.code, message: fault.reason } };
}
