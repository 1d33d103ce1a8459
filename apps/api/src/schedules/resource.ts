/** Schedules as the API shows them. What is read is up to date with every event appended before the call. */
import { Inject } from '@nestjs/common';
import { type RecordedEvent, type ScheduleResource, streamOf } from '@strongroom/contracts';
import { nextSlot } from '@strongroom/domain';
import { SharedStatements } from '@strongroom/ledger';
import {
  type Page,
  type PageRequest,
  type ScheduleActivity,
  type ScheduleRow,
  Schedules,
  scheduleView,
  Views,
} from '@strongroom/read-model';
import { Clock, SetAside, toldWhy } from '@strongroom/runtime';
import { type Reach, reaches } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import { madeRow } from '../edge/made.js';
import { utcWithoutZone } from '../edge/times.js';

/** How many schedules are shown with one look at what their runs show. */
const mostShown = 100;

export class ScheduleResources {
  private readonly shows = new SharedStatements<ScheduleRow, ScheduleResource>(mostShown, async (rows) =>
    rows.map(await this.showing(rows)),
  );

  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Schedules) private readonly schedules: Schedules,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(SetAside) private readonly setAside: SetAside,
  ) {}

  /** @throws {HttpFault} itemNotFound */
  async find(reach: Reach, id: string): Promise<ScheduleRow> {
    const { accountId } = reach;
    await this.views.catchUp(accountId);
    const row = await this.schedules.find(accountId, id);
    if (!row || !reaches(reach, row.instanceId)) throw notFound('Schedule', id);
    return row;
  }

  /** A new schedule, as the events that made it say. Nothing is read, so nothing can fail. */
  made(events: readonly RecordedEvent[]): { schedule: ScheduleResource } {
    const row = madeRow(scheduleView, events);
    return { schedule: scheduleResource(row, undefined, row.createdAt) };
  }

  async of(row: ScheduleRow): Promise<{ schedule: ScheduleResource }> {
    return { schedule: await this.shows.do(row) };
  }

  /** @returns undefined when the marker is the id of no schedule */
  async page(
    reach: Reach,
    page: PageRequest & { instanceId?: string | undefined },
  ): Promise<Page<ScheduleResource> | undefined> {
    const { accountId, instances } = reach;
    await this.views.catchUp(accountId);
    if (page.marker !== undefined) {
      const last = await this.schedules.find(accountId, page.marker);
      if (!last || !reaches(reach, last.instanceId)) return undefined;
    }
    const { items, more } = await this.schedules.page(accountId, { ...page, among: instances });
    return { items: items.map(await this.showing(items)), more };
  }

  /** The schedules of instances, by the instance's id. */
  async ofInstances(accountId: string, instanceIds: readonly string[]): Promise<Map<string, ScheduleResource>> {
    const rows = await this.schedules.ofInstances(accountId, [...instanceIds]);
    const shown = await this.showing(rows);
    return new Map(rows.map((row) => [row.instanceId, shown(row)]));
  }

  /** The id of the instance's schedule; undefined when it has none. */
  async idOfInstance(accountId: string, instanceId: string): Promise<string | undefined> {
    const [row] = await this.schedules.ofInstances(accountId, [instanceId]);
    return row?.id;
  }

  /** Reads what is shown with the rows, for all of them at once, and returns a function that shows one of them. */
  private async showing(rows: readonly ScheduleRow[]): Promise<(row: ScheduleRow) => ScheduleResource> {
    const [activity, aside] = await Promise.all([
      this.schedules.activity(rows.map(({ id }) => id)),
      this.setAside.among(rows.flatMap(reliesOn)),
    ]);
    const reasons = new Map(aside.map((each) => [`${each.kind} ${each.id}`, toldWhy(each)]));
    const now = this.clock.now();
    return (row) => {
      const [reason] = reliesOn(row).flatMap(({ kind, id }) => reasons.get(`${kind} ${id}`) ?? []);
      return { ...scheduleResource(row, activity.get(row.id), now), ...(reason !== undefined && faultOf(reason)) };
    };
  }
}

/** What a schedule needs to fire: none of it may be set aside. */
function reliesOn({ id, instanceId }: ScheduleRow) {
  return [
    { kind: 'schedule', id },
    { kind: 'stream', id: streamOf('schedule', id) },
    { kind: 'stream', id: streamOf('instance', instanceId) },
  ] as const;
}

function faultOf(reason: string): Pick<ScheduleResource, 'fault'> {
  const message = `The schedule does not fire at the moment: ${reason}. An operator has to look at it.`;
  return { fault: { code: 'set-aside', message } };
}

function scheduleResource(row: ScheduleRow, activity: ScheduleActivity | undefined, now: Date): ScheduleResource {
  return {
    action: 'backup',
    created: utcWithoutZone(row.createdAt),
    day_of_month: null,
    day_of_week: row.dayOfWeek,
    full_backup_retention: row.fullBackupRetention,
    hour: row.hour,
    id: row.id,
    instance_id: row.instanceId,
    last_scheduled: activity?.lastRunAt ? utcWithoutZone(activity.lastRunAt) : null,
    minute: row.minute,
    month: null,
    next_run: row.paused ? null : utcWithoutZone(nextSlot(row, now)),
    running: activity?.running ? 1 : 0,
    source: { id: row.instanceId, type: 'instance' },
    updated: utcWithoutZone(row.updatedAt),
    copy_to: row.copyTo,
    paused: row.paused,
    version: row.version,
  };
}
