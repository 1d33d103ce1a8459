/** Schedules as the API shows them. What is read is up to date with every event appended before the call. */
import { Inject } from '@nestjs/common';
import { type RecordedEvent, type ScheduleResource, streamOf } from '@strongroom/contracts';
import { nextSlot } from '@strongroom/domain';
import {
  type PageRequest,
  type ScheduleActivity,
  type ScheduleRow,
  Schedules,
  ScheduleTexts,
  scheduleView,
  Views,
} from '@strongroom/read-model';
import { Clock, SetAside, toldWhy } from '@strongroom/runtime';
import { type Reach, reaches } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import { madeRow } from '../edge/made.js';
import { type TextOfItems, textOfItems } from '../edge/paging.js';
import { utcWithoutZone } from '../edge/times.js';

export class ScheduleResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Schedules) private readonly schedules: Schedules,
    @Inject(ScheduleTexts) private readonly texts: ScheduleTexts,
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

  /** One schedule as JSON, with its version. @throws {HttpFault} itemNotFound */
  async show(reach: Reach, id: string): Promise<{ version: number; text: string }> {
    const { accountId } = reach;
    const found = await this.views.readUpToDate(accountId, () => this.texts.one(accountId, id, this.clock.now()));
    if (!found || !reaches(reach, found.instanceId)) throw notFound('Schedule', id);
    if (found.text !== null) return { version: found.version, text: `{"schedule":${found.text}}` };
    const row = await this.find(reach, id);
    const shown = await this.showing([row]);
    return { version: row.version, text: JSON.stringify({ schedule: shown(row) }) };
  }

  /** Shows a schedule in both ways, to see that everything can be read which that needs. */
  async tryToShow(row: ScheduleRow): Promise<void> {
    await this.texts.one(row.accountId, row.id, this.clock.now());
    await this.showing([row]);
  }

  /** @returns undefined when the marker is the id of no schedule */
  async page(
    { accountId, instances: among }: Reach,
    asked: PageRequest & { instanceId?: string | undefined },
  ): Promise<TextOfItems | undefined> {
    const request = { ...asked, among };
    const read = () => this.texts.page(accountId, request, this.clock.now());
    const found = await this.views.readUpToDate(accountId, read);
    if (!found) return undefined;
    const { text, last, more } = found;
    if (text !== null) return { text, last, more };
    const page = await this.schedules.page(accountId, request);
    return textOfItems({ items: page.items.map(await this.showing(page.items)), more: page.more });
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
    const activity = await this.schedules.activity(rows.map(({ id }) => id));
    const aside = await this.setAside.among(rows.flatMap(reliesOn));
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
    pause_reason: row.pauseReason,
    version: row.version,
  };
}
