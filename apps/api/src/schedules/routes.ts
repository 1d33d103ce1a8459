/** The routes of schedules: each parses what it was sent, runs a command, and answers with a resource. */
import { Controller, Inject } from '@nestjs/common';
import {
  type CreateScheduleRequest,
  createScheduleRequest,
  deleteSchedulesId,
  getSchedules,
  getSchedulesId,
  getSchedulesIdRuns,
  postSchedules,
  postSchedulesIdPreview,
  putSchedulesId,
  updateScheduleRequest,
} from '@strongroom/contracts';
import type { Asked } from '../edge/asked.js';
import { HttpFault } from '../edge/http-fault.js';
import { asJson, instanceFilter, Paging } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { tagWith } from '../edge/preconditions.js';
import { Handles } from '../edge/routing.js';
import { changesIn, reasonOf } from './checks.js';
import { ScheduleCommands } from './commands.js';
import { runsIn, SchedulePreviews } from './preview.js';
import { ScheduleResources } from './resource.js';
import { Runs } from './runs.js';

const defaultRetention = 2;

@Controller()
export class ScheduleRoutes {
  constructor(
    @Inject(ScheduleCommands) private readonly commands: ScheduleCommands,
    @Inject(ScheduleResources) private readonly resources: ScheduleResources,
    @Inject(Runs) private readonly runs: Runs,
    @Inject(SchedulePreviews) private readonly previews: SchedulePreviews,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(postSchedules)
  async create({ caller, body }: Asked) {
    const asked = parseBody(createScheduleRequest, body).schedule;
    const paused = asked.paused ?? false;
    const reason = reasonOf(asked.pause_reason, paused);
    const definition = {
      dayOfWeek: asked.day_of_week,
      hour: asked.hour,
      minute: asked.minute,
      fullBackupRetention: asked.full_backup_retention ?? defaultRetention,
      copyTo: asked.copy_to ?? [],
      paused,
    };
    const events = await this.commands.create(caller, instanceOf(asked), definition, reason);
    return this.resources.made(events);
  }

  @Handles(getSchedules)
  list(asked: Asked): Promise<string> {
    const { caller, request } = asked;
    const instanceId = instanceFilter(request);
    return this.paging.answerText(asked, 'schedules', (page) => this.resources.page(caller, { ...page, instanceId }));
  }

  @Handles(getSchedulesId)
  async show({ caller, id, reply }: Asked) {
    const { version, text } = await this.resources.show(caller, idInPath('Schedule', id));
    tagWith(reply, { version });
    return asJson(reply, text);
  }

  @Handles(putSchedulesId)
  change({ caller, id, body, ifMatch }: Asked): Promise<void> {
    const scheduleId = idInPath('Schedule', id);
    const asked = changesIn(parseBody(updateScheduleRequest, body));
    return this.commands.change(caller, { scheduleId, ...asked, ifMatch });
  }

  @Handles(postSchedulesIdPreview)
  async preview({ caller, id, body, request }: Asked) {
    const scheduleId = idInPath('Schedule', id);
    const asked = changesIn(parseBody(updateScheduleRequest, body));
    const found = await this.previews.find(caller, { scheduleId, ...asked, runs: runsIn(request) });
    const { items, links } = await this.paging.page(request, 'backups', async (page) => found.backups(page));
    return { preview: { ...found.told, backups: items }, links };
  }

  @Handles(deleteSchedulesId)
  remove({ caller, id, ifMatch }: Asked): Promise<void> {
    return this.commands.remove(caller, idInPath('Schedule', id), ifMatch);
  }

  @Handles(getSchedulesIdRuns)
  async runsOf({ caller, id, request }: Asked) {
    const schedule = await this.resources.find(caller, idInPath('Schedule', id));
    return this.paging.answer(request, 'runs', (page) => this.runs.page(schedule, page));
  }
}

function instanceOf({ instance_id, source_id, source_type }: CreateScheduleRequest): string {
  if (source_type === 'ha') {
    throw new HttpFault(
      'notImplemented',
      'schedule.source_type: "ha" is not implemented: there are no HA groups yet. Schedule an instance.',
    );
  }
  const id = instance_id ?? source_id;
  if (id === undefined) {
    throw new HttpFault('badRequest', 'schedule.instance_id: is required, or source_id in its place.');
  }
  if (source_id !== undefined && source_id !== id) {
    throw new HttpFault('badRequest', 'schedule.source_id: must be the same as instance_id when both are given.');
  }
  return id;
}
