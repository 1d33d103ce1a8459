/** The calls on schedules, each with the resource as its result. All throw an `ApiFault`. */
import {
  deleteSchedulesId,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  postSchedules,
  putSchedulesId,
  type RunResource,
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
