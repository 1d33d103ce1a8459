/** The calls on schedules, each with the resource as its result. All throw an `ApiFault`. */
import {
  deleteSchedulesId,
  getRestorable,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  type PreviewedBackupResource,
  postSchedules,
  postSchedulesIdPreview,
  putSchedulesId,
  type RestorableResource,
  type RunResource,
  type SchedulePreviewResource,
  type ScheduleResource,
} from '@strongroom/contracts';
import type { BodyOf, CallOptions, QueryOf } from './call.js';
import type { OperationCaller } from './operation-caller.js';

export class ScheduleCalls {
  constructor(private readonly caller: OperationCaller) {}

  async create(
    schedule: BodyOf<typeof postSchedules>['schedule'],
    options: CallOptions = {},
  ): Promise<ScheduleResource> {
    return (await this.caller.call(postSchedules, { ...options, body: { schedule } })).body.schedule;
  }

  async get(id: string, options: CallOptions = {}): Promise<ScheduleResource> {
    return (await this.caller.call(getSchedulesId, { ...options, id })).body.schedule;
  }

  /** All of them, by id, read page by page. */
  async *list(query: QueryOf<typeof getSchedules> = {}, options: CallOptions = {}): AsyncGenerator<ScheduleResource> {
    for await (const page of this.caller.pages(getSchedules, { ...options, query })) yield* page.schedules;
  }

  async update(
    id: string,
    schedule: BodyOf<typeof putSchedulesId>['schedule'],
    options: CallOptions = {},
  ): Promise<void> {
    await this.caller.call(putSchedulesId, { ...options, id, body: { schedule } });
  }

  /** What a change would run, keep, delete and copy, with the first page of the backups. It changes nothing. */
  async preview(
    id: string,
    schedule: BodyOf<typeof postSchedulesIdPreview>['schedule'],
    query: QueryOf<typeof postSchedulesIdPreview> = {},
    options: CallOptions = {},
  ): Promise<SchedulePreviewResource> {
    return (await this.caller.call(postSchedulesIdPreview, { ...options, id, query, body: { schedule } })).body.preview;
  }

  /** What a change means for each backup of the schedule, the newest first, read page by page. */
  async *previewedBackups(
    id: string,
    schedule: BodyOf<typeof postSchedulesIdPreview>['schedule'],
    query: QueryOf<typeof postSchedulesIdPreview> = {},
    options: CallOptions = {},
  ): AsyncGenerator<PreviewedBackupResource> {
    const asked = { ...options, id, query, body: { schedule } };
    for await (const { preview } of this.caller.pages(postSchedulesIdPreview, asked)) yield* preview.backups;
  }

  /** What can be restored from where, for each of them, by id, read page by page. */
  async *restorable(
    query: QueryOf<typeof getRestorable> = {},
    options: CallOptions = {},
  ): AsyncGenerator<RestorableResource> {
    for await (const page of this.caller.pages(getRestorable, { ...options, query })) yield* page.restorable;
  }

  /** Asks for a backup beside the schedule's slots, from now on. */
  runNow(id: string, options: CallOptions = {}): Promise<void> {
    return this.update(id, { run_now: true }, options);
  }

  /** The backups that were made stay. */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(deleteSchedulesId, { ...options, id });
  }

  /** Its runs: the coming slot, then the past ones, the newest first; read page by page. */
  async *runs(
    id: string,
    query: QueryOf<typeof getSchedulesIdRuns> = {},
    options: CallOptions = {},
  ): AsyncGenerator<RunResource> {
    for await (const page of this.caller.pages(getSchedulesIdRuns, { ...options, id, query })) yield* page.runs;
  }
}
